// What must be there before load can start: the topic, the consumer group, a broker that accepts messages.
#pragma once

#include <cstdint>
#include <optional>

#include "loadgen/options.hpp"

namespace gantry::bench {

/// Ext fields of SEND_MESSAGE_V2 as the Java client writes them.
[[nodiscard]] Fields send_fields(const Options &options, const std::string &queue, const std::string &born_ms,
                                 const std::string &unique_key, unsigned number = 0);

/// Name of topic number `i` of options.topics.
[[nodiscard]] std::string topic_name(const Options &options, unsigned i);

/// Makes sure that each topic has options.queues queues: through UPDATE_AND_CREATE_TOPIC, or, where the broker
/// refuses that, by a first send that creates the topic from TBW102; then sends one message to its last queue.
/// Throws BenchError naming what the broker refused.
void ensure_topic(const Options &options);

/// Registers a consumer of the group and keeps it registered while the returned client lives.
/// Throws BenchError when the broker refuses.
[[nodiscard]] BlockingClient register_consumer(const Options &options);

/// When a broker first accepted a message.
struct Readiness {
  std::uint64_t accepted_ns = 0;  ///< CLOCK_MONOTONIC
  unsigned attempts = 0;
};

/// Tries every few milliseconds to store one message; empty when the deadline passed first.
/// `last_failure` tells why the last attempt failed.
[[nodiscard]] std::optional<Readiness> wait_until_ready(const Options &options, std::string &last_failure);

}  // namespace gantry::bench
