#include "background.hpp"

#include "format_mark.hpp"
#include "mutation.hpp"
#include "segment_files.hpp"

#include <algorithm>
#include <chrono>

namespace gantry::commitlog {

namespace {
constexpr auto kLookEvery = std::chrono::milliseconds(1000);
constexpr std::int64_t kRetryPrepareMs = 1000;
constexpr auto kLookWhileMakingRoom = std::chrono::milliseconds(20);
constexpr std::int64_t kRetryRaiseMs = 5000;
constexpr std::int64_t kLookAtSpaceMs = 1000;
constexpr std::int64_t kAgeCachesMs = 10'000;
}  // namespace

Background::Background(Core &core)
    : core_(core),
      space_(core),
      topics_(core, space_),
      flushes_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_flushes_total", "Flushes of log files apart from flushing writes", GANTRY_NO_SHARD)),
      bad_records_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_bad_records_total", "Records found damaged, or stretches of the log", GANTRY_NO_SHARD)),
      dropped_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_dropped_segments_total", "Log files dropped by retention", GANTRY_NO_SHARD)),
      unconsumed_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_dropped_unconsumed_total", "Records dropped before every group had consumed them", GANTRY_NO_SHARD)),
      full_in_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_full_in_seconds", "Time until no more records can be taken, at the present rate; 0 = not in sight", GANTRY_NO_SHARD)),
      segments_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_segments", "Log files in use", GANTRY_NO_SHARD)),
      disk_bytes_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_disk_bytes", "Size of the log files in use and prepared", GANTRY_NO_SHARD)),
      queues_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_queues", "Queues known", GANTRY_NO_SHARD)),
      rows_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_meta_rows", "Meta rows kept", GANTRY_NO_SHARD)) {}

void Background::publish_metrics() {
  const auto set = [](std::uint64_t *cell, std::uint64_t value) { __atomic_store_n(cell, value, __ATOMIC_RELAXED); };
  (void)core_.apply_acknowledged_meta(true);
  set(flushes_cell_, core_.counters.flushes);
  set(bad_records_cell_, core_.counters.bad_records);
  set(dropped_cell_, core_.counters.segments_dropped);
  set(unconsumed_cell_, core_.counters.dropped_unconsumed);
  set(rows_cell_, core_.counters.meta_rows);
  {
    const std::lock_guard lock(core_.space.mutex);
    set(full_in_cell_, static_cast<std::uint64_t>((core_.space.full_in_ms + 999) / 1000));
  }
  std::uint64_t bytes = 0;
  const std::lock_guard lock(core_.mutex);
  for (const SegmentRef &segment : core_.segments.live) bytes += static_cast<std::uint64_t>(segment->bytes);
  for (const SegmentRef &segment : core_.segments.ready) bytes += static_cast<std::uint64_t>(segment->bytes);
  set(segments_cell_, core_.segments.live.size());
  set(disk_bytes_cell_, bytes);
  set(queues_cell_, core_.queues.alive());
}

Background::~Background() { stop(); }

void Background::start() {
  {
    const std::lock_guard lock(core_.mutex);
    core_.checkpoint_due = core_.checkpoint_pos + core_.options.checkpoint_bytes;
  }
  space_.look();
  apply_topic_retention();  // what could not be read before the stop cannot be read now
  flusher_ = std::thread([this] { flusher_main(); });
  background_ = std::thread([this] { background_main(); });
}

void Background::stop() {
  {
    const std::lock_guard lock(wake_mutex_);
    stop_ = true;
  }
  flusher_wake_.notify_all();
  background_wake_.notify_all();
  if (flusher_.joinable()) flusher_.join();
  if (!background_.joinable()) return;
  background_.join();
  flush();
  checkpoint(true);
}

void Background::wake_flusher() {
  {
    const std::lock_guard lock(wake_mutex_);
    if (flush_now_) return;
    flush_now_ = true;
  }
  flusher_wake_.notify_one();
}

void Background::wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    if (look_now_) return;
    look_now_ = true;
  }
  background_wake_.notify_one();
}

// ---- flusher

void Background::flusher_main() {
  const auto interval = std::chrono::milliseconds(core_.options.flush_interval_ms);
  while (!stop_) {
    bool urgent;
    {
      std::unique_lock lock(wake_mutex_);
      flusher_wake_.wait_for(lock, interval, [this] { return stop_ || flush_now_; });
      urgent = flush_now_;
      flush_now_ = false;
    }
    flush();
    if (!urgent) mark_if_quiet();
  }
}

// Everything written so far becomes durable. A failed flush is final: the kernel may have dropped the pages it could not write.
void Background::flush() {
  // One at a time: the kernel tells one caller of a failure, and another one's success would count for the same bytes.
  const std::lock_guard one_at_a_time(flush_mutex_);
  std::vector<SegmentRef> dirty;
  LogPos target;
  {
    const std::lock_guard lock(core_.mutex);
    if (core_.writer.fenced() || !core_.writer.has_unflushed()) return;
    target = core_.writer.done_pos();
    const LogPos flushed = core_.writer.flushed_pos();
    for (const SegmentRef &segment : core_.segments.live) {
      if (segment->plain_end > flushed) dirty.push_back(segment);
    }
  }
  for (const SegmentRef &segment : dirty) {
    const int rc = core_.files->sync(segment->file.get());
    ++core_.counters.flushes;
    if (rc == 0 || mutated("failed-flushes")) continue;
    const std::lock_guard lock(core_.mutex);
    core_.fence(file_error("flush of", segment->path, rc).text);
    break;
  }
  bool wanted;
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.writer.fenced()) core_.writer.flushed_to(target);
    wanted = core_.writer.fenced() || core_.flush_waiters;
    core_.flush_waiters = false;
  }
  if (wanted) core_.wake_home();
}

// One empty frame after the last records, so that recovery knows these to be complete and tells rot in them from a torn write.
void Background::mark_if_quiet() {
  {
    const std::lock_guard lock(core_.mutex);
    const bool quiet = core_.writer.next_pos() == quiet_pos_;
    quiet_pos_ = core_.writer.next_pos();
    if (!quiet || !core_.writer.needs_mark() || core_.stopping) return;
    if (core_.writer.mark(kFrameMark, GANTRY_DURABILITY_WRITTEN) != GANTRY_OK) return;
  }
  core_.wake_home();
}

// ---- background

void Background::background_main() {
  while (!stop_) {
    if (core_.host.now_ms() >= next_space_ms_) {
      next_space_ms_ = core_.host.now_ms() + kLookAtSpaceMs;
      space_.look();
    }
    prepare_segments();
    seal_segments();
    free_cold_indexes();
    checkpoint_if_due();
    apply_retention();
    note_held_over();
    raise_format();
    age_caches();
    publish_metrics();
    std::unique_lock lock(wake_mutex_);
    // A checkpoint or two may have to be written before the first file can go.
    const auto look_in = short_ && core_.options.disk_full != "refuse" && short_remedy_.empty() ? kLookWhileMakingRoom : kLookEvery;
    background_wake_.wait_for(lock, look_in, [this] { return stop_ || look_now_; });
    look_now_ = false;
  }
}

void Background::age_caches() {
  if (core_.host.now_ms() < next_age_ms_) return;
  next_age_ms_ = core_.host.now_ms() + kAgeCachesMs;
  core_.extents.age();
  core_.windows.age();
}

// Before the first reference: from here on only builds that know them open the log.
void Background::raise_format() {
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.references_wanted || core_.references_allowed || core_.host.now_ms() < next_raise_ms_) return;
  }
  const Result<void> marked = mutated("mark-of-the-format") ? Result<void>() : put_format_mark(core_);
  if (!marked) {
    next_raise_ms_ = core_.host.now_ms() + kRetryRaiseMs;
    core_.log(GANTRY_LOG_WARN, marked.error().text + "; bodies are stored again until it can be made");
    return;
  }
  core_.log(GANTRY_LOG_INFO, "the log in " + core_.log_dir + " is of format " + std::to_string(kFormatWithReferences) + " from now on: older builds do not open it");
  const std::lock_guard lock(core_.mutex);
  core_.references_allowed = true;
}

void Background::prepare_segments() {
  while (!stop_) {
    LogPos base;
    {
      const std::lock_guard lock(core_.mutex);
      const bool rows_only = !core_.segments.ready.empty() && core_.segments.ready.back()->for_rows;
      if (core_.stopping || (!core_.needs_segment() && !rows_only)) return;
      base = core_.segments.ready.empty() ? core_.segments.active().end() : core_.segments.ready.back()->end();
    }
    if (core_.host.now_ms() < next_prepare_ms_) {
      if (short_) prepare_rows_segment();
      return;
    }
    Result<void> room;
    if (reusable_segments(core_) == 0) room = space_.may_take(core_.options.segment_bytes, false);
    Result<SegmentRef> made = room ? make_segment(core_, base, core_.options.segment_bytes) : Result<SegmentRef>(std::move(room.error()));
    if (!made) {
      run_short(made.error());
      return;
    }
    SegmentRef segment = *made;
    {
      const std::lock_guard lock(core_.mutex);
      core_.segments.ready.push_back(segment);
      core_.writer.set_no_space(false, 0);
    }
    if (short_) core_.log(GANTRY_LOG_INFO, "there is space for the log again");
    short_ = false;
    short_remedy_.clear();
    core_.wake_home();
    const bool fill = core_.options.zero_fill == "on" || (core_.options.zero_fill == "auto" && core_.default_durability == GANTRY_DURABILITY_DURABLE);
    if (fill && !segment->recycled && segment->direct) zero_fill(core_, *segment, stop_);
  }
}

// Records go on until what is prepared is used up, but for the reserve; then they are refused, unless retention can make room.
void Background::run_short(const Error &error) {
  next_prepare_ms_ = core_.host.now_ms() + kRetryPrepareMs;
  short_why_ = error;
  const bool first = !std::exchange(short_, true);
  const bool refuse = core_.options.disk_full == "refuse";
  if (first && refuse) core_.log(GANTRY_LOG_ERROR, "no room for the next log file, records will be refused once this one is full: " + error.text);
  if (first && !refuse) core_.log(GANTRY_LOG_WARN, "no room for the next log file, old ones make room (disk_full = " + core_.options.disk_full + "): " + error.text);
  if (refuse || !short_remedy_.empty()) refuse_records();
}

void Background::refuse_records() {
  space_.explain(short_why_, short_remedy_);
  {
    const std::lock_guard lock(core_.mutex);
    core_.writer.set_no_space(true, std::min(core_.options.reserve_bytes, core_.segments.active().bytes / 8));
  }
  core_.wake_home();  // who waits for room is told
  prepare_rows_segment();
}

void Background::cannot_make_room(const std::string &remedy) {
  if (short_remedy_.empty()) core_.log(GANTRY_LOG_ERROR, "records will be refused: " + remedy);
  short_remedy_ = remedy;
  refuse_records();
}

// What is reserved in the last log file does not last for ever: small files follow, for meta rows and what settles older records.
void Background::prepare_rows_segment() {
  constexpr std::int64_t kMiB = 1 << 20;
  const auto refuse = [this] {  // tried again with the next one that does not fit
    const std::lock_guard lock(core_.mutex);
    core_.writer.refuse_rows(true);
  };
  if (core_.options.reserve_bytes == 0) return refuse();
  const std::int64_t bytes = std::min(align_up(2 * core_.options.reserve_bytes, kMiB), core_.options.segment_bytes);
  LogPos base;
  {
    const std::lock_guard lock(core_.mutex);
    const Segment &active = core_.segments.active();
    const std::int64_t left = active.end() - core_.writer.next_pos();
    const bool needed = active.for_rows ? left <= active.bytes / 2 || core_.writer.rows_wait() : left <= std::min(core_.options.reserve_bytes, active.bytes / 8) || core_.writer.refuses_records() || core_.writer.rows_wait();
    if (!core_.segments.ready.empty() || !core_.writer.no_space() || !needed) return;
    base = active.end();
  }
  if (Result<void> room = space_.may_take(bytes, true); !room) return refuse();
  Result<SegmentRef> made = make_segment(core_, base, bytes);
  if (!made) return refuse();
  (*made)->for_rows = true;
  core_.log(GANTRY_LOG_WARN, "the log file being written is full but for what is reserved for consumer offsets: " + (*made)->path + " follows, for them alone");
  {
    const std::lock_guard lock(core_.mutex);
    core_.segments.ready.push_back(*made);
    core_.writer.refuse_rows(false);
  }
  core_.wake_home();
}

}  // namespace gantry::commitlog
