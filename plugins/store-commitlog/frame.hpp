// One frame on its way: open while records are added, then closed, written, done, acknowledged, released.
#pragma once

#include "format.hpp"
#include "segment.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace gantry::commitlog {

// Bytes with room asked for ahead, so that a record's row is written without a check per field.
class RowBuffer {
 public:
  std::uint8_t *reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_.get() + size_;
  }
  void commit(const std::uint8_t *end) { size_ = static_cast<std::size_t>(end - data_.get()); }
  void clear() { size_ = 0; }
  [[nodiscard]] const std::uint8_t *data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void grow(std::size_t bytes) {
    const std::size_t capacity = std::max<std::size_t>(2 * capacity_, size_ + bytes + 4096);
    auto data = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
    if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

struct CompletionRun {  // consecutive completions for one queue
  gantry_cq cq = 0;
  std::uint32_t count = 0;
};

struct Frame {
  Segment *segment = nullptr;  // live for as long as the frame: the newest segments are never dropped
  LogPos start, end;           // end of its bytes; set on close
  LogPos next;                 // where the log goes on: end, or the end of the stretch a filler covers
  std::uint32_t room = 0;      // most bytes it may have before the next boundary
  std::uint32_t body = 0;      // header and records so far
  std::uint32_t side = 0;      // meta block and trailer so far, with their heads
  std::uint32_t record_count = 0, meta_count = 0, flags = 0;
  std::int64_t first_store_ms = 0, last_store_ms = 0;
  std::vector<QueueRow> queues;
  RowBuffer rows;
  std::vector<std::uint8_t> meta;
  std::uint32_t durability = GANTRY_DURABILITY_MEMORY;  // strongest asked for
  bool dsync = false, submitted = false, done = false, acked = false;
  std::int64_t error = 0;  // -errno of its write
  LogPos flush_to;         // before it may be acknowledged, all before this position must be flushed

  // Requests to complete, ready to push.
  std::vector<gantry_cqe> cqes;
  std::vector<CompletionRun> runs;

  void add_completion(gantry_cq cq, const gantry_cqe &cqe) {
    if (cq == 0) return;
    if (runs.empty() || runs.back().cq != cq) [[unlikely]] runs.push_back({cq, 0});
    ++runs.back().count;
    cqes.push_back(cqe);
  }
  [[nodiscard]] bool has_content() const { return record_count > 0 || meta_count > 0 || flags != 0; }
  void reset() {  // keeps the capacities
    queues.clear();
    rows.clear();
    meta.clear();
    cqes.clear();
    runs.clear();
    segment = nullptr;
    body = side = record_count = meta_count = flags = 0;
    first_store_ms = last_store_ms = error = 0;
    durability = GANTRY_DURABILITY_MEMORY;
    dsync = submitted = done = acked = false;
    start = end = next = flush_to = {};
  }
};

}  // namespace gantry::commitlog
