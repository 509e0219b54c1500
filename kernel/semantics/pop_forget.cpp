// What pops remember of a topic or group goes when that is deleted.
#include "kernel/semantics/pop.hpp"

namespace gantry::semantics {

// Whether the group has an offset in a topic of this name, perhaps made again meanwhile. If not, a row that was on its way goes too.
bool Pop::has_offset(const PopQueue &queue) {
  const std::lock_guard lock(core_.mutex);
  // A group keeps its handle, also while it is deleted and its offsets are kept.
  const broker::Topic *const topic = core_.topics.find(queue.topic->name);
  return topic != nullptr && core_.offsets.find(broker::OffsetKey{queue.key.group, topic->handle, queue.key.queue_no}).has_value();
}

template <typename LaneMeant, typename QueueMeant>
void Pop::forget_deleted(LaneMeant lane_meant, QueueMeant queue_meant, std::uint32_t subject) {
  std::vector<PopJob *> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[key, lane] : lanes_)
      if (lane_meant(*lane))
        for (PopJob *job = lane->head; job != nullptr; job = job->park_next) gone.push_back(job);
    for (PopJob *job : gone) {
      parked_.remove(*job);
      unpark(*job);
    }
    RowOps rows;
    for (const auto &[key, queue] : queues_) {
      if (!queue_meant(*queue) || queue->cursor < 0) continue;
      forget(*queue, rows);
      if (!has_offset(*queue)) rows.emplace_back(broker::encode_offset_key(queue->group, queue->topic->name, key.queue_no), std::string());
      rows.emplace_back(pop_queue_key(*queue), std::string());
      queue->cursor = queue->committed = -1;
      queue->row_stale = false;
      ++queue->epoch;
    }
    for (auto &[key, value] : rows) late_rows_[key] = value;
    write_late_rows();
  }
  for (PopJob *job : gone) {
    job->result->owner.release(&job->result->owner);
    core_.complete(job->cq, job->user_data, GANTRY_E_NOT_FOUND, subject);
    give_back(job);
  }
}

void Pop::topic_deleted(const broker::Topic &topic) {
  forget_deleted([&](const PopLane &lane) { return lane.topic == &topic; }, [&](const PopQueue &queue) { return queue.topic == &topic; }, GANTRY_SUBJECT_TOPIC);
}

void Pop::group_deleted(gantry_group group) {
  forget_deleted([=](const PopLane &lane) { return lane.group == group; }, [=](const PopQueue &queue) { return queue.key.group == group; }, GANTRY_SUBJECT_GROUP);
}

}  // namespace gantry::semantics
