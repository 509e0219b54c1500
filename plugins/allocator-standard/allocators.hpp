// The strategies. Each writes owner[i] for every queue i of `in`, an index into its consumers. Pure; any thread. Both counts are at least 1.
#pragma once

#include <gantry/draft/allocator.h>

#include <cstdint>

namespace gantry::allocator {

// RocketMQ's AVG: each consumer has a run of neighbours; the first ones have one more when it does not come out even.
void average(const gantry_alloc_input &in, std::uint32_t *owner);
// RocketMQ's AVG_BY_CIRCLE: one queue each in turn.
void by_circle(const gantry_alloc_input &in, std::uint32_t *owner);
// RocketMQ's CONSISTENT_HASH: the same ring of MD5 points, ten for each consumer. Uneven, but a consumer that comes or goes moves few queues.
void consistent_hash(const gantry_alloc_input &in, std::uint32_t *owner);
// Even as AVG, and a queue stays where it was whenever that allows.
void sticky(const gantry_alloc_input &in, std::uint32_t *owner);

}  // namespace gantry::allocator
