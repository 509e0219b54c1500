#include "read_result.hpp"

#include <cstdlib>
#include <new>
#include <type_traits>

namespace gantry::commitlog {

static_assert(std::is_trivially_destructible_v<std::atomic<std::uint32_t>>);

ReadResult *ReadResult::create(std::uint32_t n, std::size_t bytes) {
  void *p = std::malloc(sizeof(ReadResult) + sizeof(gantry_record) * n + bytes);
  GANTRY_ASSERT(p != nullptr);
  return new (p) ReadResult(n, bytes);
}

ReadResult::ReadResult(std::uint32_t capacity, std::size_t bytes) : capacity_(capacity) {
  static_assert(std::is_standard_layout_v<gantry_owner>);
  owner_ = {on_retain, on_release, bytes};
  result_.size = sizeof result_;
  result_.owner = &owner_;
  result_.records = records();
}

void ReadResult::hold(Arena &arena, std::uint64_t mask, std::uint64_t pinned_bytes) {
  if (mask == 0) return;
  arena.retain();
  arena_ = &arena;
  mask_ = mask;
  owner_.bytes = pinned_bytes;
}

void ReadResult::seal(std::uint32_t n) {
  GANTRY_ASSERT(n <= capacity_);
  for (std::uint32_t i = 0; i < n; ++i) records()[i].bytes.owner = &owner_;
  result_.n = n;
}

void ReadResult::on_retain(gantry_owner *owner) noexcept {
  reinterpret_cast<ReadResult *>(owner)->owners_.fetch_add(1, std::memory_order_relaxed);
}

void ReadResult::on_release(gantry_owner *owner) noexcept {
  auto *self = reinterpret_cast<ReadResult *>(owner);
  if (self->owners_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (self->arena_ != nullptr) {
    self->arena_->unpin(self->mask_);
    self->arena_->release();
  }
  self->~ReadResult();
  std::free(self);
}

}  // namespace gantry::commitlog
