#include "remoting/settings.hpp"

#include "codec/text.hpp"

#include <arpa/inet.h>
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

}  // namespace

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
