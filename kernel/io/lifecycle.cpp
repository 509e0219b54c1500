// From an accepted or made socket to conn_close: opening, deadlines, readiness, closing, draining.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/io/connect.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/tls.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {

constexpr std::int64_t kDrainSweepMs = 10;

Count count_of(CloseCause cause) {
  switch (cause) {
    case CloseCause::kPeer: return Count::kClosedByPeer;
    case CloseCause::kProtocol: return Count::kClosedByProtocol;
    case CloseCause::kIdle: return Count::kClosedIdle;
    case CloseCause::kSlowReader: return Count::kClosedSlowReader;
    case CloseCause::kLimit: return Count::kClosedLimit;
    case CloseCause::kError: return Count::kClosedError;
    case CloseCause::kShutdown: return Count::kClosedShutdown;
    case CloseCause::kRefused: return Count::kRefused;
  }
  return Count::kClosedError;
}

Endpoint local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &bytes) != 0) return {};
  return Endpoint::of(address);
}

gantry_str text_of(const std::string &s) { return {s.data(), static_cast<std::uint32_t>(s.size()), 0}; }

}  // namespace

void Shard::adopt(int fd, Origin &origin, std::uint32_t listener, const Endpoint &peer) {
  Connection *conn = set.closing.load() || draining_ ? nullptr : connections_.add();
  const bool added = conn != nullptr && poller_.add(fd, Ready::kConnection, ConnectionTable::name(*conn), EPOLLIN);
  if (!added) {
    if (conn != nullptr) connections_.release(*conn);
    counters_.add(Count::kRefused);
    origin.connections.fetch_sub(1, std::memory_order_relaxed);
    load.fetch_sub(1, std::memory_order_relaxed);
    ::close(fd);
    return;
  }
  conn->fd = fd;
  conn->origin = &origin;
  conn->listener = listener;
  conn->peer = peer;
  conn->interest = EPOLLIN;
  conn->opened_ms = conn->active_ms = conn->progress_ms = now_ms_;
  conn->stage = Stage::kFirstByte;
  counters_.set_connections(connections_.size());
  if (origin.tls_mode == TlsMode::kOff && origin.tls == nullptr) open_protocol(*conn);
  if (conn->stage != Stage::kClosing) set_deadline(*conn);
}

void Shard::open_protocol(Connection &conn) {
  const Endpoint local = local_endpoint(conn.fd);
  const std::string peer_text = conn.peer.text(), local_text = local.text();
  gantry_conn_info info{};
  info.size = sizeof info;
  info.flags = (conn.tls != nullptr ? GANTRY_CONN_TLS : 0u) | (conn.outbound ? GANTRY_CONN_OUTBOUND : 0u);
  info.shard = index;
  info.listener = conn.listener;
  std::copy(conn.peer.ip.begin(), conn.peer.ip.end(), info.peer_ip);
  std::copy(local.ip.begin(), local.ip.end(), info.local_ip);
  info.peer_ip_bytes = conn.peer.ip_bytes;
  info.local_ip_bytes = local.ip_bytes;
  info.peer_port = conn.peer.port;
  info.local_port = local.port;
  info.user_data = conn.user_data;
  info.peer = text_of(peer_text);
  info.local = text_of(local_text);
  conn.stage = Stage::kOpen;
  conn.opened_ms = now_ms_;
  Instance &instance = *conn.origin->instance;
  const std::int32_t code = instance.protocol->conn_open(instance.self(), id_of(conn), &info, &conn.state);
  conn.dial.reset();
  if (code == GANTRY_OK) {
    conn.opened = true;
    if (draining_ && conn.stage == Stage::kOpen) instance.protocol->conn_drain(instance.self(), conn.state);
  } else {
    close(conn, CloseCause::kProtocol, code, "refused by the protocol");
  }
}

bool Shard::wants_read(const Connection &conn) const {
  if (conn.stalled || conn.over_soft || conn.no_more_reading) return false;
  return conn.stage == Stage::kOpen || conn.stage == Stage::kFirstByte || conn.stage == Stage::kHandshake;
}

void Shard::update_interest(Connection &conn) {
  if (conn.stage == Stage::kClosing || conn.stage == Stage::kConnecting) return;
  const std::uint32_t wanted = (wants_read(conn) ? EPOLLIN : 0u) | (conn.pending.size() != 0 ? EPOLLOUT : 0u);
  if (wanted == conn.interest) return;
  conn.interest = wanted;
  poller_.change(conn.fd, Ready::kConnection, ConnectionTable::name(conn), wanted);
}

void Shard::on_ready(Connection &conn, std::uint32_t events) {
  if (conn.stage == Stage::kClosing) return;
  if (conn.stage == Stage::kConnecting) return dial_ready(conn);
  if ((events & EPOLLOUT) != 0) write_pending(conn);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || conn.stage == Stage::kClosing) return;
  if (wants_read(conn)) return read_ready(conn);
  // A socket that is not read shows input until it is masked; an end of both directions cannot be masked.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return close(conn, CloseCause::kPeer, GANTRY_OK, "closed by the peer");
  update_interest(conn);
}

// ---- deadlines: one timer per connection, moved lazily ----------------------------------------------------------------------

std::int64_t Shard::deadline_of(const Connection &conn) const {
  std::int64_t deadline = Timers::kNever;
  const auto at = [&](std::int64_t from, std::int64_t delay) { deadline = std::min(deadline, from + delay); };
  if (conn.stage == Stage::kConnecting) at(conn.opened_ms, set.options.connect_timeout_ms);
  const bool must_greet = conn.stage == Stage::kFirstByte && conn.origin->tls_mode == TlsMode::kRequired;
  if (conn.stage == Stage::kHandshake || must_greet) at(conn.opened_ms, set.options.handshake_timeout_ms);
  if (conn.pending.size() != 0) at(conn.progress_ms, set.options.write_stall_timeout_ms);
  if (conn.stage != Stage::kConnecting && conn.origin->idle_timeout_ms > 0) at(conn.active_ms, conn.origin->idle_timeout_ms);
  return deadline;
}

void Shard::set_deadline(Connection &conn) {
  const std::int64_t deadline = deadline_of(conn);
  if (conn.timer != 0 && conn.timer_deadline_ms <= deadline) return;
  if (conn.timer != 0) (void)timers_.cancel(conn.timer);
  conn.timer = 0;
  if (deadline == Timers::kNever) return;
  conn.timer_deadline_ms = deadline;
  const auto fire = [](void *name) noexcept {
    Shard *self = current_;
    if (Connection *found = self->connections_.find(reinterpret_cast<std::uint64_t>(name))) self->on_deadline(*found);
  };
  conn.timer = timers_.arm(deadline, fire, reinterpret_cast<void *>(ConnectionTable::name(conn)));
}

void Shard::look_at_socket(Connection &conn) {
  int bytes = 0;
  if (::ioctl(conn.fd, SIOCOUTQ, &bytes) == 0) conn.unacknowledged_bytes = bytes;
}

void Shard::on_deadline(Connection &conn) {
  conn.timer = 0;
  if (conn.stage == Stage::kClosing) return;
  if (deadline_of(conn) > now_ms_) return set_deadline(conn);
  if (conn.stage == Stage::kConnecting) return dial_failed(conn, GANTRY_E_TIMEOUT, "no answer in time", 0);
  if (conn.stage == Stage::kHandshake || conn.stage == Stage::kFirstByte)
    return close(conn, CloseCause::kIdle, GANTRY_E_TIMEOUT, "no complete TLS handshake or first byte in time");
  if (conn.pending.size() != 0 && conn.progress_ms + set.options.write_stall_timeout_ms <= now_ms_) {
    // The socket takes more only when a good part of its buffer is free; a slow peer may have taken less than that.
    const std::int32_t before = conn.unacknowledged_bytes;
    look_at_socket(conn);
    if (conn.unacknowledged_bytes >= before) return close(conn, CloseCause::kSlowReader, GANTRY_E_TIMEOUT, "the peer does not take its output");
    conn.active_ms = conn.progress_ms = now_ms_;
    return set_deadline(conn);
  }
  close(conn, CloseCause::kIdle, GANTRY_E_TIMEOUT, "idle for too long");
}

// ---- closing ------------------------------------------------------------------------------------------------------------------

void Shard::close(Connection &conn, CloseCause cause, std::int32_t code, std::string_view text) {
  if (conn.stage == Stage::kClosing) return;
  if (log_enabled(LogLevel::kDebug)) log_debug("io", "connection ", conn.peer.text(), " closes: ", text, " (", code, ")");
  if (conn.dial != nullptr) conn.dial->failure = text;
  counters_.add(count_of(cause));
  conn.close_reason = code;
  conn.stage = Stage::kClosing;
  closing_.push_back(ConnectionTable::name(conn));
}

void Shard::close_after_flush(Connection &conn, std::string_view text) {
  if (conn.stage == Stage::kClosing || conn.close_after_flush) return;
  if (conn.queued_bytes() == 0) return close(conn, CloseCause::kProtocol, GANTRY_E_CLOSED, text);
  if (log_enabled(LogLevel::kDebug)) log_debug("io", "connection ", conn.peer.text(), " closes after its output: ", text);
  conn.close_after_flush = true;
  conn.no_more_reading = true;
}

void Shard::finish_closings() {
  for (std::size_t i = 0; i < closing_.size(); ++i)  // conn_close may close further connections
    if (Connection *conn = connections_.find(closing_[i])) finish_closing(*conn);
  closing_.clear();
}

void Shard::finish_closing(Connection &conn) {
  Instance &instance = *conn.origin->instance;
  if (conn.opened) {
    conn.opened = false;
    instance.protocol->conn_close(instance.self(), conn.state, conn.close_reason);
  } else if (conn.dial != nullptr) {
    conn.dial->report_failure(index, conn.close_reason, 0);
    counters_.add(Count::kConnectFailed);
  }
  drop_output(conn);
  if (conn.tls != nullptr && conn.pending.size() == 0) conn.tls->say_goodbye(conn.fd);
  if (conn.timer != 0) (void)timers_.cancel(conn.timer);
  if (conn.fd >= 0) {
    poller_.remove(conn.fd);
    ::close(conn.fd);
  }
  conn.origin->connections.fetch_sub(1, std::memory_order_relaxed);
  load.fetch_sub(1, std::memory_order_relaxed);
  connections_.release(conn);
  counters_.set_connections(connections_.size());
}

// ---- drain ----------------------------------------------------------------------------------------------------------------------

void Shard::begin_drain(std::int64_t deadline_ms, std::int64_t stop_reading_ms) {
  draining_ = true;
  drain_started_ms_ = now_ms_;
  drain_deadline_ms_ = deadline_ms;
  stop_reading_ms_ = stop_reading_ms;
  connections_.for_each([this](Connection &conn) {
    if (conn.stage == Stage::kClosing) return;
    Instance &instance = *conn.origin->instance;
    if (conn.opened)
      instance.protocol->conn_drain(instance.self(), conn.state);
    else
      close(conn, CloseCause::kShutdown, GANTRY_E_CLOSED, "the broker stops");
  });
  sweep_drain();
}

void Shard::sweep_drain() {
  const bool over = now_ms_ >= drain_deadline_ms_;
  connections_.for_each([this, over](Connection &conn) {
    if (conn.stage == Stage::kClosing) return;
    if (over) {
      set.forced_closings.fetch_add(1);
      return close(conn, CloseCause::kShutdown, GANTRY_E_CLOSED, "still busy at the deadline of the drain");
    }
    if (now_ms_ >= stop_reading_ms_) conn.no_more_reading = true;
    const std::int64_t quiet_since = std::max({conn.queued_ms, conn.progress_ms, drain_started_ms_});
    if (conn.queued_bytes() == 0 && !conn.stalled && now_ms_ - quiet_since >= set.options.drain_quiet_ms)
      close(conn, CloseCause::kShutdown, GANTRY_E_CLOSED, "drained");
  });
  if (connections_.size() == 0) return report_if_drained();
  (void)arm(kDrainSweepMs, [](void *self) noexcept { static_cast<Shard *>(self)->sweep_drain(); }, this);
}

void Shard::report_if_drained() {
  const std::lock_guard lock(set.drain_mutex);
  ++set.shards_drained;
  set.drained.notify_all();
}

}  // namespace gantry::io
