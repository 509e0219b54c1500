// A fixed stretch of a segment's index, readable without the store's mutex while the index itself grows on.
#pragma once

#include "files.hpp"
#include "segment_index.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace gantry::commitlog {

struct IndexView {
  std::vector<const RecordRow *> record_chunks;
  std::vector<const KeyRow *> key_chunks;
  std::vector<QueuePart> parts;  // copies, sorted by queue: their counts do not grow
  std::uint32_t record_count = 0, key_count = 0;
  std::uint32_t base_reach = 0;  // base_reach_of(the segment)

  [[nodiscard]] const RecordRow &record(std::uint32_t i) const {
    return record_chunks[i / SegmentIndex::kRowsPerChunk][i % SegmentIndex::kRowsPerChunk];
  }
  [[nodiscard]] const KeyRow &key(std::uint32_t i) const { return key_chunks[i / SegmentIndex::kKeysPerChunk][i % SegmentIndex::kKeysPerChunk]; }
  // kNoRecord: none begins at this offset.
  [[nodiscard]] std::uint32_t find_record(std::uint32_t offset) const;
};

// What lies before `end` (an offset in the segment). visible_end gives the first offset of a queue that must not be included; a negative
// one leaves the queue out. Mutex held when the index still grows.
[[nodiscard]] IndexView view_of(const SegmentIndex &index, std::int64_t end, const std::function<QueueOff(std::uint32_t queue)> &visible_end);
// The same without parts.
[[nodiscard]] IndexView rows_and_keys_of(const SegmentIndex &index, std::int64_t end);
[[nodiscard]] IndexView whole_view(const SegmentIndex &index);

// How far the references of a segment lead: from its end back, in blocks; 0: it has none.
[[nodiscard]] std::uint32_t base_reach_of(LogPos segment_end, LogPos oldest_base);
[[nodiscard]] LogPos oldest_base_of(LogPos segment_end, std::uint32_t base_reach);  // the block it lies in
// A reference may lead from this segment to that position at all.
[[nodiscard]] bool is_in_reach(LogPos segment_end, LogPos base);

// ---- the same as bytes, in run files and checkpoints

struct PartRow {  // sorted by queue
  std::uint32_t queue = 0;
  std::uint32_t count = 0;
  std::int64_t first_off = 0;
  std::uint64_t entries_at = 0;  // in the entries section
  std::uint32_t wide_and_bytes = 0;  // bit 0: entries are {u32 record, u32 0, i64 tag}, else {u32 record, i32 tag}; the rest, in runs: bytes stored of its
                                     // records, 0 when not known
  std::int32_t first_store_ms_delta = kUnknownStoreMs;  // of its first record

  [[nodiscard]] bool wide() const { return (wide_and_bytes & 1) != 0; }
  [[nodiscard]] std::uint32_t bytes() const { return wide_and_bytes >> 1; }
};
static_assert(sizeof(PartRow) == 32);

struct IndexSections {  // in this order: RecordRow[], PartRow[], entries, KeyRow[] sorted by hash; each begins at a multiple of 64
  std::uint64_t records_at = 0, parts_at = 0, entries_at = 0, keys_at = 0, end = 0;
  std::uint32_t record_count = 0, part_count = 0, key_count = 0, base_reach = 0;
  std::uint32_t records_crc = 0, parts_crc = 0, entries_crc = 0, keys_crc = 0;
};
static_assert(sizeof(IndexSections) == 72);

// bytes_of_parts: fill in PartRow::bytes; older builds take a section with them for damaged.
[[nodiscard]] IndexSections put_index(FileBuilder &out, const IndexView &view, bool bytes_of_parts);

// By hash, then offset; what key queries search in.
void sort_keys(std::vector<KeyRow> &keys);

// Reads sections that are in memory or mapped. Checks sizes and places, so that accessors need not.
class IndexReader {
 public:
  IndexReader() = default;
  // False: places or counts do not fit in `bytes`.
  [[nodiscard]] bool attach(const std::uint8_t *base, std::uint64_t bytes, const IndexSections &sections);
  [[nodiscard]] bool parts_hold() const;    // checksum of the directory and sanity of its rows
  [[nodiscard]] bool entries_hold() const;  // checksums of the rest

  [[nodiscard]] std::uint32_t base_reach() const { return sections_.base_reach; }
  [[nodiscard]] std::span<const RecordRow> records() const { return records_; }
  [[nodiscard]] std::span<const PartRow> parts() const { return parts_; }
  [[nodiscard]] std::span<const KeyRow> keys() const { return keys_; }
  // Null: the queue does not occur.
  [[nodiscard]] const PartRow *find_part(std::uint32_t queue) const;
  [[nodiscard]] Entry entry(const PartRow &part, std::uint32_t i) const;
  // kNoRecord: none begins at this offset.
  [[nodiscard]] std::uint32_t find_record(std::uint32_t offset) const;

 private:
  IndexSections sections_;
  const std::uint8_t *base_ = nullptr;
  std::span<const RecordRow> records_;
  std::span<const PartRow> parts_;
  std::span<const KeyRow> keys_;
};

}  // namespace gantry::commitlog
