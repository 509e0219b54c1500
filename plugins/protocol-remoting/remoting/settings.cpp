#include "remoting/settings.hpp"

#include "codec/text.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gantry::remoting {

namespace {

Error wrong(std::string_view address, const std::string &why) {
  return Error{GANTRY_E_CONFIG, "advertise = \"" + std::string(address) + "\": " + why +
                                    "; give the address at which clients reach this broker, as \"10.0.0.5:10911\" or \"[fd00::5]:10911\""};
}

// Copies the address out of a sockaddr of either family.
bool take_ip(const sockaddr *from, StoreHost &out) {
  if (from->sa_family == AF_INET) {
    std::memcpy(out.ip, &reinterpret_cast<const sockaddr_in *>(from)->sin_addr, out.ip_bytes = 4);
    return true;
  }
  if (from->sa_family == AF_INET6) {
    std::memcpy(out.ip, &reinterpret_cast<const sockaddr_in6 *>(from)->sin6_addr, out.ip_bytes = 16);
    return true;
  }
  return false;
}

// First address of an interface that is up and not loopback, "" when there is none.
std::string own_address(int family) {
  ifaddrs *all = nullptr;
  if (getifaddrs(&all) != 0) return {};
  std::string found;
  for (const ifaddrs *i = all; i != nullptr && found.empty(); i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != family || (i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET6_ADDRSTRLEN] = {};
    const void *ip = family == AF_INET ? static_cast<const void *>(&reinterpret_cast<const sockaddr_in *>(i->ifa_addr)->sin_addr)
                                       : static_cast<const void *>(&reinterpret_cast<const sockaddr_in6 *>(i->ifa_addr)->sin6_addr);
    // A link-local address means nothing to another machine.
    if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(static_cast<const in6_addr *>(ip))) continue;
    if (inet_ntop(family, ip, text, sizeof text) != nullptr) found = text;
  }
  freeifaddrs(all);
  return found;
}

}  // namespace

std::string advertised_for(std::string_view listen) {
  constexpr std::string_view kDefaultPort = "10911";
  const std::size_t colon = listen.rfind(':');
  const bool has_port = colon != std::string_view::npos && listen.back() != ']';
  const std::string_view host = listen.substr(0, has_port ? colon : listen.size());
  const std::string port(has_port ? listen.substr(colon + 1) : kDefaultPort);
  if (listen.empty()) return "127.0.0.1:" + port;
  if (!host.empty() && host != "0.0.0.0" && host != "[::]") return std::string(host) + ":" + port;
  if (const std::string v4 = own_address(AF_INET); !v4.empty()) return v4 + ":" + port;
  if (const std::string v6 = own_address(AF_INET6); !v6.empty()) return "[" + v6 + "]:" + port;
  return "127.0.0.1:" + port;
}

std::string host_text(const StoreHost &host) {
  char text[INET6_ADDRSTRLEN] = "";
  (void)inet_ntop(host.ip_bytes == 16 ? AF_INET6 : AF_INET, host.ip, text, sizeof text);
  const std::string port = ":" + std::to_string(host.port);
  return host.ip_bytes == 16 ? "[" + std::string(text) + "]" + port : text + port;
}

Result<StoreHost> resolve_advertised(std::string_view address) {
  StoreHost out;
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string_view::npos || colon == 0) return wrong(address, "no \"host:port\"");
  if (!parse_number(address.substr(colon + 1), port) || port == 0) return wrong(address, "the port is no number from 1 to 65535");
  out.port = port;
  std::string host(address.substr(0, colon));
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos) return wrong(address, "an IPv6 address stands in brackets");

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  if (const int problem = getaddrinfo(host.c_str(), nullptr, &hints, &found); problem != 0)
    return wrong(address, "cannot look up \"" + host + "\": " + gai_strerror(problem));
  bool taken = false;
  // Old clients know IPv4 only, so an IPv4 address of a name is preferred.
  for (const int family : {AF_INET, AF_INET6})
    for (const addrinfo *a = found; a != nullptr && !taken; a = a->ai_next)
      if (a->ai_family == family) taken = take_ip(a->ai_addr, out);
  freeaddrinfo(found);
  if (!taken) return wrong(address, "\"" + host + "\" has no IP address");
  return out;
}

}  // namespace gantry::remoting
