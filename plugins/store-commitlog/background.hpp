// The threads that do what a shard must not wait for.
//
//   background  prepares segments, writes runs and checkpoints, drops old segments
//   flusher     fdatasync: every flush_interval for what is acknowledged as written, at once when a request waits for it
#pragma once

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
  void stop();  // after the log is drained
  void wake_flusher();
  void wake();

 private:
  void background_main();
  void flusher_main();
  void flush();
  void mark_if_quiet();
  void prepare_segments();
  void report_prepare(const Error &error);

  Core &core_;
  std::atomic<bool> stop_{false};

  std::mutex wake_mutex_;  // leaf
  std::condition_variable flusher_wake_, background_wake_;
  bool flush_now_ = false, look_now_ = false;

  LogPos quiet_pos_;       // flusher: end of the log when it last looked
  std::int64_t next_prepare_ms_ = 0;
  bool no_space_logged_ = false;
  std::thread flusher_, background_;
};

}  // namespace gantry::commitlog
