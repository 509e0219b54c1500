// The scrubber: a thread that reads all full log files again and again, slowly, and compares them with their checksums, so that rot is found before somebody
// needs the bytes. It says what it finds and mends nothing but index runs.
#pragma once

#include "core.hpp"
#include "segment_check.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace gantry::commitlog {

class Scrubber {
 public:
  explicit Scrubber(Core &core);
  ~Scrubber();
  Scrubber(const Scrubber &) = delete;
  Scrubber &operator=(const Scrubber &) = delete;

  void start();
  void stop();

 private:
  void run();
  // One pass over all full log files that there are now. False: told to stop.
  [[nodiscard]] bool pass();
  [[nodiscard]] bool check(const SegmentRef &segment);
  void check_run(const SegmentRef &segment);
  void report(const Segment &segment, const CheckFinding &finding);
  enum class Pace { kGoOn, kStop, kDropped };  // kDropped: whoever reads in the file keeps its bytes from being free
  // Waits as long as reading that many bytes may take at the rate.
  [[nodiscard]] Pace pace(std::int64_t bytes, const Segment &segment);
  [[nodiscard]] bool sleep_ms(std::int64_t ms);

  Core &core_;
  std::mutex mutex_;  // leaf
  std::condition_variable wake_;
  bool stop_ = false;
  std::int64_t rate_ = 0;  // bytes per second of this pass
  std::uint64_t found_ = 0;  // bad records of this pass
  std::uint64_t *const bytes_cell_, *const bad_cell_, *const passes_cell_, *const progress_cell_;
  std::thread thread_;
};

}  // namespace gantry::commitlog
