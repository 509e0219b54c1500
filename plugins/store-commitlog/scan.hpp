// Walks the frames of one segment on disk.
#pragma once

#include "core.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace gantry::commitlog {

// A window over a segment's file, moved forward with large reads.
class SegmentReader {
 public:
  SegmentReader(Files &files, const Segment &segment);
  // Bytes from `offset` on, at least `bytes` of them unless the segment ends. Valid until the next call. IO.
  [[nodiscard]] Result<std::span<const std::uint8_t>> at(std::int64_t offset, std::size_t bytes);
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Zeros were given in their place.
  [[nodiscard]] std::uint64_t unreadable_bytes() const { return unreadable_bytes_; }

 private:
  [[nodiscard]] std::int64_t read_around(std::int64_t begin, std::size_t bytes);

  Files &files_;
  const Segment &segment_;
  AlignedBuffer buffer_;
  std::int64_t begin_ = 0, end_ = 0;  // what the buffer holds
  std::uint64_t bytes_read_ = 0, unreadable_bytes_ = 0;
};

// What stands at a position of the segment.
enum class Found { kFrame, kFiller, kNothing, kDamagedFrame };  // kDamagedFrame: header holds, meta block or trailer does not

struct ScannedUnit {
  Found found = Found::kNothing;
  Unit unit;
  ParsedFrame frame;               // kFrame
  std::vector<std::uint8_t> bad;   // kFrame: per record, 1 = checksum wrong
  std::uint32_t bad_count = 0;
};

// verify_records: compare each record with its checksum.
[[nodiscard]] Result<void> scan_unit(SegmentReader &reader, const Segment &segment, LogPos pos, std::uint64_t min_epoch, bool verify_records, ScannedUnit *out);

// The next position after `pos`, below `limit`, where a valid frame header stands. [blocking: may]
[[nodiscard]] Result<std::optional<Unit>> find_frame(SegmentReader &reader, const Segment &segment, LogPos pos, LogPos limit, std::uint64_t min_epoch);

}  // namespace gantry::commitlog
