// What one name server holds at most. Everything in its tables comes from strangers, so everything has a bound; a registration or entry
// over a bound is refused as a whole with a remark that names the bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gantry::remoting::nameserver {

inline constexpr std::size_t kMaxBrokers = 10'000;            // registered addresses
inline constexpr std::size_t kMaxTopics = 500'000;            // names
inline constexpr std::size_t kMaxQueueDatas = 2'000'000;      // pairs of topic and broker name; about 100 bytes each
inline constexpr std::size_t kMaxTopicsPerBroker = 100'000;   // in one registration
inline constexpr std::size_t kMaxFilterServers = 16;          // of one broker
inline constexpr std::size_t kMaxNameBytes = 255;             // cluster, broker and topic names, addresses, KV namespaces and keys
inline constexpr std::size_t kMaxInflatedBytes = 64u << 20;   // of a compressed registration body
inline constexpr std::int64_t kMaxQueues = 1 << 20;           // of a topic on one broker, each of read and write

inline constexpr std::size_t kMaxKvEntries = 10'000;          // over all namespaces
inline constexpr std::size_t kMaxKvNamespaces = 1'000;        // emptied ones stay, as in RocketMQ
inline constexpr std::size_t kMaxKvValueBytes = 32u << 10;
inline constexpr std::size_t kMaxKvBytes = 8u << 20;          // of all names and values together: each change writes the whole file

inline constexpr std::int64_t kDefaultTimeoutMs = 120'000;    // a broker silent for this long leaves the routes
inline constexpr std::int64_t kMinTimeoutMs = 1'000;          // bounds of the timeout that a 5.x broker may ask for
inline constexpr std::int64_t kMaxTimeoutMs = 3'600'000;
inline constexpr std::int64_t kScanPeriodMs = 5'000;

}  // namespace gantry::remoting::nameserver
