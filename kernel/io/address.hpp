// Network addresses as text and as sockaddr. No names are looked up here.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <gantry++/result.hpp>
#include <string>
#include <string_view>

namespace gantry::io {

struct HostPort {
  std::string host;  // without brackets; empty = all addresses
  std::uint16_t port = 0;
};

// "host:port", "[v6]:port", ":port", and "host" or "[v6]" when a default port >= 0 is given.
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text, int default_port);

// One end of a connection. IPv4-mapped IPv6 is held as IPv4.
struct Endpoint {
  std::array<std::uint8_t, 16> ip{};  // network order
  std::uint16_t port = 0;
  std::uint8_t ip_bytes = 0;  // 4, 16, or 0 = unknown

  [[nodiscard]] static Endpoint of(const sockaddr_storage &address);
  [[nodiscard]] std::string text() const;  // "10.0.0.1:5000", "[::1]:5000"
};

// A numeric address; empty when `host` is a name.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
};
[[nodiscard]] SocketAddress numeric_address(const std::string &host, std::uint16_t port);

}  // namespace gantry::io
