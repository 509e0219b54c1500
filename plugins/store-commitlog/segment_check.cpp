#include "segment_check.hpp"

#include <algorithm>
#include <map>

namespace gantry::commitlog {

using What = CheckFinding::What;
using Links = std::vector<std::pair<std::uint32_t, std::int64_t>>;  // queue handle, offset

SegmentCheck::SegmentCheck(Files &files, const Segment &segment, const RunFile *run, std::unordered_map<std::uint32_t, std::int64_t> *next_off, Sink sink)
    : files_(files), segment_(segment), run_(run), next_off_(*next_off), sink_(std::move(sink)), reader_(files, segment), pos_(segment.base) {}

Result<bool> SegmentCheck::step() {
  if (pos_ >= segment_.end()) return false;
  GANTRY_TRY(scan_unit(reader_, segment_, pos_, epoch_, true, &unit_));
  if (unit_.found == Found::kNothing || unit_.found == Found::kDamagedFrame) {
    GANTRY_TRY(damaged(unit_.found == Found::kDamagedFrame));
    return !log_ended_;
  }
  if (unit_.found == Found::kFrame) {
    // Its last write may have been cut off in the middle of a record: then the log ends before it.
    if (unit_.bad_count > 0 && !sink_.vouched(pos_)) {
      GANTRY_TRY(damaged(true));
      if (log_ended_) return false;
      GANTRY_TRY(scan_unit(reader_, segment_, pos_, epoch_, true, &unit_));
    }
    check_frame();
  }
  epoch_ = std::max(epoch_, unit_.unit.header.epoch);
  pos_ = pos_ + unit_.unit.bytes;
  return true;
}

// What stands at pos_ is no frame that holds. Goes on at the next one, or ends the log.
Result<void> SegmentCheck::damaged(bool sized) {
  const LogPos from = pos_ + (sized ? unit_.unit.bytes : kFrameAlign);
  const bool whole_frame = sized && unit_.found == Found::kFrame;
  bool complete = sink_.vouched(pos_);
  LogPos next = segment_.end(), at = from;
  std::int64_t behind = 0;
  for (bool first = true; at < segment_.end(); first = false) {
    Result<std::optional<Unit>> found = find_frame(reader_, segment_, at, segment_.end(), epoch_);
    if (!found) return std::move(found.error());
    if (!*found) break;
    const Unit &unit = **found;
    if (first) next = {unit.header.pos};
    complete |= unit.header.stable_pos > pos_.v || (unit.header.flags & kFrameEpochStart) != 0;
    if (complete) break;
    behind += unit.bytes;
    at = LogPos{unit.header.pos} + unit.bytes;
  }
  if (!complete) {
    log_ended_ = true;
    torn_bytes_ = behind + (sized ? unit_.unit.bytes : 0);
    return {};
  }
  if (whole_frame) return {};  // only records in it are damaged
  lost_range(next);
  pos_ = next;
  return {};
}

// The frames in [pos_, end) are gone. Records that a run knows can still be read if they fit their checksums.
void SegmentCheck::lost_range(LogPos end) {
  CheckFinding frame{What::kFrame, pos_, end - pos_, -1, {-1}, {-1}, 0};
  if (run_ == nullptr) {
    sink_.on_finding(frame);  // check_offsets finds the holes
    return;
  }
  const std::span<const RecordRow> rows = run_->index().records();
  const auto first = static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), pos_ - segment_.base, [](const RecordRow &row, std::int64_t o) { return row.offset < o; }) - rows.begin());
  std::size_t last = first;
  std::vector<bool> good;
  for (; last < rows.size() && rows[last].offset < end - segment_.base; ++last) {
    const RecordRow &row = rows[last];
    const Result<std::span<const std::uint8_t>> bytes = row.damaged() ? Result<std::span<const std::uint8_t>>(std::span<const std::uint8_t>()) : reader_.at(row.offset, row.bytes());
    good.push_back(bytes && bytes->size() >= row.bytes() && !row.damaged() && crc32c(bytes->data(), row.bytes()) == row.crc);
    frame.readable += good.back() ? 1 : 0;
  }
  run_at_ = last;
  sink_.on_finding(frame);
  for (const PartRow &part : run_->index().parts()) {
    CheckFinding lost{What::kInFrame, pos_, end - pos_, part.queue, {-1}, {-1}, 0};
    const auto flush = [&] {
      if (lost.begin.v >= 0) sink_.on_finding(lost);
      lost.begin = {-1};
    };
    for (std::uint32_t i = 0; i < part.count; ++i) {
      const std::uint32_t record = run_->index().entry(part, i).record;
      if (record == kNoRecord || record < first || record >= last) continue;
      const QueueOff offset{part.first_off + i};
      next_off_[part.queue] = std::max(next_off_[part.queue], offset.v + 1);  // told here, not as a hole
      if (good[record - first]) {
        flush();
        continue;
      }
      if (lost.begin.v < 0) lost.begin = offset;
      lost.end = offset + 1;
    }
    flush();
  }
}

void SegmentCheck::check_frame() {
  check_offsets();
  const ParsedFrame &frame = unit_.frame;
  std::vector<std::int64_t> next;
  for (const QueueRow &row : frame.queues) next.push_back(row.first_off);
  Links links;
  for (std::size_t i = 0; i < frame.records.size(); ++i) {
    const ParsedRecord &record = frame.records[i];
    const LogPos pos = pos_ + record.offset_in_frame;
    links.clear();
    for (std::uint32_t l = 0; l < record.n_links; ++l) links.emplace_back(frame.queues[record.link(l)].queue, next[record.link(l)]++);
    ++records_;
    bool known = false;
    find_in_run(record, unit_.bad[i] != 0, &known);
    if (unit_.bad[i] != 0) {
      tell(known ? What::kKnown : What::kRecord, pos, record.bytes, links);
    } else if (record.refers && sink_.stored) {
      check_base(record, pos, links);
    }
  }
  sink_.on_frame(unit_);
}

void SegmentCheck::tell(What kind, LogPos pos, std::int64_t bytes, const Links &links) {
  for (const auto &[queue, offset] : links) sink_.on_finding({kind, pos, bytes, queue, {offset}, {offset + 1}, 0});
}

// Offsets of a queue are dense: what is missing was in a frame that is gone.
void SegmentCheck::check_offsets() {
  for (const QueueRow &row : unit_.frame.queues) {
    const auto [at, fresh] = next_off_.try_emplace(row.queue, row.first_off);
    if (!fresh && row.first_off > at->second) {
      const What kind = known_lost(row.queue, at->second, row.first_off) ? What::kKnown : What::kInFrame;
      sink_.on_finding({kind, pos_, 0, row.queue, {at->second}, {row.first_off}, 0});
    }
    at->second = std::max(at->second, row.first_off + row.count);
  }
}

bool SegmentCheck::known_lost(std::uint32_t queue, std::int64_t begin, std::int64_t end) const {
  const PartRow *part = run_ != nullptr ? run_->index().find_part(queue) : nullptr;
  if (part == nullptr || begin < part->first_off || end > part->first_off + part->count) return false;
  for (std::int64_t offset = begin; offset < end; ++offset) {
    if (run_->index().entry(*part, static_cast<std::uint32_t>(offset - part->first_off)).record != kNoRecord) return false;
  }
  return true;
}

// The run has a row for each record of the log, in order. `known`: it says that this one is lost.
void SegmentCheck::find_in_run(const ParsedRecord &record, bool bad, bool *known) {
  if (run_ == nullptr) return;
  const std::span<const RecordRow> rows = run_->index().records();
  const auto offset = static_cast<std::uint32_t>(pos_ - segment_.base) + record.offset_in_frame;
  while (run_at_ < rows.size() && rows[run_at_].offset < offset) ++run_at_;  // in what a repair has made a filler of
  const bool there = run_at_ < rows.size() && rows[run_at_].offset == offset;
  if (there) {
    const RecordRow &row = rows[run_at_++];
    *known = row.damaged();
    if ((row.damaged() && bad) || (row.bytes() == record.bytes && row.crc == record.crc && row.refers() == record.refers)) return;
  }
  if (!std::exchange(run_doubted_, true)) sink_.on_finding({What::kRun, LogPos{segment_.base.v + offset}, 0, -1, {-1}, {-1}, 0});
}

void SegmentCheck::check_base(const ParsedRecord &record, LogPos pos, const Links &links) {
  const Result<std::span<const std::uint8_t>> own = reader_.at(pos - segment_.base, record.bytes);
  if (!own || own->size() < record.bytes) return;
  const std::optional<Reference> reference = parse_reference(own->data(), record.bytes, pos);
  if (reference) {
    const std::span<const std::uint8_t> base = sink_.stored({reference->base_pos}, reference->base_stored);
    if (base.size() == reference->base_stored && crc32c(base.data(), base.size()) == reference->base_crc) return;
  }
  tell(What::kBase, pos, record.bytes, links);
}

}  // namespace gantry::commitlog
