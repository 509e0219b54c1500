// The readers' part of the extent cache: filling extents, verifying what lies in them, placing records.
#include "readers.hpp"

#include "run_file.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

// Where the record's bytes are: *at in the extent *last, or copied to `to` when it lies across a border. kUnread: its extents cannot be
// read, or it differs from its checksum and was not tried twice yet.
Readers::Found Readers::place(const ColdRecord &record, LogPos stable, ExtentRef *last, std::uint8_t *to, const std::uint8_t **at) {
  const Segment &segment = *record.segment;
  const std::int64_t end = std::int64_t{record.offset} + record.bytes;
  std::int64_t pos = record.offset;
  const LogPos log_pos = segment.base + pos;
  bool across = false;
  for (std::uint8_t *copy = to; pos < end;) {
    const std::int64_t begin = align_down(pos, Extent::kBytes);
    if (*last == nullptr || (*last)->begin() != segment.base + begin) *last = extent_of(segment, begin, stable);
    if (*last == nullptr) return Found::kUnread;
    const Extent &extent = **last;
    const std::int64_t extent_end = extent.end() - segment.base;
    if (!across && end <= extent_end) {
      *at = extent.at(log_pos);
      if (extent.verified) return extent.is_bad(log_pos) ? Found::kBad : Found::kGood;
      return crc32c(*at, record.bytes) == record.crc ? Found::kGood : Found::kUnread;
    }
    if (extent_end <= pos) return Found::kUnread;
    across = true;
    const std::int64_t n = std::min(end, extent_end) - pos;
    std::memcpy(copy, extent.at(segment.base + pos), static_cast<std::size_t>(n));
    copy += n;
    pos += n;
  }
  *at = to;
  return crc32c(to, record.bytes) == record.crc ? Found::kGood : Found::kUnread;
}

// Null: it cannot be read. Behind `stable` the log is still being written: such a stretch is read, but neither verified nor kept.
ExtentRef Readers::extent_of(const Segment &segment, std::int64_t begin, LogPos stable) {
  const LogPos pos = segment.base + begin;
  if (segment.base + std::min(begin + Extent::kBytes, segment.bytes) > stable) return fill(segment, begin, false);
  if (ExtentRef extent = core_.extents.find_or_claim(pos)) return extent;
  const std::shared_ptr<Extent> extent = fill(segment, begin, true);
  core_.extents.filled(pos, extent != nullptr && extent->verified ? extent : nullptr);
  return extent;
}

// Read twice when the first time fails or does not match: some faults of disks pass.
std::shared_ptr<Extent> Readers::fill(const Segment &segment, std::int64_t begin, bool verify) {
  const std::int64_t end = std::min(begin + Extent::kBytes, segment.bytes);
  auto extent = std::make_shared<Extent>(core_.extents.buffers(), segment.base + begin, end - begin);
  std::vector<RecordRow> rows;
  const bool known = verify && rows_between(segment, begin, end, &rows);
  bool whole = false;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int64_t got = core_.files->read(segment.file.get(), extent->data(), static_cast<std::size_t>(align_up(end - begin, kBlock)), begin);
    whole = got >= end - begin;
    if (!whole) continue;
    extent->bad.clear();
    for (const RecordRow &row : rows) {
      if (std::int64_t{row.offset} + row.bytes() > end) continue;  // whoever reads it compares it
      if (crc32c(extent->at(segment.base + row.offset), row.bytes()) != row.crc) extent->bad.push_back(segment.base + row.offset);
    }
    if (extent->bad.empty()) break;
  }
  if (!whole) return nullptr;
  extent->verified = known;
  for (const RecordRow &row : rows) {
    if (extent->is_bad(segment.base + row.offset)) report_bad(segment, segment.base + row.offset, row.bytes());
  }
  std::erase_if(rows, [](const RecordRow &row) { return row.bytes() < Extent::kMinBaseBytes && !row.refers(); });
  extent->bases.assign(rows.begin(), rows.end());  // not more memory than they need
  return extent;
}

// Rows of the records that begin in the range. False: the segment's index is damaged.
bool Readers::rows_between(const Segment &segment, std::int64_t begin, std::int64_t end, std::vector<RecordRow> *rows) {
  const auto take = [&](const RecordRow &row) {
    if (!row.damaged() && std::int64_t{row.offset} + row.bytes() <= segment.bytes) rows->push_back(row);
  };
  std::shared_ptr<RunFile> run;
  {
    const std::lock_guard lock(core_.mutex);
    if (const SegmentIndex *index = segment.index.get()) {
      for (std::uint32_t i = index->first_record_from(static_cast<std::uint32_t>(begin)); i < index->record_count() && index->record(i).offset < end; ++i) {
        take(index->record(i));
      }
      return true;
    }
    run = segment.run;
  }
  if (run == nullptr || !run->verified()) return false;
  const std::span<const RecordRow> all = run->index().records();
  auto at = std::lower_bound(all.begin(), all.end(), begin, [](const RecordRow &row, std::int64_t offset) { return row.offset < offset; });
  for (; at != all.end() && at->offset < end; ++at) take(*at);
  return true;
}

// Only the blocks that the record lies in, so that a damaged place next to it does not matter.
bool Readers::read_direct(const ColdRecord &record, std::uint8_t *to) {
  const std::int64_t begin = align_down(std::int64_t{record.offset}, kBlock);
  const std::int64_t end = std::int64_t{record.offset} + record.bytes;
  const AlignedBuffer buffer(static_cast<std::size_t>(align_up(end, kBlock) - begin));
  if (core_.files->read(record.segment->file.get(), buffer.data(), buffer.size(), begin) < end - begin) return false;
  std::memcpy(to, buffer.data() + (record.offset - begin), record.bytes);
  return crc32c(to, record.bytes) == record.crc;
}

void Readers::perform_ahead(LogPos begin, std::uint32_t count) {
  for (; count > 0; --count) {
    SegmentRef segment;
    LogPos stable;
    {
      const std::lock_guard lock(core_.mutex);
      segment = core_.segments.find(begin);
      stable = std::min(core_.writer.done_pos(), core_.arena.hot_begin() + Extent::kBytes);
    }
    if (segment == nullptr) return;
    const std::int64_t offset = begin - segment->base;
    const LogPos end = segment->base + std::min(offset + Extent::kBytes, segment->bytes);
    if (end > stable) return;
    if (core_.extents.claim(begin)) {
      const std::shared_ptr<Extent> extent = fill(*segment, offset, true);
      if (extent != nullptr) extent->read_ahead = true;
      core_.extents.filled(begin, extent != nullptr && extent->verified ? extent : nullptr);
    }
    begin = end;
  }
}

void Readers::report_bad(const Segment &segment, LogPos pos, std::uint32_t bytes) {
  ++core_.counters.bad_records;
  core_.log(GANTRY_LOG_ERROR, "record of " + std::to_string(bytes) + " bytes at log position " + std::to_string(pos.v) + " in " + segment.path +
                                  " is damaged or cannot be read: it is skipped");
}

}  // namespace gantry::commitlog
