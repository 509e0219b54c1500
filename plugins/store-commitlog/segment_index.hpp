// In-memory index of one segment: its records in log order, and per queue the entries that point at them.
//
// The newest segment's index grows with every append; an older one is frozen until its run file is on disk and its bytes have left the
// arena, then freed whole. Memory comes from blocks of its own, nothing is freed piece by piece.
// Guarded by the store's mutex while it grows; a frozen index may be read without it.
#pragma once

#include "index_blocks.hpp"
#include "types.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gantry::commitlog {

inline constexpr std::int32_t kUnknownStoreMs = INT32_MIN;

// Store time of a record as difference to its segment's first; kUnknownStoreMs when it does not fit in 32 bits (24.8 days).
[[nodiscard]] inline std::int32_t store_ms_delta(std::int64_t first_ms, std::int64_t ms) {
  std::int64_t delta;
  if (__builtin_sub_overflow(ms, first_ms, &delta) || delta != static_cast<std::int32_t>(delta)) return kUnknownStoreMs;
  return static_cast<std::int32_t>(delta);
}

[[nodiscard]] inline std::int64_t store_ms_of(std::int64_t first_ms, std::int32_t delta) {  // 0 = unknown
  return delta == kUnknownStoreMs ? 0 : first_ms + delta;
}

struct RecordRow {
  static constexpr std::uint32_t kRefers = 1u << 31;  // the record begins with a Reference (format.hpp)

  std::uint32_t offset = 0;  // in the segment
  std::uint32_t size = 0;    // stored bytes and kRefers; 0: damaged, nothing to read
  std::uint32_t crc = 0;     // crc32c of the bytes
  std::int32_t store_ms_delta = 0;  // against the segment's first_store_ms

  [[nodiscard]] std::uint32_t bytes() const { return size & ~kRefers; }
  [[nodiscard]] bool refers() const { return (size & kRefers) != 0; }
  [[nodiscard]] bool damaged() const { return size == 0; }
};
static_assert(sizeof(RecordRow) == 16);

struct KeyRow {
  std::uint64_t hash = 0;
  std::uint32_t offset = 0;  // of the record in the segment
  std::uint32_t pad = 0;
};

struct Entry {
  std::int64_t tag = 0;
  std::uint32_t record = 0;  // row number, or kNoRecord
  std::uint32_t pad = 0;
};
inline constexpr std::uint32_t kNoRecord = 0xFFFFFFFFu;  // the record was lost with a damaged frame

// Entries of one queue in one segment; offsets are first, first + 1, ... Most queues are idle most of the time, so it starts small.
struct QueuePart {
  static constexpr std::uint32_t kFirst = 8, kSecond = 64, kRest = 512;

  std::uint32_t queue = 0, segment_no = 0;
  std::uint32_t count = 0, rest_capacity = 0;
  QueueOff first;
  Entry *c0 = nullptr, *c1 = nullptr;
  Entry **rest = nullptr;
  QueuePart *older = nullptr;  // the same queue in an older segment whose index is in memory too

  [[nodiscard]] const Entry &at(std::uint32_t i) const {
    if (i < kFirst) return c0[i];
    if (i < kFirst + kSecond) return c1[i - kFirst];
    const std::uint32_t j = i - kFirst - kSecond;
    return rest[j / kRest][j % kRest];
  }
};

class SegmentIndex {
 public:
  static constexpr std::uint32_t kRowsPerChunk = 2048, kKeysPerChunk = 2048;

  explicit SegmentIndex(std::uint32_t segment_no) : segment_no_(segment_no) {}
  ~SegmentIndex();
  SegmentIndex(const SegmentIndex &) = delete;
  SegmentIndex &operator=(const SegmentIndex &) = delete;

  [[nodiscard]] std::uint32_t segment_no() const { return segment_no_; }

  std::uint32_t add_record(const RecordRow &row) {
    const std::uint32_t i = record_count_++;
    if (i % kRowsPerChunk == 0) rows_.push_back(static_cast<RecordRow *>(allocate(sizeof(RecordRow) * kRowsPerChunk)));
    rows_[i / kRowsPerChunk][i % kRowsPerChunk] = row;
    return i;
  }
  [[nodiscard]] const RecordRow &record(std::uint32_t i) const { return rows_[i / kRowsPerChunk][i % kRowsPerChunk]; }
  [[nodiscard]] std::uint32_t record_count() const { return record_count_; }
  // Row of the record that begins at `offset`; kNoRecord when none does.
  [[nodiscard]] std::uint32_t find_record(std::uint32_t offset) const;
  // First row whose record begins at `offset` or behind it; record_count() when there is none.
  [[nodiscard]] std::uint32_t first_record_from(std::uint32_t offset) const;
  void mark_bad(std::uint32_t record) { rows_[record / kRowsPerChunk][record % kRowsPerChunk].size = 0; }

  [[nodiscard]] QueuePart *add_part(std::uint32_t queue, QueueOff first);
  void add_entry(QueuePart *part, std::uint32_t record, std::int64_t tag) {
    const std::uint32_t i = part->count;
    Entry *slot;
    if (i < QueuePart::kFirst) [[unlikely]] {
      slot = part->c0 + i;
    } else {
      slot = i % QueuePart::kRest == (QueuePart::kFirst + QueuePart::kSecond) % QueuePart::kRest || i == QueuePart::kFirst
                 ? grow(part)
                 : const_cast<Entry *>(&part->at(i));
    }
    *slot = {tag, record, 0};
    part->count = i + 1;
  }
  void add_key(std::uint64_t hash, std::uint32_t offset) {
    if (key_count_ % kKeysPerChunk == 0) keys_.push_back(static_cast<KeyRow *>(allocate(sizeof(KeyRow) * kKeysPerChunk)));
    keys_.back()[key_count_++ % kKeysPerChunk] = {hash, offset, 0};
  }
  [[nodiscard]] const KeyRow &key(std::uint32_t i) const { return keys_[i / kKeysPerChunk][i % kKeysPerChunk]; }
  [[nodiscard]] std::uint32_t key_count() const { return key_count_; }

  [[nodiscard]] const std::vector<QueuePart *> &parts() const { return parts_; }
  // The memory of rows and keys, which stays where it is until the index is freed.
  void chunks(std::vector<const RecordRow *> *records, std::vector<const KeyRow *> *keys) const {
    records->insert(records->end(), rows_.begin(), rows_.end());
    keys->insert(keys->end(), keys_.begin(), keys_.end());
  }
  [[nodiscard]] std::uint64_t memory_bytes() const;

 private:
  void *allocate(std::size_t bytes);
  Entry *grow(QueuePart *part);

  const std::uint32_t segment_no_;
  std::uint32_t record_count_ = 0, key_count_ = 0;
  std::vector<RecordRow *> rows_;  // in blocks
  std::vector<KeyRow *> keys_;
  std::vector<QueuePart *> parts_;
  std::vector<std::byte *> blocks_;  // of IndexBlocks::kBlockBytes, the last one in use
  struct BigBlock {
    std::byte *block;
    std::size_t bytes;
  };
  std::vector<BigBlock> big_blocks_;
  std::size_t block_left_ = 0;
};

}  // namespace gantry::commitlog
