#include "nameserver/names.hpp"

#include "codec/text.hpp"
#include "nameserver/limits.hpp"

#include <algorithm>
#include <cstdint>

namespace gantry::remoting::nameserver {

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
}

bool is_address(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || address.size() > kMaxNameBytes) return false;
  std::uint32_t port = 0;
  if (!parse_number(address.substr(colon + 1), port) || port == 0 || port > 65535) return false;
  return std::all_of(address.begin(), address.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:%-[]").find(c) != std::string_view::npos;
  });
}

}  // namespace gantry::remoting::nameserver
