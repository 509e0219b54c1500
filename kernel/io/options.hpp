// What io is told when it is made and when it listens, and what it tells about itself. Plain data, no third-party types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gantry {
struct HostContext;
}

namespace gantry::io {

struct IoOptions {
  std::uint32_t shard_count = 1;         // 1..64
  bool pin_shards = false;               // shard k on CPU k modulo the CPUs allowed
  std::uint32_t blocking_threads = 2;    // the pool behind exec.offload and name lookup
  std::uint32_t blocking_queue = 1024;   // jobs waiting there before offload says E_AGAIN
  std::uint64_t output_soft_bytes = 1u << 20;   // above: the connection is not read until its output fell below half of this
  std::uint64_t output_hard_bytes = 64u << 20;  // a piece that would exceed this gets E_AGAIN, unless nothing else is queued
  std::int64_t write_stall_timeout_ms = 60'000;  // output pending and the peer takes nothing for once to twice this: closed as a slow reader
  std::int64_t handshake_timeout_ms = 10'000;    // TLS handshake, both directions
  std::int64_t connect_timeout_ms = 5'000;       // net.connect, name lookup not included; per address tried
  std::int64_t outbound_idle_timeout_ms = 120'000;  // of connections made by net.connect; 0 = none
  std::int64_t drain_quiet_ms = 200;  // while draining: closed when nothing is pending and nothing was queued for so long
  std::string outbound_ca_file;       // PEM; certificates of TLS servers are verified against it; empty = not verified
};

enum class TlsMode : std::uint8_t {
  kOff,       // plain peers only; a TLS hello is refused
  kOptional,  // the first byte decides
  kRequired,  // plain peers are refused
};

struct TlsOptions {
  TlsMode mode = TlsMode::kOff;
  std::string certificate_file;  // PEM, leaf first, then the chain
  std::string key_file;          // PEM
};

struct ListenOptions {
  HostContext *instance = nullptr;  // its component's vtable is a gantry_protocol_v1; outlives the ShardSet's stop
  std::string address;              // "10.0.0.1:9876", "[::1]:9876", ":9876" (all addresses, IPv4 and IPv6), "host" (describe's port); port 0 = any
  TlsOptions tls;
  std::uint32_t max_connections = 100'000;  // over main and extra ports together; more are accepted and closed at once
  std::int64_t idle_timeout_ms = 120'000;   // neither read nor written for so long: closed; 0 = never
  std::uint32_t max_input_bytes = 0;        // tightens describe's max_input_bytes; 0 = as described
};

struct BoundPort {
  std::uint32_t listener;  // as gantry_conn_info.listener: 0 main, i = extra port i of describe
  std::string address;     // "127.0.0.1:9876", the port really bound
  std::uint16_t port;
};

struct ListenerInfo {
  std::vector<BoundPort> ports;  // main port first
};

// Sums over all shards, read without stopping them: each number is exact, their relation to one another is not.
struct IoStats {
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted = 0, refused = 0, connected = 0, connect_failed = 0;
  std::uint64_t closed_by_peer = 0, closed_by_protocol = 0, closed_idle = 0, closed_slow_reader = 0, closed_limit = 0, closed_error = 0,
                closed_shutdown = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t turns = 0, wakeups = 0;  // loop turns; wake-ups sent between threads
};

}  // namespace gantry::io
