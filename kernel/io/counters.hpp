// What io counts, one cell per shard in the metrics registry of the process.
#pragma once

#include <array>
#include <cstdint>

#include "kernel/observe/metrics.hpp"

namespace gantry::io {

enum class Count : std::uint8_t {
  kAccepted,
  kRefused,
  kConnected,
  kConnectFailed,
  kClosedByPeer,
  kClosedByProtocol,
  kClosedIdle,
  kClosedSlowReader,
  kClosedLimit,
  kClosedError,
  kClosedShutdown,
  kBytesIn,
  kBytesOut,
  kTurns,
  kEnd
};

inline constexpr struct {
  const char *name, *help;
} kCountNames[] = {
    {"io_accepted_connections", "connections accepted"},
    {"io_refused_connections", "connections accepted and closed at once: over the limit, draining, or TLS not as configured"},
    {"io_made_connections", "outbound connections made"},
    {"io_failed_connections", "outbound connections that did not succeed"},
    {"io_closed_by_peer_connections", "connections closed by the peer"},
    {"io_closed_by_protocol_connections", "connections closed by the protocol plugin"},
    {"io_closed_idle_connections", "connections closed because nothing was read or written, or a handshake took too long"},
    {"io_closed_slow_reader_connections", "connections closed because the peer did not take its output"},
    {"io_closed_limit_connections", "connections closed because of a frame over the limit"},
    {"io_closed_error_connections", "connections closed because of a socket or TLS error"},
    {"io_closed_shutdown_connections", "connections closed because the process stops"},
    {"io_in_bytes", "bytes read from sockets"},
    {"io_out_bytes", "bytes written to sockets"},
    {"io_turns", "rounds of the shard's loop"},
};
static_assert(sizeof kCountNames / sizeof kCountNames[0] == static_cast<std::size_t>(Count::kEnd));

// Cells of one shard. Counted by its thread, read by any.
class Counters {
 public:
  explicit Counters(std::uint32_t shard) {
    for (std::size_t i = 0; i < kSize; ++i) {
      cells_[i] = metrics().cell(MetricKind::kCounter, kCountNames[i].name, kCountNames[i].help, shard);
      start_[i] = load(cells_[i]);
    }
    connections_ = metrics().cell(MetricKind::kGauge, "io_open_connections", "connections open now", shard);
    set_gauge(connections_, 0);
  }
  void add(Count what, std::uint64_t n = 1) { count(cells_[static_cast<std::size_t>(what)], n); }
  void set_connections(std::uint32_t n) { set_gauge(connections_, n); }
  // Since this object was made; the registry outlives it.
  [[nodiscard]] std::uint64_t value(Count what) const {
    const auto i = static_cast<std::size_t>(what);
    return load(cells_[i]) - start_[i];
  }
  [[nodiscard]] std::uint64_t connections() const { return load(connections_); }

 private:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Count::kEnd);
  static std::uint64_t load(const std::uint64_t *cell) { return __atomic_load_n(cell, __ATOMIC_RELAXED); }
  std::array<std::uint64_t *, kSize> cells_{};
  std::array<std::uint64_t, kSize> start_{};
  std::uint64_t *connections_ = nullptr;
};

}  // namespace gantry::io
