#include "kernel/io/listen.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "kernel/io/connect.hpp"
#include "kernel/io/tls.hpp"

namespace gantry::io {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAnyPortAttempts = 32;  // until the extra ports next to a port the system chose are free too

struct Target {
  SocketAddress address;
  bool v6_only = false;
  std::string text;  // as configured, without the port
};

void set_port(SocketAddress &address, std::uint16_t port) {
  if (address.storage.ss_family == AF_INET6)
    reinterpret_cast<sockaddr_in6 &>(address.storage).sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in &>(address.storage).sin_port = htons(port);
}

bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

Result<Target> target_of(const HostPort &where) {
  Target out;
  if (where.host.empty()) {
    out.address = numeric_address(has_ipv6() ? "::" : "0.0.0.0", where.port);
    return out;
  }
  auto found = resolve(where.host, where.port);
  if (!found) return std::move(found.error());
  if (found->empty()) return Error{GANTRY_E_NOT_FOUND, "name \"" + where.host + "\" has no address", 0};
  out.address = found->front();
  out.v6_only = true;
  out.text = where.host.find(':') == std::string::npos ? where.host : "[" + where.host + "]";
  return out;
}

Error bind_error(const Target &target, std::uint16_t port, int error) {
  const std::string where = target.text + ":" + std::to_string(port);
  std::string text = "listening on " + where + ": ";
  switch (error) {
    case EADDRINUSE:
      text += "port " + std::to_string(port) + " is taken by another process; stop that process or configure another port";
      break;
    case EACCES:
      text += "the process may not bind port " + std::to_string(port) + "; take a port of 1024 or above, or grant CAP_NET_BIND_SERVICE";
      break;
    case EADDRNOTAVAIL:
      text += "the address belongs to no interface of this machine; configure one that does, or none for all";
      break;
    case EMFILE:
    case ENFILE: text += "out of file descriptors; raise the limit (ulimit -n)"; break;
    default: text += std::strerror(error);
  }
  return Error{error == EADDRINUSE ? GANTRY_E_EXISTS : GANTRY_E_IO, text, error};
}

Result<int> bind_one(Target target, std::uint16_t port) {
  set_port(target.address, port);
  const int fd = ::socket(target.address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return bind_error(target, port, errno);
  const int on = 1, v6_only = target.v6_only ? 1 : 0;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (target.address.storage.ss_family == AF_INET6) (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  if (::bind(fd, reinterpret_cast<const sockaddr *>(&target.address.storage), target.address.bytes) != 0 || ::listen(fd, kBacklog) != 0) {
    Error error = bind_error(target, port, errno);
    ::close(fd);
    return error;
  }
  return fd;
}

Endpoint bound_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  GANTRY_ASSERT(::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &bytes) == 0);
  return Endpoint::of(address);
}

// The main port, then each offset from what it became. An error carries the port's own text.
std::optional<Error> bind_ports(Listening &out, const Target &target, std::uint16_t main_port, const gantry_protocol_description &what) {
  int base = main_port;
  const auto count = std::min<std::uint32_t>(what.n_extra_ports, std::size(what.extra_port_offsets));
  for (std::uint32_t i = 0; i <= count; ++i) {
    const int port = i == 0 ? base : base + what.extra_port_offsets[i - 1];
    if (port < 0 || port > 65535 || (i > 0 && port == 0))
      return Error{GANTRY_E_RANGE, "extra port " + std::to_string(port) + " next to port " + std::to_string(base) + " does not exist; configure another main port", 0};
    auto fd = bind_one(target, static_cast<std::uint16_t>(port));
    if (!fd) return std::move(fd.error());
    const Endpoint bound = bound_endpoint(*fd);
    if (i == 0) base = bound.port;
    out.acceptors.push_back(std::make_unique<Acceptor>(out.origin, i, *fd, bound.text()));
    out.info.ports.push_back({i, bound.text(), bound.port});
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Listening>> bind_all(const ListenOptions &options, Instance &instance) {
  gantry_protocol_description what{};
  what.size = sizeof what;
  instance.protocol->describe(instance.self(), &what);
  auto where = parse_host_port(options.address, static_cast<int>(what.default_port));
  if (!where) return std::move(where.error());
  auto target = target_of(*where);
  if (!target) return std::move(target.error());

  auto out = std::make_unique<Listening>();
  Origin &origin = out->origin;
  origin.instance = &instance;
  origin.max_connections = options.max_connections;
  origin.idle_timeout_ms = options.idle_timeout_ms;
  origin.tls_mode = options.tls.mode;
  origin.max_input_bytes = options.max_input_bytes == 0 ? instance.max_input_bytes : std::min(options.max_input_bytes, instance.max_input_bytes);
  if (options.tls.mode != TlsMode::kOff) {
    auto tls = TlsContext::server(options.tls);
    if (!tls) return std::move(tls.error());
    origin.tls = std::move(*tls);
  }
  for (int attempt = 1;; ++attempt) {
    auto error = bind_ports(*out, *target, where->port, what);
    if (!error) return out;
    const bool other_may_do = where->port == 0 && (error->code == GANTRY_E_EXISTS || error->code == GANTRY_E_RANGE);
    if (!other_may_do || attempt == kAnyPortAttempts) return std::move(*error);
    out->acceptors.clear();
    out->info.ports.clear();
  }
}

}  // namespace gantry::io
