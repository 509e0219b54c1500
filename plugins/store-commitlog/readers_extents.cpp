// The readers' part of the extent cache: filling extents, verifying what lies in them, placing records.
#include "readers.hpp"

#include "mutation.hpp"
#include "run_file.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

namespace {
constexpr std::uint64_t kNamedBadRecords = 100;  // of these the log names the queue, which costs a walk through an index under the store's mutex
}

// Where the record's bytes are: *at in the extent *last, or copied to `to` when it lies across a border. kUnread: its extents cannot be
// read, or it differs from its checksum and was not tried twice yet.
Readers::Found Readers::place(const ColdRecord &record, LogPos stable, std::span<const LogPos> wanted, ExtentRef *last, std::uint8_t *to, const std::uint8_t **at) {
  const Segment &segment = *record.segment;
  const std::int64_t end = std::int64_t{record.offset} + record.bytes;
  std::int64_t pos = record.offset;
  const LogPos log_pos = segment.base + pos;
  bool across = false;
  for (std::uint8_t *copy = to; pos < end;) {
    const std::int64_t begin = align_down(pos, Extent::kBytes);
    if (*last == nullptr || (*last)->begin() != segment.base + begin) *last = extent_of(segment, begin, stable, wanted);
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

// Null: it cannot be read. Behind `stable` the log is still being written: such a stretch is read, but neither verified nor kept. Of `wanted` (extents of
// the same read, ascending) those that follow without a gap and are missing too are read with it.
ExtentRef Readers::extent_of(const Segment &segment, std::int64_t begin, LogPos stable, std::span<const LogPos> wanted) {
  const LogPos pos = segment.base + begin;
  const LogPos end = std::min(segment.end(), stable);
  if (segment.base + std::min(begin + Extent::kBytes, segment.bytes) > stable) return fill(segment, begin, false);
  if (ExtentRef extent = core_.extents.find_or_claim(pos)) return extent;
  std::uint32_t n = 1;
  const std::uint32_t most = core_.extents.ahead_count(Extent::kMaxTogether);
  for (auto next = std::upper_bound(wanted.begin(), wanted.end(), pos); next != wanted.end() && n < most; ++next, ++n) {
    if (*next != pos + n * Extent::kBytes || *next + Extent::kBytes > end || !core_.extents.claim(*next)) break;
  }
  if (n > 1) return fill_run(segment, begin, n, false);
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
    if (whole && compare(segment, rows, extent.get())) break;
  }
  if (!whole) return nullptr;
  for (const LogPos pos : extent->bad) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const RecordRow &r) { return segment.base + r.offset == pos; });
    report_bad(segment, pos, row->bytes());
  }
  keep_bases(std::move(rows), extent.get());
  extent->verified = known;
  return extent;
}

// Records that lie in the extent as a whole with their checksums; whoever reads the others compares them. False: some differ, they are extent->bad.
bool Readers::compare(const Segment &segment, const std::vector<RecordRow> &rows, Extent *extent) {
  extent->bad.clear();
  for (const RecordRow &row : rows) {
    const LogPos pos = segment.base + row.offset;
    if (pos + row.bytes() > extent->end()) continue;
    if (!mutated("checksum-of-records-when-read") && crc32c(extent->at(pos), row.bytes()) != row.crc) extent->bad.push_back(pos);
  }
  return extent->bad.empty();
}

void Readers::keep_bases(std::vector<RecordRow> rows, Extent *extent) {
  std::erase_if(rows, [](const RecordRow &row) { return row.bytes() < Extent::kMinBaseBytes && !row.refers(); });
  extent->bases.assign(rows.begin(), rows.end());  // not more memory than they need
}

// Extents that lie behind each other and are claimed, with one call. What is not as it should be then is read again alone. The first of them.
ExtentRef Readers::fill_run(const Segment &segment, std::int64_t begin, std::uint32_t n, bool ahead) {
  std::shared_ptr<Extent> extents[Extent::kMaxTogether];
  iovec pieces[Extent::kMaxTogether];
  for (std::uint32_t i = 0; i < n; ++i) {
    extents[i] = std::make_shared<Extent>(core_.extents.buffers(), segment.base + (begin + i * Extent::kBytes), Extent::kBytes);
    pieces[i] = {extents[i]->data(), static_cast<std::size_t>(Extent::kBytes)};
  }
  const std::int64_t got = core_.files->read_pieces(segment.file.get(), {pieces, n}, begin);
  for (std::uint32_t i = 0; i < n; ++i, begin += Extent::kBytes) {
    std::vector<RecordRow> rows;
    std::shared_ptr<Extent> &extent = extents[i];
    if (got < (i + 1) * Extent::kBytes || !rows_between(segment, begin, begin + Extent::kBytes, &rows) || !compare(segment, rows, extent.get())) {
      extent = fill(segment, begin, true);
    } else {
      keep_bases(std::move(rows), extent.get());
      extent->verified = true;
    }
    if (extent != nullptr && ahead) {
      extent->read_ahead = true;
      if (i > 0) extent->do_not_ask();
    }
    core_.extents.filled(segment.base + begin, extent != nullptr && extent->verified ? extent : nullptr);
  }
  return extents[0];
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

// Extents that are here already, or under way, are passed over. Those that are missing are read `count` together until enough lie ahead for the consumer to
// go on while the next ones are read.
void Readers::perform_ahead(LogPos begin, std::uint32_t count) {
  const std::uint32_t enough = count == 1 ? 1 : std::max(count, 2 * core_.extents.ahead_count());
  for (std::uint32_t there = 0; there < enough;) {
    SegmentRef segment;
    LogPos stable;
    {
      const std::lock_guard lock(core_.mutex);
      segment = core_.segments.find(begin);
      stable = std::min(core_.writer.done_pos(), core_.arena.hot_begin() + Extent::kBytes);
    }
    if (segment == nullptr) return;
    const LogPos end = std::min(segment->end(), stable);
    LogPos next = begin;
    std::uint32_t n = 0;
    for (; n < count && next + Extent::kBytes <= end && core_.extents.claim(next); ++n) next = next + Extent::kBytes;
    if (n > 0) {
      (void)fill_run(*segment, begin - segment->base, n, true);
    } else if (next + Extent::kBytes > end) {
      return;
    } else {
      n = 1;
      next = next + Extent::kBytes;
    }
    there += n;
    begin = next;
  }
}

void Readers::report_bad(const Segment &segment, LogPos pos, std::uint32_t bytes) {
  const std::string owner = ++core_.counters.bad_records <= kNamedBadRecords ? owner_of(segment, static_cast<std::uint32_t>(pos - segment.base)) : "";
  core_.log(GANTRY_LOG_ERROR, "record of " + std::to_string(bytes) + " bytes at log position " + std::to_string(pos.v) + " in " + segment.path + (owner.empty() ? "" : ", " + owner + ",") +
                                  " is damaged or cannot be read: it is skipped");
}

// The first queue that has the record which begins there, by going through all of the index; "" when none has. Not for the data path.
std::string Readers::owner_of(const Segment &segment, std::uint32_t offset) {
  std::unique_lock lock(core_.mutex);
  if (const SegmentIndex *index = segment.index.get()) {
    const std::uint32_t record = index->find_record(offset);
    for (const QueuePart *part : index->parts()) {
      for (std::uint32_t i = 0; i < part->count && record != kNoRecord; ++i) {
        if (part->at(i).record == record) return core_.name_of(part->queue, part->first + i);
      }
    }
    return "";
  }
  const std::shared_ptr<RunFile> run = segment.run;
  lock.unlock();
  if (run == nullptr || !run->verified()) return "";
  const std::uint32_t record = run->index().find_record(offset);
  for (const PartRow &part : run->index().parts()) {
    for (std::uint32_t i = 0; i < part.count && record != kNoRecord; ++i) {
      if (run->index().entry(part, i).record != record) continue;
      lock.lock();
      return core_.name_of(part.queue, {part.first_off + i});
    }
  }
  return "";
}

}  // namespace gantry::commitlog
