// Finding offsets by store time.
#pragma once

#include "core.hpp"

#include <cstdint>

namespace gantry::commitlog {

struct ColdSeek;

// First i in 0..count whose time is not before `ms`; count when there is none. time(i) of 0 is unknown: the next known one stands for it.
template <typename Time>
[[nodiscard]] std::uint32_t first_not_before(std::uint32_t count, std::int64_t ms, const Time &time) {
  std::uint32_t low = 0, high = count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    std::uint32_t known = middle;
    while (known < high && time(known) == 0) ++known;
    if (known < high && time(known) < ms) {
      low = known + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// True: *offset is the answer. False: it is in a run; *cold says which. Core::mutex held.
[[nodiscard]] bool seek_in_memory(Core &core, QueueState &queue, std::int64_t ms, QueueOff *offset, ColdSeek *cold);

}  // namespace gantry::commitlog
