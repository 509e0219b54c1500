// The strategies. Each writes owner[i] for every queue i of `in`, an index into its consumers; false: it cannot. Pure; any thread. Both
// counts are at least 1.
#pragma once

#include <gantry/draft/allocator.h>

#include <cstdint>

namespace gantry::allocator {

// RocketMQ's AVG: each consumer has a run of neighbours; the first ones have one more when it does not come out even.
[[nodiscard]] bool average(const gantry_alloc_input &in, std::uint32_t *owner);
// RocketMQ's AVG_BY_CIRCLE: one queue each in turn.
[[nodiscard]] bool by_circle(const gantry_alloc_input &in, std::uint32_t *owner);
// RocketMQ's CONSISTENT_HASH: the same ring of MD5 points, ten for each consumer. Uneven, but a consumer that comes or goes moves few queues. False: the machine's
// OpenSSL offers no MD5.
[[nodiscard]] bool consistent_hash(const gantry_alloc_input &in, std::uint32_t *owner);
// Even as AVG, and a queue stays where it was whenever that allows.
[[nodiscard]] bool sticky(const gantry_alloc_input &in, std::uint32_t *owner);

}  // namespace gantry::allocator
