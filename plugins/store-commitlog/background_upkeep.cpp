// Background work on what is already in the log: runs, checkpoints, retention.
#include "background.hpp"

#include "consumption.hpp"
#include "mutation.hpp"
#include "run_file.hpp"
#include "segment_files.hpp"

#include <algorithm>
#include <ctime>

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kRetryMs = 5000;
constexpr std::uint64_t kCheckpointShare = 8;      // a checkpoint may cost an eighth of the log written since the last one
constexpr std::size_t kPartsPerLock = 2048;
}  // namespace

// ---- runs

void Background::seal_segments() {
  while (!stop_ && core_.host.now_ms() >= next_seal_ms_) {
    SegmentRef segment;
    {
      const std::lock_guard lock(core_.mutex);
      for (const SegmentRef &each : core_.segments.live) {
        if (!each->sealed || each->run != nullptr) continue;
        if (core_.writer.done_pos() >= each->end() && !core_.writer.fenced()) segment = each;
        break;  // runs are written oldest first
      }
    }
    if (segment == nullptr) return;
    if (!mutated("flush-before-runs")) {
      flush();  // a run must not outlive the records it lists
      const std::lock_guard lock(core_.mutex);
      if (core_.writer.fenced() && !mutated("runs-behind-failed-flushes")) return;
    }
    IndexView view = whole_view(*segment->index);
    view.base_reach = base_reach_of(segment->end(), segment->oldest_base);  // nothing is added to a sealed segment
    const Result<void> written = RunFile::write(core_, segment->base, segment->bytes, segment->first_store_ms, segment->last_store_ms, view);
    Result<std::shared_ptr<RunFile>> run = written ? RunFile::open(core_, segment->base, segment->bytes) : Result<std::shared_ptr<RunFile>>(written.error());
    if (!run) {
      next_seal_ms_ = core_.host.now_ms() + kRetryMs;
      core_.log(GANTRY_LOG_WARN, run.error().text + "; the index of " + segment->path + " stays in memory");
      return;
    }
    const std::lock_guard lock(core_.mutex);
    segment->run = std::move(*run);
  }
}

// An index leaves memory when its run is there and no record of it is in the arena: reads of hot records stay free of disk.
void Background::free_cold_indexes() {
  for (;;) {
    SegmentRef segment;
    {
      const std::lock_guard lock(core_.mutex);
      for (const SegmentRef &each : core_.segments.live) {
        if (each->index == nullptr) continue;
        if (each->sealed && each->run != nullptr && core_.arena.hot_begin() >= each->end()) segment = each;
        break;
      }
    }
    if (segment == nullptr) return;
    free_index(segment);
  }
}

// Moves each queue of the oldest segment in memory over to the run, some at a time so that the shard never waits long.
void Background::free_index(const SegmentRef &segment) {
  const std::vector<QueuePart *> &parts = segment->index->parts();
  for (std::size_t i = 0; i < parts.size(); i += kPartsPerLock) {
    const std::lock_guard lock(core_.mutex);
    for (std::size_t j = i; j < std::min(parts.size(), i + kPartsPerLock); ++j) {
      QueuePart *part = parts[j];
      QueueState *queue = core_.queues.get(part->queue);
      if (queue == nullptr) continue;
      QueuePart **link = &queue->part;
      while (*link != nullptr && *link != part) link = &(*link)->older;
      if (*link == nullptr) continue;
      *link = nullptr;
      const std::uint32_t first = part->at(0).record;
      const std::int64_t first_ms = first != kNoRecord ? store_ms_of(segment->first_store_ms, segment->index->record(first).store_ms_delta) : 0;
      queue->add_ref({segment->no, part->count, part->first, first_ms});
    }
  }
  std::shared_ptr<SegmentIndex> index;
  const std::lock_guard lock(core_.mutex);
  index = std::move(segment->index);
}

// ---- checkpoints

void Background::checkpoint_if_due() {
  const std::int64_t now_ms = core_.host.now_ms();
  bool due;
  {
    const std::lock_guard lock(core_.mutex);
    due = !core_.stopping && (force_checkpoint_ || core_.writer.done_pos() >= core_.checkpoint_due);
  }
  if (!due || now_ms < next_checkpoint_ms_) return;
  const bool written = checkpoint(false);
  const std::uint64_t every = std::max(static_cast<std::uint64_t>(core_.options.checkpoint_bytes), kCheckpointShare * last_checkpoint_bytes_);
  const std::lock_guard lock(core_.mutex);
  core_.checkpoint_due = written ? core_.checkpoint_pos + static_cast<std::int64_t>(every) : core_.writer.done_pos() + static_cast<std::int64_t>(every / 16);
}

// What a recovery from done_pos needs. False: not now, requests for `memory` are acknowledged beyond what is written.
bool Background::take_snapshot(bool clean, CheckpointSnapshot *out) {
  const LogPos pos = core_.writer.done_pos();
  if (core_.writer.fenced() || core_.writer.acked_pos() != pos) return false;
  if (clean && !core_.writer.idle()) return false;
  SegmentRef segment = core_.segments.find(pos);
  if (segment == nullptr) segment = core_.segments.live.back();
  if (segment->index == nullptr) return false;
  CheckpointHead &head = out->head;
  head.clean = clean ? 1 : 0;
  head.generation = core_.checkpoint_generation + 1;
  head.pos = pos.v;
  head.epoch = core_.writer.epoch();
  head.log_begin = core_.segments.oldest_readable()->base.v;
  head.index_base = segment->base.v;
  head.index_segment_bytes = segment->bytes;
  head.first_store_ms = segment->first_store_ms;
  head.last_store_ms = segment->last_store_ms;
  head.next_queue = core_.queues.size();
  out->queues.reserve(core_.queues.alive());
  for (gantry_queue handle = 0; handle < core_.queues.size(); ++handle) {
    const QueueState *queue = core_.queues.get(handle);
    if (queue == nullptr) continue;
    const std::string &topic = core_.queues.topic_of(*queue);
    out->queues.push_back({{static_cast<std::uint32_t>(handle), queue->queue_no, queue->kind, static_cast<std::uint32_t>(topic.size()), queue->visible.v}, &topic});
  }
  out->index = view_of(*segment->index, pos - segment->base, [&](std::uint32_t queue) {
    const QueueState *state = core_.queues.get(queue);
    return state != nullptr ? state->visible : QueueOff{-1};
  });
  out->index.base_reach = base_reach_of(segment->end(), segment->oldest_base);
  return true;
}

bool Background::checkpoint(bool clean) {
  const std::lock_guard rows_lock(core_.rows_mutex);
  CheckpointSnapshot snapshot;
  std::vector<std::uint8_t> ops;
  std::uint64_t count = 0;
  {
    const std::lock_guard lock(core_.mutex);
    if (!take_snapshot(clean, &snapshot)) return false;
    core_.writer.take_acknowledged_meta(&ops, &count);
  }
  if (count > 0) core_.counters.meta_rows = core_.rows.apply(ops, count);
  if (!mutated("flush-before-checkpoints")) flush();  // a checkpoint must not outlive the records it lists
  {
    const std::lock_guard lock(core_.mutex);
    if (core_.writer.fenced()) return false;
  }
  const Result<std::uint64_t> bytes = write_checkpoint(core_, snapshot, core_.rows);
  if (!bytes) {
    next_checkpoint_ms_ = core_.host.now_ms() + kRetryMs;
    core_.log(GANTRY_LOG_WARN, "no checkpoint, the next start scans more of the log: " + bytes.error().text);
    return false;
  }
  last_checkpoint_bytes_ = *bytes;
  force_checkpoint_ = false;
  const std::lock_guard lock(core_.mutex);
  core_.older_checkpoint_pos = core_.checkpoint_pos;
  core_.checkpoint_pos = {snapshot.head.pos};
  core_.checkpoint_generation = snapshot.head.generation;
  return true;
}

// ---- retention

// A segment expires: its records can no longer be read. It is dropped at once unless references lead to it, else when the last segment with such a one
// expires. How old a base may be is bounded (references.cpp), and so is what that keeps.

bool Background::is_too_old(const Segment &segment) const {
  const std::int64_t keep_ms = topics_.in_use() ? topics_.keep_ms(segment) : core_.options.retention_ms == 0 ? INT64_MAX : core_.options.retention_ms;
  return keep_ms != INT64_MAX && segment.last_store_ms < core_.host.wall_ms() - keep_ms && may_drop_now();
}

// For those who hold the log, in case they can do without it.
void Background::note_held_over() {
  const std::lock_guard lock(core_.mutex);
  const SegmentList &segments = core_.segments;
  core_.held_over = {};
  if (core_.held_from >= segments.oldest_readable()->end()) return;
  std::int64_t total = 0;
  for (const SegmentRef &segment : segments.live) total += segment->bytes;
  for (std::uint32_t no = segments.first_no(); no != segments.active().no; ++no) {
    const Segment &segment = *segments.by_no(no);
    if (!segment.sealed || (!is_too_old(segment) && !is_too_much(total))) return;
    if (no == segments.first_no()) core_.held_over = {segment.base, segment.end(), segment.end()};
    core_.held_over.end = segment.end();
    total -= segment.bytes;
  }
}

// Only a segment that both checkpoints leave behind may go: either of them may be the one a recovery starts from.
Background::Expiry Background::oldest_expired() const {
  const SegmentList &segments = core_.segments;
  const SegmentRef &oldest = segments.oldest_readable();
  if (!oldest->sealed || oldest->run == nullptr || core_.stopping) return {};
  if (oldest->end() > core_.held_from) return {};
  std::int64_t total = 0;
  for (const SegmentRef &segment : segments.live) total += segment->bytes;
  const bool too_old = is_too_old(*oldest), too_much = is_too_much(total);
  const bool no_space = short_ && core_.options.disk_full != "refuse" && leaving_.expired();
  if (!too_old && !too_much && !no_space) return {};
  return {oldest, too_old ? Why::kOld : too_much ? Why::kTooMuch : Why::kNoSpace, oldest->end() > (mutated("retention-behind-both-checkpoints") ? core_.checkpoint_pos : std::min(core_.older_checkpoint_pos, core_.checkpoint_pos))};
}

bool Background::is_live(std::uint32_t segment_no) const {
  const std::lock_guard lock(core_.mutex);
  return core_.segments.live.front()->no <= segment_no;
}

// It can go as soon as that is written.
bool Background::oldest_waits_for_its_run() const {
  const std::lock_guard lock(core_.mutex);
  const Segment &oldest = *core_.segments.oldest_readable();
  return oldest.sealed && oldest.run == nullptr && oldest.end() <= core_.held_from && core_.host.now_ms() >= next_seal_ms_;
}

// In an hour of delete_when, or when space is short.
bool Background::may_drop_now() const {
  if (core_.options.delete_hours == 0 || short_) return true;
  const std::time_t seconds = core_.host.wall_ms() / 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return (core_.options.delete_hours >> local.tm_hour & 1) != 0;
}

// False: the policy spares it. What goes although a group has not consumed it is said and counted.
bool Background::consumed_or_reported(const Segment &segment, Why why) {
  std::vector<UnconsumedRange> ranges = unconsumed_in(core_, segment, why == Why::kNoSpace);
  std::erase_if(ranges, [&](const UnconsumedRange &range) { return topics_.is_over(range.topic, segment.no); });  // said when that was
  if (ranges.empty()) return true;
  if (why == Why::kNoSpace && core_.options.disk_full == "drop_consumed") {
    cannot_make_room("nothing can be dropped since not every group has consumed " + ranges_text(ranges));
    return false;
  }
  report_unconsumed(why == Why::kOld ? "retention" : why == Why::kTooMuch ? "retention_bytes" : "disk_full = drop_oldest", ranges);
  return true;
}

void Background::report_unconsumed(const std::string &reason, const std::vector<UnconsumedRange> &ranges) {
  std::int64_t records = 0;
  for (const UnconsumedRange &range : ranges) records += range.end - range.begin;
  core_.counters.dropped_unconsumed += static_cast<std::uint64_t>(records);
  core_.log(GANTRY_LOG_WARN, reason + " drops " + std::to_string(records) + " messages that not every group has consumed: " + ranges_text(ranges));
}

void Background::apply_topic_retention() {
  topics_.apply(may_drop_now(), [this](const std::string &topic, const std::vector<UnconsumedRange> &ranges) { report_unconsumed("the retention of topic " + topic, ranges); });
}

void Background::apply_retention() {
  apply_topic_retention();
  while (!stop_) {
    drop_unused();
    Expiry expiry;
    {
      const std::lock_guard lock(core_.mutex);
      expiry = oldest_expired();
    }
    const SegmentRef &segment = expiry.segment;
    if (segment == nullptr) break;
    if (expiry.needs_checkpoint) {
      force_checkpoint_ = true;
      if (expiry.why == Why::kNoSpace && core_.host.now_ms() < next_checkpoint_ms_) cannot_make_room("nothing can be dropped since the checkpoint that has to be written before cannot be written either");
      return;
    }
    if (!consumed_or_reported(*segment, expiry.why)) return;
    if (segment->index != nullptr) free_index(segment);
    {
      const std::lock_guard lock(core_.mutex);
      if (segment->end() > core_.held_from) return;  // held since we looked
      core_.segments.first_readable = segment->no + 1;
    }
    if (expiry.why != Why::kNoSpace) continue;
    const std::uint32_t no = segment->no;
    leaving_ = expiry.segment;
    expiry.segment.reset();  // a file that somebody has is not reused
    drop_unused();
    if (is_live(no)) leaving_.reset();  // a base: the next ones go until nothing refers to it
    next_prepare_ms_ = 0;
    prepare_segments();
  }
  if (short_ && core_.options.disk_full != "refuse" && short_remedy_.empty() && leaving_.expired() && !oldest_waits_for_its_run()) {
    cannot_make_room("nothing can be dropped since all of the log is being written to, or held for messages that wait to be delivered");
  }
}

// From the old end, like all of the log: what has expired and is no base.
void Background::drop_unused() {
  for (;;) {
    SegmentRef segment;
    {
      const std::lock_guard lock(core_.mutex);
      if (core_.segments.live.front()->no >= core_.segments.first_readable || core_.segments.oldest_is_base()) return;
      segment = std::move(core_.segments.live.front());
      core_.segments.live.pop_front();
      segment->run.reset();
    }
    core_.extents.drop_before(segment->end());
    const std::string path = segment->path;
    const LogPos base = segment->base;
    const std::int64_t last_ms = segment->last_store_ms;
    const Result<void> retired = retire_segment(core_, segment);
    const Result<void> removed = RunFile::remove(core_, base);
    ++core_.counters.segments_dropped;
    if (!retired) core_.log(GANTRY_LOG_WARN, retired.error().text);
    if (!removed) core_.log(GANTRY_LOG_WARN, removed.error().text);
    core_.log(GANTRY_LOG_INFO, "retention: dropped " + path + ", newest record stored at " + std::to_string(last_ms) + " ms");
  }
}

}  // namespace gantry::commitlog
