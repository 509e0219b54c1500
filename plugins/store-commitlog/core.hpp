// What the parts of one store share, and the order of its locks.
//
// Locks: `mutex` guards everything in here that says so. Held for copying records in and for index lookups, never across I/O or a call
// that may block. rows_mutex comes before it, and so does the one by which Background flushes. All others are leaves: none is held while taking another one.
#pragma once

#include "arena.hpp"
#include "extent_cache.hpp"
#include "host.hpp"
#include "index_windows.hpp"
#include "log_writer.hpp"
#include "options.hpp"
#include "queue_table.hpp"
#include "rows.hpp"
#include "segment.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace gantry::commitlog {

// What was found last about the disk, for those who ask. Has its own mutex, a leaf.
struct SpaceReport {
  std::mutex mutex;
  DiskSpace disk;
  std::uint64_t write_bytes_per_s = 0;
  std::int64_t full_in_ms = 0;  // 0: not in sight
  std::string refusal;          // for whoever is refused
};

// How far the scrubber is. Has its own mutex, a leaf.
struct ScrubReport {
  std::mutex mutex;
  std::int64_t done_bytes = 0, total_bytes = 0;  // of the present pass
  std::int64_t last_pass_ms = 0;                 // wall clock at the end of the newest whole one; 0: none yet
  std::uint64_t passes = 0, bad_records = 0;
};

struct Core {
  static constexpr std::int64_t kWindowShare = 8;  // of read_cache, in addition to it: entries are small beside their records

  Core(const Host &h, Options o, std::unique_ptr<Files> f, Arena &a)
      : host(h), options(std::move(o)), files(std::move(f)), extents(options.read_cache_bytes), windows(options.read_cache_bytes / kWindowShare), arena(a), writer(arena, queues, segments) {}
  ~Core() { arena.release(); }
  Core(const Core &) = delete;
  Core &operator=(const Core &) = delete;

  const Host host;
  const Options options;
  const std::unique_ptr<Files> files;
  ExtentCache extents;   // has its own mutex
  IndexWindows windows;  // has its own mutex

  // Set by open, constant afterwards.
  std::string data_dir, log_dir, index_dir;
  std::uint32_t home_shard = 0;
  std::uint32_t default_durability = GANTRY_DURABILITY_DURABLE;

  std::mutex mutex;  // everything down to `counters`
  Arena &arena;
  QueueTable queues;
  SegmentList segments;
  LogWriter writer;
  bool stopping = false;
  bool flush_waiters = false;  // somebody waits for the flusher
  LogPos checkpoint_pos, older_checkpoint_pos;  // of the newest checkpoint on disk and the one before it
  bool references_wanted = false, references_allowed = false;  // somebody would store one; the folder is marked so that only builds that know them open it
  LogPos held_from{INT64_MAX};  // retention leaves alone what lies at or after it
  const gantry_consumption *consumption = nullptr;  // set by open
  struct HeldOver {
    LogPos begin, file_end, end;
  } held_over;  // see gantry_store_stats
  LogPos checkpoint_due;  // once the log is written up to here
  std::uint64_t checkpoint_generation = 0;

  Rows rows;  // has its own mutex
  SpaceReport space;
  ScrubReport scrub;

  struct Counters {
    std::atomic<std::uint64_t> bad_records{0}, flushes{0}, meta_rows{0}, segments_dropped{0}, dropped_unconsumed{0};
    std::uint64_t scanned_bytes = 0, cut_bytes = 0;  // of the last open
  } counters;

  // Asks the home shard to submit, reap and acknowledge soon. [thread: any] Set before start.
  std::function<void()> wake_home = [] {};
  // Asks the background thread to look what there is to do, the flusher to flush now. [thread: any]
  std::function<void()> wake_background = [] {}, wake_flusher = [] {};

  // Segments to have ready behind the active one: a small segment may be full before the next could be made.
  [[nodiscard]] std::size_t segments_wanted() const {
    return static_cast<std::size_t>(std::clamp<std::int64_t>((64ll << 20) / options.segment_bytes, 1, 4));
  }
  // Mutex held.
  [[nodiscard]] bool needs_segment() const {
    const std::size_t wanted = segments_wanted();
    const Segment &active = segments.active();
    return segments.ready.size() < wanted && (wanted > 1 || writer.rows_wait() || writer.next_pos() - active.base > active.bytes / 4);
  }

  // Brings `rows` up to the last acknowledged frame. Mutex not held. False: another thread is at it, and wait is false.
  bool apply_acknowledged_meta(bool wait);
  std::mutex rows_mutex;  // taken before `mutex`: whoever brings the rows forward or writes them out

  // Mutex held.
  [[nodiscard]] gantry_queue_stat stat_of(QueueState &queue);
  // "topic T, queue 3, offset 17", or the handle of a queue that is no more. Mutex held, or nothing else runs yet.
  [[nodiscard]] std::string name_of(std::uint32_t queue, QueueOff offset);

  // Something for the background to do that should not wait for its next look. Mutex held.
  [[nodiscard]] bool has_background_work() const {
    if (needs_segment() || writer.done_pos() >= checkpoint_due) return true;
    if (segments.live.size() < 2) return false;
    const Segment &previous = **(segments.live.end() - 2);
    return previous.run == nullptr && writer.done_pos() >= previous.end();
  }

  void log(std::int32_t level, const std::string &text) const { host.log(level, text); }
  // Stops all writing. Mutex held. Logs once.
  void fence(const std::string &text) {
    if (writer.fenced()) return;
    writer.fence(GANTRY_E_NOT_WRITABLE, text);
    log(GANTRY_LOG_ERROR, "store fenced, no more records are accepted: " + text + "; check the disk, then restart the broker");
  }
};

}  // namespace gantry::commitlog
