#include "log_scan.hpp"

#include "mutation.hpp"
#include "run_file.hpp"
#include "segment_files.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
// More than the writes in flight can cover in one segment, and a bound for what a start reads behind the end of the log.
constexpr std::int64_t kLookAhead = 32ll << 20;
constexpr std::int64_t kLookIntoNext = 1ll << 20;
// Behind a clean end: the first frame of the next life stands in the next block, if there is one, and others right behind it.
constexpr std::int64_t kLookBehindClean = 1ll << 20;
}  // namespace

Result<void> LogScan::run(const std::vector<SegmentRef> &segments, const Checkpoint *checkpoint) {
  segments_ = segments;
  for (std::size_t i = 0; i < segments_.size(); ++i) segments_[i]->no = static_cast<std::uint32_t>(i);
  pos_ = segments_.front()->base;
  std::size_t first = 0;
  if (checkpoint != nullptr) {
    pos_ = known_stable_ = {checkpoint->head.pos};
    epoch_ = checkpoint->head.epoch;
    clean_ = checkpoint->head.clean != 0;
    end_of_clean_ = pos_;
    if (pos_.v % kBlock != 0) frame_end_ = pos_;  // only frames end within a block
    while (first + 1 < segments_.size() && segments_[first + 1]->base <= pos_) ++first;
  }
  GANTRY_TRY(flush_from(first));
  for (std::size_t i = 0; i < first; ++i) GANTRY_TRY(keep_or_rebuild(segments_[i]));
  for (std::size_t i = first; i < segments_.size(); ++i) {
    Result<Step> step = scan_segment(i, checkpoint);
    if (!step) return std::move(step.error());
    last_no_ = segments_[i]->no;
    if (*step == Step::kEnd) break;
  }
  end_ = pos_;
  return {};
}

// After a kill the log behind the checkpoint may be in the page cache alone. What is read of it now counts as flushed from here on: runs and checkpoints list
// it, durable records follow it.
Result<void> LogScan::flush_from(std::size_t first) {
  for (std::size_t i = first; i < segments_.size(); ++i) {
    if (const int rc = mutated("flush-at-the-start") ? 0 : core_.files->sync(segments_[i]->file.get()); rc != 0) return file_error("flush of", segments_[i]->path, rc);
    // Had a flush failed before, the kernel would call its pages clean, show them, and never write them.
    if (!mutated("forget-after-failed-flushes")) (void)core_.files->forget(segments_[i]->file.get());
  }
  return {};
}

// A segment wholly before the checkpoint: only its index is wanted.
Result<void> LogScan::keep_or_rebuild(const SegmentRef &segment) {
  Result<std::shared_ptr<RunFile>> run = run_of(*segment);
  if (run) {
    segment->run = std::move(*run);
    return {};
  }
  if (!index_stays_) core_.log(GANTRY_LOG_WARN, run.error().text + ": rebuilding it from " + segment->path);
  segment->index = std::make_unique<SegmentIndex>(segment->no);
  IndexBuilder builder(*segment);
  const LogPos pos = pos_;
  const std::uint64_t epoch = epoch_;
  const std::optional<LogPos> frame_end = frame_end_;
  pos_ = segment->base;
  epoch_ = 0;
  frame_end_.reset();
  apply_meta_ = false;
  Result<Step> step = walk(segment->no, &builder, segment->end());
  apply_meta_ = true;
  pos_ = pos;
  epoch_ = epoch;
  frame_end_ = frame_end;
  if (!step) return std::move(step.error());
  bad_records_ += builder.lost_entries();
  report_losses(builder, *segment);
  return seal(segment);
}

Result<std::shared_ptr<RunFile>> LogScan::rebuild(LogPos base) {
  Result<SegmentRef> segment = open_segment(core_, base);  // of its own: the live one is not ours to change
  if (!segment) return std::move(segment.error());
  segments_ = {*segment};
  known_stable_ = (*segment)->end();
  GANTRY_TRY(RunFile::remove(core_, base));
  GANTRY_TRY(keep_or_rebuild(*segment));
  if ((*segment)->run == nullptr) return Error{GANTRY_E_NO_SPACE, "no space for the index run of " + (*segment)->path};
  return (*segment)->run;
}

Result<LogScan::Step> LogScan::scan_segment(std::size_t i, const Checkpoint *checkpoint) {
  const SegmentRef &segment = segments_[i];
  pos_ = std::max(pos_, segment->base);
  Result<std::shared_ptr<RunFile>> run = run_of(*segment);
  if (!run && run.error().code != GANTRY_E_NOT_FOUND) core_.log(GANTRY_LOG_WARN, run.error().text + ": rebuilding it from " + segment->path);
  if (run) {
    const LogPos from = pos_;
    const std::uint64_t epoch = epoch_, cut = cut_bytes_, bad = bad_records_, scanned = scanned_bytes_;
    const std::optional<LogPos> frame_end = frame_end_;
    Result<Step> step = walk(i, nullptr, segment->end());
    if (!step) return step;
    if (*step == Step::kNext) {
      segment->run = std::move(*run);
      return step;
    }
    // The run covers more than the log has left. It must not be met again once the log has grown past its end.
    GANTRY_TRY(RunFile::remove(core_, segment->base));
    pos_ = from;
    epoch_ = epoch;
    frame_end_ = frame_end;
    cut_bytes_ = cut;
    bad_records_ = bad;
    scanned_bytes_ = scanned;
  }
  segment->index = std::make_unique<SegmentIndex>(segment->no);
  IndexBuilder builder(*segment);
  if (checkpoint != nullptr && checkpoint->head.index_base == segment->base.v) {
    builder.load(checkpoint->index, checkpoint->head.first_store_ms, checkpoint->head.last_store_ms);
  } else {
    if (pos_ > segment->base) frame_end_.reset();
    epoch_ = pos_ > segment->base ? 0 : epoch_;
    pos_ = segment->base;  // operations before the checkpoint are applied again, with the same result
  }
  Result<Step> step = walk(i, &builder, segment->end());
  if (!step) return step;
  bad_records_ += builder.lost_entries();
  report_losses(builder, *segment);
  const bool more = i + 1 < segments_.size() && *step == Step::kNext;
  if (more) GANTRY_TRY(seal(segment));
  return step;
}

// Units from pos_ on, up to stop_at. kNext: came to the segment's end.
Result<LogScan::Step> LogScan::walk(std::size_t i, IndexBuilder *builder, LogPos stop_at) {
  const Segment &segment = *segments_[i];
  SegmentReader reader(*core_.files, segment);
  Result<Step> step = walk_with(reader, i, builder, stop_at);
  if (reader.unreadable_bytes() > 0) {
    core_.log(GANTRY_LOG_ERROR, std::to_string(reader.unreadable_bytes()) + " bytes of log file " + segment.path + " cannot be read: what was stored there is lost; check the disk");
  }
  return step;
}

Result<LogScan::Step> LogScan::walk_with(SegmentReader &reader, std::size_t i, IndexBuilder *builder, LogPos stop_at) {
  const SegmentRef &segment = segments_[i];
  ScannedUnit unit;
  while (pos_ < stop_at) {
    if (Result<void> done = scan_unit(reader, *segment, pos_, epoch_, builder != nullptr, &unit); !done) return std::move(done.error());
    const bool holds = unit.found == Found::kFiller || (unit.found == Found::kFrame && unit.bad_count == 0);
    if (!holds) {
      const bool clean_end = clean_ && pos_ == end_of_clean_ && unit.found == Found::kNothing;
      if (mutated("rot-behind-a-clean-end") && clean_end) return Step::kEnd;
      const bool sized = unit.found == Found::kFrame || unit.found == Found::kDamagedFrame;
      Result<Evidence> seen = look_ahead(i, pos_, pos_ + (sized ? unit.unit.bytes : kFrameAlign), clean_end ? kLookBehindClean : kLookAhead);
      if (!seen) return std::move(seen.error());
      if (!seen->complete) {
        cut_bytes_ += (sized ? unit.unit.bytes : 0) + seen->bytes;
        return Step::kEnd;
      }
      if (unit.found != Found::kFrame) {
        const bool here = seen->segment && *seen->segment == i;
        const LogPos next = here ? seen->next : stop_at;
        report_damage(pos_, next);
        pos_ = next;
        frame_end_.reset();
        continue;
      }
      report_damage(pos_, pos_ + unit.unit.bytes);
      bad_records_ += unit.bad_count - 1;  // report_damage counted one
    }
    if (unit.found == Found::kFrame && one_is_missing_before(unit.unit.header)) {
      const LogPos missing = *frame_end_;
      Result<Evidence> seen = look_ahead(i, missing, pos_, kLookAhead);
      if (!seen) return std::move(seen.error());
      if (!seen->complete) {
        cut_bytes_ += seen->bytes;
        return Step::kEnd;
      }
      report_damage(missing, pos_);
    }
    if (unit.found == Found::kFrame) {
      apply(unit, builder);
      frame_end_ = pos_ + unit.unit.bytes;
    }
    epoch_ = std::max(epoch_, unit.unit.header.epoch);
    pos_ = pos_ + unit.unit.bytes;
    scanned_bytes_ += unit.unit.bytes;
  }
  return Step::kNext;
}

// The filler that led here is older than a frame that stood in its place.
bool LogScan::one_is_missing_before(const FrameHeader &header) const {
  const std::optional<LogPos> end = end_before(header);
  return !mutated("gaps-between-frames") && end && frame_end_ && *end != *frame_end_ && (header.flags & kFrameEpochStart) == 0;
}

// Is there proof that what stood at `bad` had been completely written? Looks from `from` on for frames that hold.
Result<LogScan::Evidence> LogScan::look_ahead(std::size_t i, LogPos bad, LogPos from, std::int64_t reach) {
  Evidence evidence;
  evidence.complete = bad < known_stable_;
  if (mutated("torn-or-rotten")) return evidence;
  for (std::size_t s = i; s < segments_.size(); ++s) {
    const Segment &segment = *segments_[s];
    SegmentReader reader(*core_.files, segment);
    LogPos at = s == i ? from : segment.base;
    const LogPos limit = evidence.complete ? segment.end() : at + (s == i ? reach : kLookIntoNext);
    while (at < limit && at < segment.end()) {
      Result<std::optional<Unit>> found = find_frame(reader, segment, at, limit, epoch_);
      if (!found) return std::move(found.error());
      if (!*found) break;
      const Unit &unit = **found;
      if (!evidence.segment) {
        evidence.segment = s;
        evidence.next = {unit.header.pos};
      }
      evidence.bytes += unit.bytes;
      const bool vouches = unit.header.stable_pos > bad.v || (unit.header.flags & kFrameEpochStart) != 0;
      evidence.complete |= vouches;
      if (evidence.complete) return evidence;
      at = LogPos{unit.header.pos} + unit.bytes;
    }
  }
  return evidence;
}

void LogScan::apply(const ScannedUnit &unit, IndexBuilder *builder) {
  known_stable_ = std::max(known_stable_, LogPos{unit.frame.header.stable_pos});
  if (apply_meta_) {
    apply_ops(unit.frame.ops);
    // The frame that names a queue may be lost, while one with its records is not. A queue that is made later must not be taken for it.
    for (const QueueRow &row : unit.frame.queues) {
      if (!mutated("handles-of-nameless-queues")) core_.queues.note_given(row.queue);
    }
  }
  if (builder != nullptr) builder->add(unit.frame, unit.bad);
}

void LogScan::apply_ops(const std::vector<MetaOp> &ops) {
  for (const MetaOp &op : ops) {
    const std::string_view key(op.key, op.key_bytes), value(op.value, op.value_bytes);
    switch (static_cast<MetaOpKind>(op.op)) {
      case MetaOpKind::kPut: core_.rows.put(key, value); break;
      case MetaOpKind::kDelete: core_.rows.remove(key); break;
      case MetaOpKind::kQueueNew: {
        QueueNewValue queue;
        if (value.size() != sizeof queue) break;
        std::memcpy(&queue, value.data(), sizeof queue);
        (void)core_.queues.add_at(queue.handle, key, queue.queue_no, queue.kind);  // false: known from the checkpoint already
        break;
      }
      case MetaOpKind::kQueueDrop: {
        std::uint32_t handle;
        if (value.size() != sizeof handle) break;
        std::memcpy(&handle, value.data(), sizeof handle);
        core_.queues.drop(handle);
        break;
      }
    }
  }
}

// What lies in runs is older than what lies in memory, in all that reads: behind an index that stays in memory no run counts. The background writes it again.
Result<std::shared_ptr<RunFile>> LogScan::run_of(const Segment &segment) const {
  if (index_stays_) return Error{GANTRY_E_NOT_FOUND, "the index of an older log file than " + segment.path + " is in memory"};
  return RunFile::open(core_, segment.base, segment.bytes);
}

// The segment's index goes into a run; without space for it, it stays in memory and the background tries again.
Result<void> LogScan::seal(const SegmentRef &segment) {
  if (index_stays_) return {};
  IndexView view = whole_view(*segment->index);
  view.base_reach = base_reach_of(segment->end(), segment->oldest_base);
  const Result<void> written = RunFile::write(core_, segment->base, segment->bytes, segment->first_store_ms, segment->last_store_ms, view);
  if (!written) {
    if (written.error().code != GANTRY_E_NO_SPACE) return written.error();
    core_.log(GANTRY_LOG_WARN, written.error().text + "; the index of " + segment->path + " stays in memory, and those of the log files behind it");
    index_stays_ = !mutated("runs-are-older-than-memory");
    return {};
  }
  Result<std::shared_ptr<RunFile>> run = RunFile::open(core_, segment->base, segment->bytes);
  if (!run) return std::move(run.error());
  segment->run = std::move(*run);
  segment->index.reset();
  return {};
}

void LogScan::report_losses(const IndexBuilder &builder, const Segment &segment) {
  for (const IndexBuilder::Loss &loss : builder.losses()) {
    const std::string which = core_.name_of(loss.queue, loss.first) + (loss.count > 1 ? " and the " + std::to_string(loss.count - 1) + " behind it" : "");
    core_.log(GANTRY_LOG_ERROR, "lost by damage of " + segment.path + ": " + which +
                                    (loss.pos.v >= 0 ? ", at log position " + std::to_string(loss.pos.v) + ", differs from its checksum" : ", of a frame that does not hold"));
  }
  if (builder.losses().size() == IndexBuilder::kMostLosses) core_.log(GANTRY_LOG_ERROR, "and perhaps more in " + segment.path);
}

void LogScan::report_damage(LogPos from, LogPos to) {
  ++bad_records_;
  core_.log(GANTRY_LOG_ERROR, "the log is damaged between positions " + std::to_string(from.v) + " and " + std::to_string(to.v) +
                                  ": what was stored there is lost or partly lost, all else is kept");
}

}  // namespace gantry::commitlog
