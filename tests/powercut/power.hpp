// The switch: when the power goes, and that nothing is answered well from then on.
#pragma once

#include "disk.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

namespace gantry::test::powercut {

class Power {
 public:
  explicit Power(Disk &disk) : disk_(disk) {}

  // Counts up with every cut and every return; odd while there is none. A request that saw another number when it began has failed.
  [[nodiscard]] std::uint64_t state() const;

  // Of each request that changes the disk, between its change and its flush: the power may go right there.
  void step();

  // Cuts in the midst of the `after`th change from now on, at the latest when the time is over; waits until it has happened.
  [[nodiscard]] CutReport cut(std::uint64_t seed, std::uint64_t after, std::chrono::milliseconds at_most);
  void restore();
  [[nodiscard]] std::uint64_t changes() const;

 private:
  void cut_now();

  Disk &disk_;
  mutable std::mutex mutex_;
  std::condition_variable happened_;
  std::uint64_t state_ = 0, changes_ = 0, left_ = 0, seed_ = 0;  // left_: 0 = not armed
  std::optional<CutReport> report_;
};

}  // namespace gantry::test::powercut
