#include "memory_log.h"

#include <gantry++/bytes.hpp>

#include <algorithm>

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
  if (entry.record->phys_pos >= held_from_) {
    held_.emplace(entry.record->phys_pos, entry.record);
  } else {
    forget(*entry.record);
  }
}

void MemoryLog::forget(const Record &record) {
  bytes_ -= record.bytes.size();
  for (const std::uint64_t hash : record.key_hashes) keys_.erase({hash, record.phys_pos});
  by_pos_.erase(record.phys_pos);
}

void MemoryLog::trim(Queue &queue) {
  while (keep_per_queue_ > 0 && queue.max_off - queue.min_off > keep_per_queue_ && queue.entries.front().record->phys_pos < held_from_) {
    unlink(queue.entries.front());
    queue.entries.pop_front();
    ++queue.min_off;
  }
}

void MemoryLog::retain_from(std::int64_t phys_pos) {
  held_from_ = phys_pos;
  while (!held_.empty() && held_.begin()->first < held_from_) {
    const auto released = held_.extract(held_.begin());
    forget(*released.mapped());
  }
  for (Queue &queue : queues_) trim(queue);
}

std::int64_t MemoryLog::append(const gantry_append &request, std::int64_t *first_queue_off) {
  auto record = std::make_shared<Record>();
  record->bytes.reserve(request.bytes);
  for (std::uint32_t i = 0; i < request.n_spans; ++i) {
    record->bytes.append(reinterpret_cast<const char *>(request.spans[i].p), request.spans[i].n);
    // A body from its base is copied: memory is all there is here, and a record then lives as long as it is kept, whatever becomes of its base.
    if (i == 0 && request.base_bytes != 0) record->bytes.append(by_pos_.at(request.base_pos)->bytes, request.base_skip, request.base_bytes);
  }
  record->phys_pos = end_pos_;
  record->store_ms = request.store_ms;
  record->live_links = request.n_links;
  if (request.n_keys > 0) record->key_hashes.assign(request.key_hashes, request.key_hashes + request.n_keys);
  for (const std::uint64_t hash : record->key_hashes) keys_.emplace(hash, record->phys_pos);
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
    trim(*queue);
  }
  hidden_.clear();
}

std::shared_ptr<const Record> MemoryLog::at_position(std::int64_t phys_pos) const {
  const auto at = by_pos_.find(phys_pos);
  return at != by_pos_.end() && phys_pos < revealed_pos_ ? at->second : nullptr;
}

std::vector<std::shared_ptr<const Record>> MemoryLog::by_key(const gantry_key_query &query, std::int64_t *next_pos) const {
  std::vector<std::shared_ptr<const Record>> found;
  *next_pos = -1;
  const auto first = keys_.lower_bound({query.hash, INT64_MIN});
  for (auto at = keys_.lower_bound({query.hash, std::min(query.before_pos, revealed_pos_)}); at != first;) {
    --at;
    const std::shared_ptr<Record> &record = by_pos_.at(at->second);
    if (record->store_ms < query.begin_ms || record->store_ms > query.end_ms) continue;
    if (found.size() == query.max_records) {
      *next_pos = found.back()->phys_pos;
      break;
    }
    found.push_back(record);
  }
  return found;
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
