#include "kernel/io/timers.hpp"

namespace gantry::io {
namespace {
constexpr std::size_t kArity = 4;
constexpr std::uint32_t kGenerationMask = 0xFFFFFFu;
}  // namespace

std::uint64_t Timers::arm(std::int64_t deadline_ms, gantry_task_fn fn, void *arg) {
  std::uint32_t slot = first_free_;
  if (slot == kNoSlot) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    first_free_ = slots_[slot].position;
  }
  slots_[slot].fn = fn;
  slots_[slot].arg = arg;
  const Entry entry{deadline_ms, next_sequence_++, slot};
  heap_.push_back(entry);
  sift_up(heap_.size() - 1, entry);
  return std::uint64_t{slots_[slot].generation} << 32 | slot;
}

bool Timers::cancel(std::uint64_t id) {
  const auto slot = static_cast<std::uint32_t>(id);
  if (slot >= slots_.size() || slots_[slot].fn == nullptr || slots_[slot].generation != (id >> 32 & kGenerationMask)) return false;
  remove_at(slots_[slot].position);
  free_slot(slot);
  return true;
}

std::uint32_t Timers::run_due(std::int64_t now_ms) {
  const std::uint64_t end = next_sequence_;
  std::uint32_t ran = 0;
  while (!heap_.empty() && heap_.front().deadline_ms <= now_ms && heap_.front().sequence < end) {
    const std::uint32_t slot = heap_.front().slot;
    const gantry_task_fn fn = slots_[slot].fn;
    void *const arg = slots_[slot].arg;
    remove_at(0);
    free_slot(slot);
    fn(arg);
    ++ran;
  }
  return ran;
}

void Timers::place(std::size_t at, const Entry &entry) {
  heap_[at] = entry;
  slots_[entry.slot].position = static_cast<std::uint32_t>(at);
}

void Timers::sift_up(std::size_t at, const Entry &entry) {
  while (at > 0) {
    const std::size_t parent = (at - 1) / kArity;
    if (!entry.before(heap_[parent])) break;
    place(at, heap_[parent]);
    at = parent;
  }
  place(at, entry);
}

void Timers::sift_down(std::size_t at, const Entry &entry) {
  for (;;) {
    const std::size_t first = at * kArity + 1;
    if (first >= heap_.size()) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < first + kArity && child < heap_.size(); ++child)
      if (heap_[child].before(heap_[least])) least = child;
    if (!heap_[least].before(entry)) break;
    place(at, heap_[least]);
    at = least;
  }
  place(at, entry);
}

void Timers::remove_at(std::size_t at) {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  if (at > 0 && last.before(heap_[(at - 1) / kArity]))
    sift_up(at, last);
  else
    sift_down(at, last);
}

void Timers::free_slot(std::uint32_t slot) {
  slots_[slot].fn = nullptr;
  slots_[slot].generation = (slots_[slot].generation + 1) & kGenerationMask;
  if (slots_[slot].generation == 0) slots_[slot].generation = 1;
  slots_[slot].position = first_free_;
  first_free_ = slot;
}

}  // namespace gantry::io
