#include "read_result.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace gantry::commitlog {

ReadResult *ReadResult::create(std::uint32_t n, std::size_t bytes, std::uint32_t extents) {
  void *p = std::malloc(sizeof(ReadResult) + sizeof(gantry_record) * n + sizeof(ExtentRef) * extents + bytes);
  GANTRY_ASSERT(p != nullptr);
  return new (p) ReadResult(n, bytes, extents);
}

ReadResult::ReadResult(std::uint32_t capacity, std::size_t bytes, std::uint32_t extents) : capacity_(capacity), max_pins_(extents) {
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
  owner_.bytes += pinned_bytes;
}

ReadResult::~ReadResult() {
  for (std::uint32_t i = 0; i < n_pins_; ++i) std::destroy_at(pins() + i);
  while (blocks_ != nullptr) std::free(std::exchange(blocks_, blocks_->next));
}

std::uint8_t *ReadResult::add_bytes(std::size_t bytes) {
  auto *block = static_cast<Block *>(std::malloc(sizeof(Block) + bytes));
  GANTRY_ASSERT(block != nullptr);
  block->next = std::exchange(blocks_, block);
  owner_.bytes += bytes;
  return reinterpret_cast<std::uint8_t *>(block + 1);
}

void ReadResult::keep(ExtentRef extent) {
  GANTRY_ASSERT(n_pins_ < max_pins_);
  new (pins() + n_pins_++) ExtentRef(std::move(extent));
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
