#include "queue_table.hpp"

namespace gantry::commitlog {

void QueueState::add_ref(const PartRef &ref) {
  if (refs == nullptr) refs = std::make_unique<std::vector<PartRef>>();
  refs->push_back(ref);
}

QueueOff QueueState::trim(std::uint32_t first_segment_no) {
  if (refs != nullptr) {
    std::size_t gone = 0;
    while (gone < refs->size() && (*refs)[gone].segment_no < first_segment_no) ++gone;
    if (gone > 0) refs->erase(refs->begin(), refs->begin() + static_cast<std::ptrdiff_t>(gone));
    if (!refs->empty()) return refs->front().first;
    refs.reset();
  }
  if (part == nullptr) return appended;
  const QueuePart *oldest = part;
  while (oldest->older != nullptr) oldest = oldest->older;
  return oldest->first;
}

void QueueState::forget_before(std::uint32_t first_segment_no) {
  (void)trim(first_segment_no);
  QueuePart **link = &part;
  while (*link != nullptr && (*link)->segment_no >= first_segment_no) link = &(*link)->older;
  *link = nullptr;
}

std::uint32_t QueueTable::intern(std::string_view topic) {
  if (const auto at = topic_ids_.find(topic); at != topic_ids_.end()) return at->second;
  const auto id = static_cast<std::uint32_t>(topics_.size());
  topics_.emplace_back(topic);
  topic_ids_.emplace(topics_.back(), id);
  return id;
}

gantry_queue QueueTable::find(std::string_view topic, std::uint32_t queue_no) const {
  const auto id = topic_ids_.find(topic);
  if (id == topic_ids_.end()) return GANTRY_NO_QUEUE;
  const auto at = by_name_.find(NameKey{id->second, queue_no});
  return at == by_name_.end() ? GANTRY_NO_QUEUE : *at;
}

gantry_queue QueueTable::add(std::string_view topic, std::uint32_t queue_no, std::uint32_t kind) {
  const std::uint64_t queue = size_;
  return add_at(queue, topic, queue_no, kind) ? queue : GANTRY_NO_QUEUE;
}

void QueueTable::reserve_handles(std::uint64_t size) {
  while (slabs_.size() * kSlab < size) slabs_.emplace_back();
  if (size_ < size) size_ = size;
}

bool QueueTable::add_at(gantry_queue queue, std::string_view topic, std::uint32_t queue_no, std::uint32_t kind) {
  if (queue >= kMaxQueues || get(queue) != nullptr) return false;
  const NameKey key{intern(topic), queue_no};
  if (by_name_.contains(key)) return false;
  reserve_handles(queue + 1);
  if (slabs_[queue / kSlab] == nullptr) slabs_[queue / kSlab] = std::make_unique<QueueState[]>(kSlab);
  QueueState &state = slabs_[queue / kSlab][queue % kSlab];
  state = QueueState{};
  state.topic = key.topic;
  state.queue_no = queue_no;
  state.kind = kind;
  state.alive = true;
  by_name_.insert(static_cast<std::uint32_t>(queue));
  ++alive_;
  return true;
}

void QueueTable::drop(gantry_queue queue) {
  QueueState *state = get(queue);
  if (state == nullptr) return;
  by_name_.erase(static_cast<std::uint32_t>(queue));
  // Parts in memory stay in their index until it is freed; their handle is dead from now on.
  *state = QueueState{};
  --alive_;
}

}  // namespace gantry::commitlog
