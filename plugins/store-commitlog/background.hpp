// The threads that do what a shard must not wait for.
//
//   background  prepares segments, writes runs and checkpoints, drops old segments
//   flusher     fdatasync: every flush_interval for what is acknowledged as written, at once when a request waits for it
#pragma once

#include "checkpoint.hpp"
#include "core.hpp"
#include "space.hpp"
#include "topic_retention.hpp"

#include <condition_variable>
#include <thread>

namespace gantry::commitlog {

class Background {
 public:
  explicit Background(Core &core);
  ~Background();
  Background(const Background &) = delete;
  Background &operator=(const Background &) = delete;

  void start();
  // After the log is drained: ends the threads and writes a last checkpoint.
  void stop();
  void wake_flusher();
  void wake();

 private:
  void background_main();
  void flusher_main();
  void flush();
  void mark_if_quiet();
  void prepare_segments();
  void run_short(const Error &error);
  void refuse_records();
  void cannot_make_room(const std::string &remedy);
  void prepare_rows_segment();
  void seal_segments();
  void free_cold_indexes();
  void free_index(const SegmentRef &segment);
  void checkpoint_if_due();
  [[nodiscard]] bool take_snapshot(bool clean, CheckpointSnapshot *out);
  bool checkpoint(bool clean);  // false: not written
  void apply_retention();
  void drop_unused();
  void raise_format();
  void age_caches();
  void publish_metrics();
  enum class Why { kOld, kTooMuch, kNoSpace };
  struct Expiry {
    SegmentRef segment;  // null: none
    Why why = Why::kOld;
    bool needs_checkpoint = false;
  };
  [[nodiscard]] Expiry oldest_expired() const;
  void note_held_over();
  [[nodiscard]] bool is_too_old(const Segment &segment) const;
  [[nodiscard]] bool is_too_much(std::int64_t total_bytes) const { return core_.options.retention_bytes > 0 && total_bytes > core_.options.retention_bytes; }
  [[nodiscard]] bool may_drop_now() const;
  [[nodiscard]] bool oldest_waits_for_its_run() const;
  [[nodiscard]] bool is_live(std::uint32_t segment_no) const;
  [[nodiscard]] bool consumed_or_reported(const Segment &segment, Why why);
  void report_unconsumed(const std::string &reason, const std::vector<UnconsumedRange> &ranges);
  void apply_topic_retention();

  Core &core_;
  std::atomic<bool> stop_{false};

  std::mutex wake_mutex_;  // leaf
  std::mutex flush_mutex_;  // a flush is under way; comes before Core::mutex
  std::condition_variable flusher_wake_, background_wake_;
  bool flush_now_ = false, look_now_ = false;

  LogPos quiet_pos_;       // flusher: end of the log when it last looked
  std::int64_t next_prepare_ms_ = 0, next_space_ms_ = 0;
  Space space_;
  TopicRetention topics_;
  bool short_ = false;      // no further log file could be made when it was last tried
  Error short_why_;
  std::weak_ptr<Segment> leaving_;  // dropped to make room; its bytes are free when nobody reads in it any more
  std::string short_remedy_;  // what keeps the policy from making room
  std::int64_t next_seal_ms_ = 0, next_checkpoint_ms_ = 0;
  std::uint64_t last_checkpoint_bytes_ = 0;
  std::int64_t next_raise_ms_ = 0;
  std::int64_t next_age_ms_ = 0;
  bool force_checkpoint_ = false;
  std::uint64_t *const flushes_cell_, *const bad_records_cell_, *const dropped_cell_, *const unconsumed_cell_, *const full_in_cell_, *const segments_cell_, *const disk_bytes_cell_, *const queues_cell_,
      *const rows_cell_;
  std::thread flusher_, background_;
};

}  // namespace gantry::commitlog
