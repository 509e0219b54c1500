#include "memory_log.h"

#include <gantry++/bytes.hpp>

namespace memory_store {

gantry_queue MemoryLog::open_queue(std::string_view topic, std::uint32_t queue_no) {
  const auto [at, added] = handles_.try_emplace({std::string(topic), queue_no}, queues_.size());
  if (added) {
    Queue &queue = queues_.emplace_back();
    queue.topic = topic;
    queue.queue_no = queue_no;
  }
  return at->second;
}

Queue *MemoryLog::find(gantry_queue queue) {
  return queue < queues_.size() && !queues_[queue].dropped ? &queues_[queue] : nullptr;
}

void MemoryLog::drop_queue(gantry_queue handle) {
  Queue &queue = queues_[handle];
  handles_.erase({queue.topic, queue.queue_no});
  for (Entry &entry : queue.entries) unlink(entry);
  queue = Queue{};
  queue.dropped = true;
}

void MemoryLog::unlink(Entry &entry) {
  if (--entry.record->live_links > 0) return;
  bytes_ -= entry.record->bytes.size();
  by_pos_.erase(entry.record->phys_pos);
}

std::int64_t MemoryLog::append(const gantry_append &request, std::int64_t *first_queue_off) {
  auto record = std::make_shared<Record>();
  record->bytes.reserve(request.bytes);
  for (std::uint32_t i = 0; i < request.n_spans; ++i) {
    record->bytes.append(reinterpret_cast<const char *>(request.spans[i].p), request.spans[i].n);
  }
  record->phys_pos = end_pos_;
  record->store_ms = request.store_ms;
  record->live_links = request.n_links;
  for (std::uint32_t i = 0; i < request.n_links; ++i) {
    Queue &queue = queues_[request.links[i].queue];
    const std::int64_t offset = queue.appended_off();
    if (request.link_offsets != nullptr) request.link_offsets[i] = offset;
    if (i == 0) *first_queue_off = offset;
    queue.entries.push_back({record, request.links[i].tag});
    hidden_.push_back(request.links[i].queue);
  }
  const auto fix = [&](std::uint16_t at, std::int64_t value) {
    if (at != GANTRY_NO_FIX) gantry::store_be64(record->bytes.data() + at, static_cast<std::uint64_t>(value));
  };
  fix(request.fix_queue_off, *first_queue_off);
  fix(request.fix_phys_off, record->phys_pos);
  fix(request.fix_store_ms, request.store_ms);
  by_pos_.emplace(record->phys_pos, record);
  end_pos_ += request.bytes;
  bytes_ += request.bytes;
  return record->phys_pos;
}

void MemoryLog::reveal() {
  revealed_pos_ = end_pos_;
  for (const gantry_queue handle : hidden_) {
    Queue *queue = find(handle);
    if (queue == nullptr) continue;
    queue->max_off = queue->appended_off();
    while (keep_per_queue_ > 0 && queue->max_off - queue->min_off > keep_per_queue_) {
      unlink(queue->entries.front());
      queue->entries.pop_front();
      ++queue->min_off;
    }
  }
  hidden_.clear();
}

std::shared_ptr<const Record> MemoryLog::at_position(std::int64_t phys_pos) const {
  const auto at = by_pos_.find(phys_pos);
  return at != by_pos_.end() && phys_pos < revealed_pos_ ? at->second : nullptr;
}

void MemoryLog::apply(const gantry_meta_op &op) {
  const std::string_view key(op.key.p, op.key.n);
  if (op.op == GANTRY_META_PUT) {
    meta_.insert_or_assign(std::string(key), std::string(op.value.p != nullptr ? op.value.p : "", op.value.n));
  } else if (const auto at = meta_.find(key); at != meta_.end()) {
    meta_.erase(at);
  }
}

}  // namespace memory_store
