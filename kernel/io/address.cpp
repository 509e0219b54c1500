#include "kernel/io/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

namespace gantry::io {

Result<HostPort> parse_host_port(std::string_view text, int default_port) {
  const auto bad = [&](const char *why) {
    return Error{GANTRY_E_INVALID, "address \"" + std::string(text) + "\": " + why + "; write host:port or [IPv6]:port", 0};
  };
  HostPort out;
  std::string_view port_text;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return bad("the bracket is not closed");
    out.host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad("unexpected text after the bracket");
    has_port = !rest.empty();
    if (has_port) port_text = rest.substr(1);
  } else {
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && text.find(':') != colon) return bad("an IPv6 address needs brackets");
    has_port = colon != std::string_view::npos;
    out.host = text.substr(0, colon);
    if (has_port) port_text = text.substr(colon + 1);
  }
  if (!has_port) {
    if (default_port < 0) return bad("the port is missing");
    out.port = static_cast<std::uint16_t>(default_port);
    return out;
  }
  unsigned port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port > 65535) return bad("the port is not a number up to 65535");
  out.port = static_cast<std::uint16_t>(port);
  return out;
}

Endpoint Endpoint::of(const sockaddr_storage &address) {
  Endpoint out;
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    std::memcpy(out.ip.data(), &v4.sin_addr, 4);
    out.ip_bytes = 4;
    out.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    out.port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      std::memcpy(out.ip.data(), v6.sin6_addr.s6_addr + 12, 4);
      out.ip_bytes = 4;
    } else {
      std::memcpy(out.ip.data(), v6.sin6_addr.s6_addr, 16);
      out.ip_bytes = 16;
    }
  }
  return out;
}

std::string Endpoint::text() const {
  if (ip_bytes == 0) return "unknown";
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(ip_bytes == 4 ? AF_INET : AF_INET6, ip.data(), buffer, sizeof buffer);
  const std::string host = ip_bytes == 4 ? std::string(buffer) : "[" + std::string(buffer) + "]";
  return host + ":" + std::to_string(port);
}

SocketAddress numeric_address(const std::string &host, std::uint16_t port) {
  SocketAddress out;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.bytes = sizeof v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.bytes = sizeof v6;
  }
  return out;
}

}  // namespace gantry::io
