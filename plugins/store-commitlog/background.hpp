// The threads that do what a shard must not wait for.
//
//   background  prepares segments, writes runs and checkpoints, drops old segments
//   flusher     fdatasync: every flush_interval for what is acknowledged as written, at once when a request waits for it
#pragma once

#include "checkpoint.hpp"
#include "core.hpp"

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
  void report_prepare(const Error &error);
  void seal_segments();
  void free_cold_indexes();
  void free_index(const SegmentRef &segment);
  void checkpoint_if_due();
  [[nodiscard]] bool take_snapshot(bool clean, CheckpointSnapshot *out);
  bool checkpoint(bool clean);  // false: not written
  void apply_retention();
  void drop_unused();
  void raise_format();
  void publish_metrics();
  [[nodiscard]] SegmentRef oldest_expired(bool *needs_checkpoint);

  Core &core_;
  std::atomic<bool> stop_{false};

  std::mutex wake_mutex_;  // leaf
  std::mutex flush_mutex_;  // a flush is under way; comes before Core::mutex
  std::condition_variable flusher_wake_, background_wake_;
  bool flush_now_ = false, look_now_ = false;

  LogPos quiet_pos_;       // flusher: end of the log when it last looked
  std::int64_t next_prepare_ms_ = 0;
  bool no_space_logged_ = false;
  std::int64_t next_seal_ms_ = 0, next_checkpoint_ms_ = 0;
  std::uint64_t last_checkpoint_bytes_ = 0;
  std::int64_t next_raise_ms_ = 0;
  bool force_checkpoint_ = false;
  std::uint64_t *const flushes_cell_, *const bad_records_cell_, *const dropped_cell_, *const segments_cell_, *const disk_bytes_cell_, *const queues_cell_,
      *const rows_cell_;
  std::thread flusher_, background_;
};

}  // namespace gantry::commitlog
