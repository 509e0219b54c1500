// Timers of one shard: an indexed 4-ary heap over a slab, so that arming the usual "same delay again" costs O(1), cancelling frees at
// once, and no system call is made per timer.
#pragma once

#include <gantry/draft/host.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace gantry::io {

// Owned by one shard; not thread-safe. Times are milliseconds of the monotonic clock.
class Timers {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // Id is unique among the timers armed on this shard, never 0, and fits in 56 bits.
  std::uint64_t arm(std::int64_t deadline_ms, gantry_task_fn fn, void *arg);
  [[nodiscard]] bool cancel(std::uint64_t id);  // false: it ran or was cancelled before
  [[nodiscard]] std::int64_t next_deadline_ms() const { return heap_.empty() ? kNever : heap_.front().deadline_ms; }
  // Runs what was due at now_ms and armed before this call; returns how many ran.
  std::uint32_t run_due(std::int64_t now_ms);
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {  // in heap order: by deadline, then in order of arming
    std::int64_t deadline_ms;
    std::uint64_t sequence;
    std::uint32_t slot;
    [[nodiscard]] bool before(const Entry &o) const {
      return deadline_ms != o.deadline_ms ? deadline_ms < o.deadline_ms : sequence < o.sequence;
    }
  };
  struct Slot {
    gantry_task_fn fn = nullptr;
    void *arg = nullptr;
    std::uint32_t generation = 1;  // 24 bits
    std::uint32_t position = 0;    // in heap_; next free slot when unused
  };

  void place(std::size_t at, const Entry &entry);
  void sift_up(std::size_t at, const Entry &entry);
  void sift_down(std::size_t at, const Entry &entry);
  void remove_at(std::size_t at);
  void free_slot(std::uint32_t slot);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = kNoSlot;
  std::uint64_t next_sequence_ = 0;
  static constexpr std::uint32_t kNoSlot = 0xFFFFFFFFu;
};

}  // namespace gantry::io
