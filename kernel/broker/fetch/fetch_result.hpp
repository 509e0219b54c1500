// The result a protocol gets for a fetch: pooled, and pinning the store's result until it is released.
#pragma once

#include <gantry/draft/broker.h>

#include <atomic>
#include <vector>

namespace gantry::broker {

// Makes a result with a reference count of one. `inner` (may be null) is the store's; its owner is released with this one.
[[nodiscard]] const gantry_fetch_result *make_fetch_result(std::uint32_t outcome, std::int64_t next_off, std::int64_t min_off, std::int64_t max_off, const gantry_read_result *inner);
// The same with only these of inner's records.
[[nodiscard]] const gantry_fetch_result *make_fetch_result(const std::vector<gantry_record> &records, std::int64_t next_off, std::int64_t min_off, std::int64_t max_off, const gantry_read_result &inner);

}  // namespace gantry::broker
