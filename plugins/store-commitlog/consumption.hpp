// What of a log file some group has not consumed yet.
#pragma once

#include "core.hpp"

#include <string>
#include <vector>

namespace gantry::commitlog {

struct UnconsumedRange {
  std::string topic;
  std::uint32_t queue_no = 0;
  std::int64_t begin = 0, end = 0;  // queue offsets
  std::string group;                // the one furthest behind; empty: no group is known there
};

// Ranges of a sealed segment with a run, by queue. with_unread: also those of queues that no group is known to consume. Queues that were dropped have none.
// [thread: background] [blocking: never]
[[nodiscard]] std::vector<UnconsumedRange> unconsumed_in(Core &core, const Segment &segment, bool with_unread);

// "orders queue 3 offsets 100 to 249 (group a is at 100), ... and 7 more ranges".
[[nodiscard]] std::string ranges_text(const std::vector<UnconsumedRange> &ranges);

}  // namespace gantry::commitlog
