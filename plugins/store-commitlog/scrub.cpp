#include "scrub.hpp"

#include "space.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kLeastRate = 1 << 20;  // a small store is done in minutes, not in a week
constexpr std::int64_t kStartAfterMs = 1000, kLeastPauseMs = 1000, kLookMs = 100;
constexpr int kIoprioWhoProcess = 1, kIoprioIdle = 3 << 13;  // linux/ioprio.h, which Debian's libc headers lack

using What = CheckFinding::What;
}  // namespace

Scrubber::Scrubber(Core &core)
    : core_(core),
      bytes_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_scrubbed_bytes_total", "Bytes of full log files compared with their checksums in the background", GANTRY_NO_SHARD)),
      bad_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_scrub_bad_records_total", "Damaged records that this found; again in each pass", GANTRY_NO_SHARD)),
      passes_cell_(core.host.cell(GANTRY_METRIC_COUNTER, "store_scrub_passes_total", "Passes over all full log files that came to their end", GANTRY_NO_SHARD)),
      progress_cell_(core.host.cell(GANTRY_METRIC_GAUGE, "store_scrub_progress_permille", "How far the present pass is", GANTRY_NO_SHARD)) {}

Scrubber::~Scrubber() { stop(); }

void Scrubber::start() {
  if (core_.options.scrub_every_ms == 0) return;
  thread_ = std::thread([this] { run(); });
}

void Scrubber::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Scrubber::sleep_ms(std::int64_t ms) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stop_; });
}

Scrubber::Pace Scrubber::pace(std::int64_t bytes, const Segment &segment) {
  std::int64_t left_ms = bytes * 1000 / rate_;
  do {
    if (!sleep_ms(std::min(left_ms, kLookMs))) return Pace::kStop;
    left_ms -= kLookMs;
    const std::lock_guard lock(core_.mutex);
    if (core_.segments.live.front()->no > segment.no) return Pace::kDropped;
  } while (left_ms > 0);
  return Pace::kGoOn;
}

void Scrubber::run() {
  // Only when the disk has nothing else to do, where its scheduler knows of that.
  (void)::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioIdle);
  if (!sleep_ms(kStartAfterMs)) return;
  for (;;) {
    const std::int64_t begin_ms = core_.host.now_ms();
    if (!pass()) return;
    const std::int64_t took_ms = core_.host.now_ms() - begin_ms;
    if (!sleep_ms(std::max(kLeastPauseMs, core_.options.scrub_every_ms - took_ms))) return;
  }
}

bool Scrubber::pass() {
  std::vector<std::uint32_t> numbers;
  std::int64_t total = 0, done = 0;
  {
    const std::lock_guard lock(core_.mutex);
    for (const SegmentRef &segment : core_.segments.live) {
      if (segment->run == nullptr) continue;
      numbers.push_back(segment->no);
      total += segment->bytes;
    }
  }
  found_ = 0;
  // Done in half of the time between passes; quicker for little, never quicker than allowed.
  rate_ = std::clamp<std::int64_t>(total * 2000 / core_.options.scrub_every_ms, std::min(kLeastRate, core_.options.scrub_rate), core_.options.scrub_rate);
  const std::int64_t begin_ms = core_.host.now_ms();
  {
    const std::lock_guard lock(core_.scrub.mutex);
    core_.scrub.done_bytes = 0;
    core_.scrub.total_bytes = total;
  }
  for (const std::uint32_t no : numbers) {
    SegmentRef segment;
    {
      const std::lock_guard lock(core_.mutex);
      if (no >= core_.segments.live.front()->no) segment = core_.segments.by_no(no);
    }
    if (segment == nullptr) continue;  // dropped meanwhile
    const std::int64_t bytes = segment->bytes;
    if (!check(segment)) return false;
    done += bytes;
  }
  __atomic_fetch_add(passes_cell_, 1, __ATOMIC_RELAXED);
  __atomic_store_n(progress_cell_, 1000, __ATOMIC_RELAXED);
  const std::int64_t wall_ms = core_.host.wall_ms();
  {
    const std::lock_guard lock(core_.scrub.mutex);
    core_.scrub.last_pass_ms = wall_ms;
    ++core_.scrub.passes;
  }
  if (numbers.empty()) return true;
  core_.log(found_ > 0 ? GANTRY_LOG_WARN : GANTRY_LOG_INFO, "scrub: " + std::to_string(numbers.size()) + " full log files of " + bytes_text(done) + " compared with their checksums in " +
                                                                time_text(core_.host.now_ms() - begin_ms) + ": " + std::to_string(found_) + " damaged records");
  return true;
}

bool Scrubber::check(const SegmentRef &segment) {
  check_run(segment);
  std::shared_ptr<RunFile> run;
  {
    const std::lock_guard lock(core_.mutex);
    run = segment->run;
  }
  if (run != nullptr && !run->verified()) run = nullptr;  // a reader makes it again
  std::unordered_map<std::uint32_t, std::int64_t> next_off;
  SegmentCheck::Sink sink;
  sink.on_finding = [&](const CheckFinding &finding) { report(*segment, finding); };
  SegmentCheck check(*core_.files, *segment, run.get(), &next_off, sink);
  std::uint64_t paced = 0;
  LogPos told = segment->base;
  for (;;) {
    const Result<bool> more = check.step();
    const std::int64_t moved = check.pos() - told;
    told = check.pos();
    __atomic_fetch_add(bytes_cell_, static_cast<std::uint64_t>(moved), __ATOMIC_RELAXED);
    {
      const std::lock_guard lock(core_.scrub.mutex);
      core_.scrub.done_bytes += moved;
      __atomic_store_n(progress_cell_, static_cast<std::uint64_t>(core_.scrub.done_bytes * 1000 / std::max<std::int64_t>(1, core_.scrub.total_bytes)), __ATOMIC_RELAXED);
    }
    if (!more) {
      core_.log(GANTRY_LOG_ERROR, "scrub: " + more.error().text + "; the rest of this file is left out");
      return pace(0, *segment) != Pace::kStop;
    }
    // The reader takes large steps; waiting after each of them spreads them.
    if (check.bytes_read() > paced) {
      const auto fresh = static_cast<std::int64_t>(check.bytes_read() - paced);
      paced = check.bytes_read();
      if (const Pace next = pace(fresh, *segment); next != Pace::kGoOn) return next == Pace::kDropped;
    }
    if (!*more) return true;
  }
}

// Its checksums, read anew: what was compared once may have rotted since.
void Scrubber::check_run(const SegmentRef &segment) {
  std::shared_ptr<RunFile> run;
  {
    const std::lock_guard lock(core_.mutex);
    run = segment->run;
  }
  if (run == nullptr || run->verified_anew()) return;
  {
    const std::lock_guard lock(core_.mutex);
    if (core_.segments.live.front()->no > segment->no) return;  // dropped meanwhile, and the run's file with it
  }
  core_.log(GANTRY_LOG_WARN, "scrub: the index run of " + segment->path + " is damaged; it is made again when it is read next");
}

void Scrubber::report(const Segment &segment, const CheckFinding &finding) {
  std::string where = "log file " + segment.path + " at byte " + std::to_string(finding.pos - segment.base);
  if (finding.what == What::kKnown) return;
  if (finding.what == What::kRun) {
    core_.log(GANTRY_LOG_WARN, "scrub: the index run of " + segment.path + " says something else than the log from byte " + std::to_string(finding.pos - segment.base) +
                                   " on; stop the broker and run: gantry store repair " + core_.data_dir);
    return;
  }
  if (finding.what == What::kFrame) {
    core_.log(GANTRY_LOG_ERROR, "scrub: " + where + ": " + std::to_string(finding.bytes) + " bytes are damaged; " + std::to_string(finding.readable) +
                                    " records there can be read all the same" + (finding.readable > 0 ? ", as long as the index run is there" : ""));
    return;
  }
  const std::uint64_t records = static_cast<std::uint64_t>(finding.end - finding.begin);
  found_ += records;
  __atomic_fetch_add(bad_cell_, records, __ATOMIC_RELAXED);
  {
    const std::lock_guard lock(core_.scrub.mutex);
    core_.scrub.bad_records += records;
  }
  std::string queue = "a deleted queue";
  {
    const std::lock_guard lock(core_.mutex);
    if (const QueueState *state = core_.queues.get(static_cast<gantry_queue>(finding.queue)); state != nullptr) queue = core_.queues.topic_of(*state) + " queue " + std::to_string(state->queue_no);
  }
  core_.log(GANTRY_LOG_ERROR, "scrub: " + where + ": topic " + queue + " offset " + std::to_string(finding.begin.v) + (records > 1 ? " to " + std::to_string(finding.end.v - 1) : "") +
                                  " is damaged and cannot be delivered; restore the file from a copy, or stop the broker and run: gantry store repair " + core_.data_dir);
}

}  // namespace gantry::commitlog
