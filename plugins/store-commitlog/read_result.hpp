// The object behind a gantry_read_result: one allocation with owner, result, records, pins and the bytes that lie in no cache.
#pragma once

#include "arena.hpp"
#include "extent_cache.hpp"

#include <gantry/draft/store.h>

#include <atomic>
#include <cstdint>
#include <span>

namespace gantry::commitlog {

class ReadResult {
 public:
  // For n records in up to `extents` extents and `bytes` bytes of their own memory. The count of owners starts at 1. Never null: the
  // process ends without memory.
  static ReadResult *create(std::uint32_t n, std::size_t bytes, std::uint32_t extents = 0);

  [[nodiscard]] const gantry_read_result *abi() const { return &result_; }
  [[nodiscard]] gantry_read_result &result() { return result_; }
  // Where the queue begins and ends, where to go on and why it stopped there, as the search for the records found it.
  void set_range(const gantry_read_result &found) {
    result_.next_off = found.next_off;
    result_.min_off = found.min_off;
    result_.max_off = found.max_off;
    result_.stop = found.stop;
  }
  [[nodiscard]] gantry_record *records() { return reinterpret_cast<gantry_record *>(this + 1); }
  [[nodiscard]] std::uint8_t *bytes() { return reinterpret_cast<std::uint8_t *>(pins() + max_pins_); }
  // Further memory that lives as long as the result, for one record. Never null.
  [[nodiscard]] std::uint8_t *add_bytes(std::size_t bytes);
  // The result holds these pins of the arena and keeps the arena itself alive. Once only.
  void hold(Arena &arena, std::uint64_t mask, std::uint64_t pinned_bytes);
  // The extent stays where it is as long as the result lives.
  void keep(ExtentRef extent);
  // Points the owner of all record spans here and sets n; call last.
  void seal(std::uint32_t n);
  void release() { owner_.release(&owner_); }

 private:
  ReadResult(std::uint32_t capacity, std::size_t bytes, std::uint32_t extents);
  ~ReadResult();
  [[nodiscard]] ExtentRef *pins() { return reinterpret_cast<ExtentRef *>(records() + capacity_); }
  static void on_retain(gantry_owner *owner) noexcept;
  static void on_release(gantry_owner *owner) noexcept;

  gantry_owner owner_{};  // first: a gantry_owner* is a ReadResult*
  gantry_read_result result_{};
  std::atomic<std::uint32_t> owners_{1};
  std::uint32_t capacity_, n_pins_ = 0, max_pins_;
  Arena *arena_ = nullptr;
  std::uint64_t mask_ = 0;
  struct Block {
    Block *next;
  };
  Block *blocks_ = nullptr;  // of add_bytes, each in front of its bytes
};
static_assert(sizeof(ReadResult) % alignof(gantry_record) == 0 && sizeof(gantry_record) % alignof(ExtentRef) == 0);

}  // namespace gantry::commitlog
