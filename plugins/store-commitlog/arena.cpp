#include "arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace gantry::commitlog {

Result<Arena *> Arena::create(std::uint64_t bytes) {
  GANTRY_ASSERT(std::has_single_bit(bytes) && bytes >= (1u << 20));
  void *p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    return Error{GANTRY_E_NOMEM, "cannot map " + std::to_string(bytes >> 20) + " MiB for hot_cache; make hot_cache smaller", errno};
  }
  // Fewer page faults and page table walks for the copy in and the device's DMA out. Refusal costs only speed.
  (void)::madvise(p, bytes, MADV_HUGEPAGE);
  return new Arena(static_cast<std::uint8_t *>(p), bytes);
}

Arena::Arena(std::uint8_t *base, std::uint64_t bytes) : base_(base), bytes_(bytes), mask_(bytes - 1), chunk_bytes_(bytes / kChunks) {}

Arena::~Arena() { ::munmap(base_, bytes_); }

void Arena::release() {
  if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Arena::start_at(LogPos pos) {
  hot_begin_ = pos;
  limit_ = align_down(pos, static_cast<std::int64_t>(chunk_bytes_)) + static_cast<std::int64_t>(bytes_);
}

bool Arena::make_room(LogPos end, LogPos written) {
  while (limit_ < end) {
    const LogPos oldest_end = limit_ - static_cast<std::int64_t>(bytes_) + static_cast<std::int64_t>(chunk_bytes_);
    if (written < oldest_end) return false;
    // Acquire: the last reader's loads happened before its unpin.
    if (pins_[chunk_of(limit_)].load(std::memory_order_acquire) != 0) return false;
    limit_ = limit_ + static_cast<std::int64_t>(chunk_bytes_);
    hot_begin_ = std::max(hot_begin_, oldest_end);
  }
  return true;
}

void Arena::pin(LogPos begin, std::int64_t bytes, std::uint64_t *mask) {
  const std::uint32_t first = chunk_of(begin);
  const std::uint32_t last = chunk_of(begin + (bytes - 1));  // records do not wrap around: last >= first
  for (std::uint32_t c = first; c <= last; ++c) {
    if ((*mask & (1ull << c)) != 0) continue;
    *mask |= 1ull << c;
    pins_[c].fetch_add(1, std::memory_order_relaxed);
  }
}

void Arena::unpin(std::uint64_t mask) {
  while (mask != 0) {
    pins_[static_cast<std::uint32_t>(std::countr_zero(mask))].fetch_sub(1, std::memory_order_release);
    mask &= mask - 1;
  }
}

}  // namespace gantry::commitlog
