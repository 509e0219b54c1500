#include "core.hpp"

#include <algorithm>

namespace gantry::commitlog {

bool Core::apply_acknowledged_meta(bool wait) {
  std::unique_lock rows_lock(rows_mutex, std::defer_lock);
  if (!wait && !rows_lock.try_lock()) return false;
  if (wait) rows_lock.lock();
  std::vector<std::uint8_t> ops;
  std::uint64_t count = 0;
  {
    const std::lock_guard lock(mutex);
    writer.take_acknowledged_meta(&ops, &count);
  }
  if (count > 0) counters.meta_rows = rows.apply(ops, count);
  return true;
}

std::string Core::name_of(std::uint32_t queue, QueueOff offset) {
  const QueueState *state = queues.get(queue);
  const std::string name = state != nullptr ? "topic " + queues.topic_of(*state) + ", queue " + std::to_string(state->queue_no) : "queue with handle " + std::to_string(queue);
  return name + ", offset " + std::to_string(offset.v);
}

gantry_queue_stat Core::stat_of(QueueState &queue) {
  const QueueOff min = std::min(queue.trim(segments.first_no()), queue.visible);
  gantry_queue_stat stat{min.v, queue.visible.v, queue.appended.v, 0};
  if (min == queue.visible) return stat;
  if (queue.refs != nullptr) {
    stat.first_store_ms = queue.refs->front().first_store_ms;
    return stat;
  }
  const QueuePart *oldest = queue.part;
  while (oldest->older != nullptr) oldest = oldest->older;
  const Segment &segment = *segments.by_no(oldest->segment_no);
  const std::uint32_t record = oldest->at(0).record;
  if (record != kNoRecord) stat.first_store_ms = store_ms_of(segment.first_store_ms, segment.index->record(record).store_ms_delta);
  return stat;
}

}  // namespace gantry::commitlog
