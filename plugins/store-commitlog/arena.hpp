// The append buffer: a ring over log positions that is staging area, source of the writes and hot read cache at once.
//
// The byte of log position X lives at X % bytes. A range is overwritten only when the log is `bytes` further, everything in it was
// written, and no reader pins it. Pins are counted per chunk (1/64 of the arena).
#pragma once

#include "types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace gantry::commitlog {

class Arena {
 public:
  static constexpr std::int64_t kFrameAllowance = 64 << 10;  // more than header, trailer and the rest of a block
  static constexpr std::uint32_t kChunks = 64;  // a read result keeps its pins as one 64-bit mask

  // `bytes`: a power of two, at least 1 MiB. The count of owners starts at 1. NOMEM when the system refuses the memory.
  static Result<Arena *> create(std::uint64_t bytes);
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  // The object lives until the last pinned result is released, even when that is after the store was destroyed.
  void retain() { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint8_t *at(LogPos pos) { return base_ + (static_cast<std::uint64_t>(pos.v) & mask_); }
  [[nodiscard]] LogPos next_boundary(LogPos pos) const { return {(pos.v | static_cast<std::int64_t>(mask_)) + 1}; }

  // ---- guarded by the store's mutex
  // The log continues at `pos`, a multiple of kBlock; nothing before it is in the arena.
  void start_at(LogPos pos);
  // First position still readable here.
  [[nodiscard]] LogPos hot_begin() const { return hot_begin_; }
  // Whether [.., end) may be written now; gives up old chunks as needed. `written` = all before it is on disk.
  [[nodiscard]] bool make_room(LogPos end, LogPos written);
  // Whether a pin there could be in the way of who stores that record again behind `end`, the end of all that was taken: there may be a filler before it.
  [[nodiscard]] bool is_next_to_go(LogPos pos, std::uint32_t record_bytes, LogPos end) const {
    return pos - end < 2 * (std::int64_t{record_bytes} + kFrameAllowance) + static_cast<std::int64_t>(chunk_bytes_) - static_cast<std::int64_t>(bytes_);
  }
  // Pins the chunks of a hot range and adds them to `mask`; chunks already in the mask are not counted twice.
  void pin(LogPos begin, std::int64_t bytes, std::uint64_t *mask);

  // [thread: any]
  void unpin(std::uint64_t mask);

 private:
  explicit Arena(std::uint8_t *base, std::uint64_t bytes);
  ~Arena();
  [[nodiscard]] std::uint32_t chunk_of(LogPos pos) const {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(pos.v) & mask_) / chunk_bytes_);
  }

  std::uint8_t *const base_;
  const std::uint64_t bytes_, mask_, chunk_bytes_;
  LogPos hot_begin_, limit_;  // readable from, writable up to; both move by whole chunks
  std::array<std::atomic<std::uint32_t>, kChunks> pins_{};
  std::atomic<std::uint32_t> owners_{1};
};

}  // namespace gantry::commitlog
