#include <utility>  // Asio 1.81 needs it before its own headers in C++20

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "kernel/io/connect.hpp"

#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/tls.hpp"

namespace gantry::io {

Result<std::vector<SocketAddress>> resolve(const std::string &host, std::uint16_t port) {
  std::vector<SocketAddress> out;
  if (const SocketAddress numeric = numeric_address(host, port); numeric.bytes != 0) {
    out.push_back(numeric);
    return out;
  }
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(host, std::to_string(port), error);
  if (error) return Error{GANTRY_E_NOT_FOUND, "name \"" + host + "\": " + error.message() + "; check the name and the resolver", error.value()};
  for (const auto &entry : found) {
    const auto endpoint = entry.endpoint();
    SocketAddress address;
    std::memcpy(&address.storage, endpoint.data(), endpoint.size());
    address.bytes = static_cast<socklen_t>(endpoint.size());
    out.push_back(address);
  }
  return out;
}

void Dial::report_failure(std::uint32_t shard_index, std::int32_t code, int error_number) const {
  const std::string target = host.find(':') == std::string::npos ? host : "[" + host + "]";
  gantry_error error;
  (void)report(Error{code, "connection to " + target + ":" + std::to_string(port) + ": " + failure, error_number}, &error);
  const Instance &instance = *origin->instance;
  instance.protocol->connect_failed(instance.self(), shard_index, user_data, &error);
}

void Shard::dial(std::unique_ptr<Dial> dial) {
  Connection *conn = nullptr;
  if (set.closing.load() || draining_) {
    dial->failure = "the broker stops";
  } else if (dial->addresses.empty()) {
    if (dial->failure.empty()) dial->failure = "no address";
  } else {
    conn = connections_.add();
    if (conn == nullptr) dial->failure = "too many connections";
  }
  if (conn == nullptr) {
    counters_.add(Count::kConnectFailed);
    dial->report_failure(index, set.closing.load() ? GANTRY_E_CLOSED : GANTRY_E_NOT_FOUND, 0);
    return;
  }
  load.fetch_add(1, std::memory_order_relaxed);
  dial->origin->connections.fetch_add(1, std::memory_order_relaxed);
  conn->origin = dial->origin;
  conn->outbound = true;
  conn->user_data = dial->user_data;
  conn->stage = Stage::kConnecting;
  conn->dial = std::move(dial);
  counters_.set_connections(connections_.size());
  dial_next(*conn);
}

void Shard::dial_next(Connection &conn) {
  Dial &dial = *conn.dial;
  const SocketAddress &address = dial.addresses[dial.next++];
  conn.peer = Endpoint::of(address.storage);
  conn.opened_ms = now_ms_;
  conn.fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (conn.fd < 0) return dial_failed(conn, GANTRY_E_IO, std::strerror(errno), errno);
  const int on = 1;
  (void)::setsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(conn.fd, reinterpret_cast<const sockaddr *>(&address.storage), address.bytes) != 0 && errno != EINPROGRESS)
    return dial_failed(conn, GANTRY_E_IO, std::strerror(errno), errno);
  conn.interest = EPOLLOUT;
  if (!poller_.add(conn.fd, Ready::kConnection, ConnectionTable::name(conn), EPOLLOUT))
    return dial_failed(conn, GANTRY_E_IO, std::strerror(errno), errno);
  set_deadline(conn);
}

void Shard::dial_failed(Connection &conn, std::int32_t code, const std::string &text, int error_number) {
  conn.dial->failure = conn.peer.text() + ": " + text;
  if (conn.fd >= 0) {
    poller_.remove(conn.fd);
    ::close(std::exchange(conn.fd, -1));
  }
  if (conn.timer != 0) (void)timers_.cancel(std::exchange(conn.timer, 0));
  if (conn.dial->next < conn.dial->addresses.size()) return dial_next(conn);
  const std::unique_ptr<Dial> dial = std::move(conn.dial);
  conn.origin->connections.fetch_sub(1, std::memory_order_relaxed);
  load.fetch_sub(1, std::memory_order_relaxed);
  connections_.release(conn);
  counters_.set_connections(connections_.size());
  counters_.add(Count::kConnectFailed);
  dial->report_failure(index, code, error_number);
}

void Shard::dial_ready(Connection &conn) {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (::getsockopt(conn.fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) error = errno;
  if (error != 0) return dial_failed(conn, GANTRY_E_IO, std::strerror(error), error);
  if (conn.timer != 0) (void)timers_.cancel(std::exchange(conn.timer, 0));
  counters_.add(Count::kConnected);
  conn.opened_ms = conn.active_ms = conn.progress_ms = now_ms_;
  conn.interest = EPOLLIN;
  poller_.change(conn.fd, Ready::kConnection, ConnectionTable::name(conn), EPOLLIN);
  if (!conn.dial->tls) {
    conn.has_read = true;
    open_protocol(conn);
    if (conn.stage == Stage::kOpen) set_deadline(conn);
    return;
  }
  conn.stage = Stage::kHandshake;
  conn.tls = TlsSession::client(*set.outbound_tls, conn.dial->host);
  if (conn.tls == nullptr) return close(conn, CloseCause::kError, GANTRY_E_NOMEM, "no TLS session could be made");
  set_deadline(conn);
  step_handshake(conn);
}

}  // namespace gantry::io
