// Opening, step by step: what files are there, the newest checkpoint, the segments before it by their runs, the log behind it by scanning,
// the end of the log, a first frame of a new epoch.
#include "recovery.hpp"

#include "format_mark.hpp"
#include "log_scan.hpp"
#include "mutation.hpp"
#include "run_file.hpp"
#include "segment_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace gantry::commitlog {

namespace {

constexpr std::uint64_t kFirstEpoch = 1;

class Recovery {
 public:
  explicit Recovery(Core &core) : core_(core), scan_(core) {}

  Result<void> run() {
    GANTRY_TRY(list_segments());
    GANTRY_TRY(choose_checkpoint());
    if (segments_.empty()) return start_new_log();
    if (checkpoint_) restore_rows();
    GANTRY_TRY(read_log());
    GANTRY_TRY(make_live());
    return begin_epoch();
  }

 private:
  Result<void> list_segments();
  Result<void> choose_checkpoint();
  void restore_rows();
  Result<void> start_new_log();
  Result<void> read_log();
  Result<void> make_live();
  void find_readable();
  void remove_stray_runs();
  Result<void> open_next();
  Result<void> attach_run(const SegmentRef &segment);
  Result<void> begin_epoch();
  Result<void> end_last_block(LogPos end, std::uint64_t epoch);

  Core &core_;
  LogScan scan_;
  std::vector<SegmentRef> segments_;
  std::optional<Checkpoint> checkpoint_;
};

Result<void> Recovery::list_segments() {
  std::vector<std::string> names;
  if (const int rc = core_.files->list(core_.log_dir, &names); rc != 0) return file_error("list folder", core_.log_dir, rc);
  std::sort(names.begin(), names.end());
  for (const std::string &name : names) {
    LogPos base;
    if (!parse_position(name, &base)) continue;
    if (const std::uint32_t format = format_of_mark(base); format != 0) {
      if (format > kFormatWithReferences) {
        return Error{GANTRY_E_UNSUPPORTED, "the log in " + core_.log_dir + " is of format " + std::to_string(format) + ", says " + name + " there; this build knows formats up to " +
                                               std::to_string(kFormatWithReferences) + ": use a newer one"};
      }
      core_.references_allowed = true;
      continue;
    }
    Result<SegmentRef> segment = open_segment(core_, base);
    if (!segment) return std::move(segment.error());
    const bool odd = base.v % kBlock != 0 || (*segment)->bytes < kBlock || (*segment)->bytes % kBlock != 0 ||
                     (!segments_.empty() && segments_.back()->end() > base);
    if (odd) {
      return Error{GANTRY_E_CORRUPT, "log file " + (*segment)->path + " of " + std::to_string((*segment)->bytes) +
                                         " bytes was cut or overlaps its neighbour; restore it from a copy, or move it away to go on without its records"};
    }
    segments_.push_back(std::move(*segment));
  }
  return {};
}

Result<void> Recovery::choose_checkpoint() {
  std::vector<std::string> problems;
  std::optional<Checkpoint> slots[2];
  for (int i = 0; i < 2; ++i) slots[i] = load_checkpoint(core_, i, &problems);
  for (const std::string &problem : problems) core_.log(GANTRY_LOG_ERROR, "checkpoint not usable: " + problem + "; going on with the other one or by a longer scan");
  if (slots[0] && slots[1] && slots[0]->head.generation > slots[1]->head.generation) std::swap(slots[0], slots[1]);
  checkpoint_ = std::move(slots[1] ? slots[1] : slots[0]);
  if (checkpoint_) {
    core_.checkpoint_generation = checkpoint_->head.generation;
    core_.checkpoint_pos = {checkpoint_->head.pos};
    const bool have_both = slots[0].has_value() && slots[1].has_value();
    core_.older_checkpoint_pos = have_both ? LogPos{slots[0]->head.pos} : LogPos{0};
    if (segments_.empty() || segments_.back()->end().v < checkpoint_->head.pos) {
      return Error{GANTRY_E_CORRUPT, core_.log_dir + " lacks the log up to position " + std::to_string(checkpoint_->head.pos) + ", which " + core_.data_dir + "/" +
                                         checkpoint_name(checkpoint_->head.generation) + " vouches for; restore the log files, or move the checkpoints away to start without them"};
    }
    return {};
  }
  const bool complete = segments_.empty() || segments_.front()->base.v == 0;
  if (!complete && !core_.options.accept_lost_checkpoint) {
    return Error{GANTRY_E_CORRUPT, "no usable checkpoint in " + core_.data_dir + " and the log's beginning is gone by retention: topics, groups and offsets set there "
                                       "are lost; restore a checkpoint file, or set accept_lost_checkpoint = true to open with what is left"};
  }
  return {};
}

void Recovery::restore_rows() {
  core_.queues.reserve_handles(checkpoint_->head.next_queue);
  for (const auto &[row, topic] : checkpoint_->queues) {
    if (!core_.queues.add_at(row.queue, topic, row.queue_no, row.kind)) continue;
    QueueState &state = *core_.queues.get(row.queue);
    state.appended = state.visible = {row.next_off};
  }
  for (const auto &[key, value] : checkpoint_->rows) core_.rows.put(key, value);
}

Result<void> Recovery::start_new_log() {
  Result<SegmentRef> first = make_segment(core_, {0}, core_.options.segment_bytes);
  if (!first) return std::move(first.error());
  (*first)->no = core_.segments.next_no++;
  (*first)->index = std::make_unique<SegmentIndex>((*first)->no);
  core_.segments.live.push_back(std::move(*first));
  core_.writer.start({0}, kFirstEpoch, core_.default_durability, core_.options.segment_bytes);
  return {};
}

Result<void> Recovery::read_log() {
  GANTRY_TRY(scan_.run(segments_, checkpoint_ ? &*checkpoint_ : nullptr));
  core_.counters.scanned_bytes = scan_.scanned_bytes();
  core_.counters.cut_bytes = scan_.cut_bytes();
  core_.counters.bad_records += scan_.bad_records();
  if (scan_.cut_bytes() > 0) {
    core_.log(GANTRY_LOG_WARN, "the last write before the stop was not complete: " + std::to_string(scan_.cut_bytes()) + " bytes cut at position " +
                                   std::to_string(scan_.end().v) + "; nothing in them was acknowledged");
  }
  return {};
}

// Segments up to the one the log ends in become live; prepared ones behind it stay ready.
Result<void> Recovery::make_live() {
  for (const SegmentRef &segment : segments_) {
    const bool log = segment->no <= scan_.last_no();
    if (log) {
      segment->sealed = segment->no < scan_.last_no();
      core_.segments.live.push_back(segment);
      continue;
    }
    const LogPos next = core_.segments.ready.empty() ? core_.segments.live.back()->end() : core_.segments.ready.back()->end();
    if (segment->base == next && segment->bytes == core_.options.segment_bytes) {
      segment->recycled = true;  // whether its blocks were all written is not known: do not write them again
      core_.segments.ready.push_back(segment);
      continue;
    }
    core_.log(GANTRY_LOG_INFO, "log file " + segment->path + " holds nothing of the log: removed");
    if (const int rc = core_.files->remove(segment->path); rc != 0) return file_error("remove", segment->path, rc);
  }
  core_.segments.next_no = scan_.last_no() + 1;
  if (core_.segments.live.back()->index == nullptr) GANTRY_TRY(open_next());
  remove_stray_runs();
  for (const SegmentRef &segment : core_.segments.live) {
    if (segment->run != nullptr) GANTRY_TRY(attach_run(segment));
  }
  find_readable();
  for (const SegmentRef &segment : core_.segments.live) {
    if (segment->index == nullptr) continue;
    for (QueuePart *part : segment->index->parts()) {
      QueueState *queue = core_.queues.get(part->queue);
      if (queue == nullptr) continue;
      part->older = queue->part;
      queue->part = part;
      queue->appended = queue->visible = std::max(queue->appended, part->first + part->count);
    }
  }
  return {};
}

// Segments that had expired and were kept as bases are not to be read again: not those that the checkpoint knows of, and none whose own bases are gone.
void Recovery::find_readable() {
  const std::deque<SegmentRef> &live = core_.segments.live;
  std::uint32_t &first = core_.segments.first_readable;
  first = live.front()->no;
  while (checkpoint_ && first < live.back()->no && live[first - live.front()->no]->base.v < checkpoint_->head.log_begin) ++first;
  for (const SegmentRef &segment : live) {
    if (segment != live.back() && segment->oldest_base < live.front()->base) first = std::max(first, segment->no + 1);
  }
}

// Runs whose segment retention has dropped.
void Recovery::remove_stray_runs() {
  std::vector<std::string> names;
  (void)core_.files->list(core_.index_dir, &names);
  for (const std::string &name : names) {
    LogPos base;
    if (name.size() != 24 || name.substr(20) != ".run" || !parse_position(name.substr(0, 20), &base)) continue;
    const SegmentRef segment = core_.segments.find(base);
    if (segment == nullptr || segment->base != base) (void)core_.files->remove(core_.index_dir + "/" + name);
  }
}

// The last segment is full and sealed, the file that followed it is gone: it was empty.
Result<void> Recovery::open_next() {
  Segment &last = core_.segments.active();
  last.sealed = true;
  Result<SegmentRef> next = make_segment(core_, last.end(), core_.options.segment_bytes);
  if (!next) return std::move(next.error());
  (*next)->no = core_.segments.next_no++;
  (*next)->index = std::make_unique<SegmentIndex>((*next)->no);
  core_.segments.live.push_back(std::move(*next));
  return {};
}

Result<void> Recovery::attach_run(const SegmentRef &segment) {
  segment->first_store_ms = segment->run->footer().first_store_ms;
  segment->last_store_ms = segment->run->footer().last_store_ms;
  segment->oldest_base = oldest_base_of(segment->end(), segment->run->index().base_reach());
  for (const PartRow &row : segment->run->index().parts()) {
    core_.queues.note_given(row.queue);
    QueueState *queue = core_.queues.get(row.queue);
    if (queue == nullptr) continue;
    queue->add_ref({segment->no, row.count, {row.first_off}, store_ms_of(segment->first_store_ms, row.first_store_ms_delta)});
    queue->appended = queue->visible = std::max(queue->appended, QueueOff{row.first_off + row.count});
  }
  return {};
}

// The rest of the block the log ends in may hold the beginning of what was cut: a filler takes its place.
Result<void> Recovery::end_last_block(LogPos end, std::uint64_t epoch) {
  const LogPos begin = align_down(end, kBlock);
  if (begin == end || mutated("filler-behind-the-end")) return {};
  const Segment &segment = core_.segments.active();
  const AlignedBuffer block(kBlock);
  const std::int64_t at = begin - segment.base;
  std::int64_t rc = core_.files->read(segment.file.get(), block.data(), kBlock, at);
  if (rc == kBlock) {
    const auto kept = static_cast<std::size_t>(end - begin);
    std::memset(block.data() + kept, 0, kBlock - kept);
    put_filler(block.data() + kept, static_cast<std::uint32_t>(kBlock - kept), end, epoch);
    rc = core_.files->write(segment.file.get(), block.data(), kBlock, at);
    if (rc > 0) rc = core_.files->sync(segment.file.get());
  } else if (rc >= 0) {
    rc = -EIO;
  }
  if (rc < 0) return file_error("end the last block of", segment.path, rc);
  return {};
}

// Nothing written before it can be taken for a part of the log again, whatever a later scan finds behind it.
Result<void> Recovery::begin_epoch() {
  // A log of which nothing holds had an epoch all the same, the first: what is whole behind the cut must not be taken for the new one's.
  const std::uint64_t epoch = mutated("epoch-grows") ? std::max(scan_.epoch(), kFirstEpoch) : std::max(scan_.epoch(), mutated("first-epoch") ? 0 : kFirstEpoch) + 1;
  GANTRY_TRY(end_last_block(scan_.end(), epoch));
  const LogPos start = align_up(scan_.end(), kBlock);
  const Segment &active = core_.segments.active();
  if (active.end() - start < 2 * kBlock && core_.segments.ready.empty()) {
    Result<SegmentRef> next = make_segment(core_, active.end(), core_.options.segment_bytes);
    if (!next) return std::move(next.error());
    core_.segments.ready.push_back(std::move(*next));
  }
  core_.writer.start(start, epoch, core_.default_durability, core_.options.segment_bytes);
  GANTRY_ASSERT(core_.writer.mark(kFrameEpochStart, GANTRY_DURABILITY_DURABLE) == GANTRY_OK);
  std::array<WriteOp, kMaxWritesInFlight> ops;
  AckBatch ignored;
  while (!core_.writer.idle()) {
    const std::size_t n = core_.writer.take_writes(true, core_.host.now_ms(), ops);
    GANTRY_ASSERT(n > 0);
    for (std::size_t i = 0; i < n; ++i) {
      std::int64_t result = core_.files->write(ops[i].fd, ops[i].data, ops[i].bytes, static_cast<std::int64_t>(ops[i].file_off));
      if (result >= 0 && !mutated("flush-of-the-first-frame")) {
        if (const int rc = core_.files->sync(ops[i].fd); rc < 0) result = rc;
      }
      if (result < 0) return file_error("begin a new epoch in", core_.segments.active().path, result);
      core_.writer.finished({ops[i].cookie, result});
    }
    while (core_.writer.take_acknowledged(&ignored)) {
    }
  }
  return {};
}

}  // namespace

Result<void> recover(Core &core, const gantry_recovery_sink &sink) {
  GANTRY_TRY(Recovery(core).run());
  core.counters.meta_rows = core.rows.size();
  if (sink.on_meta != nullptr) {
    core.rows.each([&](const std::string &key, const std::string &value) {
      sink.on_meta(sink.self, {key.data(), static_cast<std::uint32_t>(key.size()), 0}, {value.data(), static_cast<std::uint32_t>(value.size()), 0});
    });
  }
  if (sink.on_queue == nullptr) return {};
  for (gantry_queue handle = 0; handle < core.queues.size(); ++handle) {
    QueueState *queue = core.queues.get(handle);
    if (queue == nullptr) continue;
    const std::string &topic = core.queues.topic_of(*queue);
    const gantry_queue_stat stat = core.stat_of(*queue);
    sink.on_queue(sink.self, handle, {topic.data(), static_cast<std::uint32_t>(topic.size()), 0}, queue->queue_no, &stat);
  }
  return {};
}

}  // namespace gantry::commitlog
