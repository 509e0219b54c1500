// Applies a filter to what the store read.
#pragma once

#include "kernel/broker/filter/filters.hpp"

#include <gantry/draft/store.h>

namespace gantry::broker {

// What one read of a filtered fetch or pop asks the store for at most.
inline constexpr std::uint32_t kFilterReadBytes = 1u << 20;

struct Selected {
  std::vector<gantry_record> records;  // that match, in order; their bytes are covered by the read's owner
  std::int64_t next_off = 0;           // after the last one looked at
  std::uint32_t looked_at = 0;
  bool stopped = false;                // before the end of what was read: enough found, or enough work for one turn
  bool over_budget = false;            // the filter is suspended: what follows was not looked at, and will not be for now
};

// At most max_records that match and together have at most max_bytes, but for the first. Bounded work: see kWorkMax. `out` is used again and again.
// [thread: shard]
void select(const FilterProgram &program, std::uint32_t shard, const gantry_read_result &read, std::uint32_t max_records, std::uint32_t max_bytes, Selected *out);

}  // namespace gantry::broker
