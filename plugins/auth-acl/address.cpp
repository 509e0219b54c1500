#include "address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace gantry::acl {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Error wrong(std::string_view text, const char *what) {
  return Error{GANTRY_E_CONFIG, "address \"" + std::string(text.substr(0, 80)) + "\": " + what + R"(; write "10.0.0.1", "10.0.0.0/8", "fd00::/8" or "*")"};
}

bool number(std::string_view text, std::uint32_t max, std::uint32_t &out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && failed == std::errc{} && end == text.data() + text.size() && out <= max;
}

// "*", "7", "10-20", "{1,2}".
bool read_part(std::string_view text, std::bitset<256> &out) {
  if (text == "*") {
    out.set();
    return true;
  }
  if (text.starts_with('{') && text.ends_with('}')) {
    for (text = text.substr(1, text.size() - 2); !text.empty();) {
      const std::size_t comma = std::min(text.find(','), text.size());
      std::uint32_t value = 0;
      if (!number(trimmed(text.substr(0, comma)), 255, value)) return false;
      out.set(value);
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return out.any();
  }
  std::uint32_t first = 0, last = 0;
  const std::size_t minus = text.find('-');
  if (!number(text.substr(0, minus), 255, first)) return false;
  last = first;
  if (minus != std::string_view::npos && !number(text.substr(minus + 1), 255, last)) return false;
  for (std::uint32_t i = first; i <= last; ++i) out.set(i);
  return first <= last;
}

}  // namespace

Result<AddressPattern> AddressPattern::parse_v4(std::string_view text) {
  AddressPattern out;
  out.kind_ = Kind::kV4;
  std::uint32_t bits = 32;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && !number(text.substr(slash + 1), 32, bits)) return wrong(text, "the number behind \"/\" is not 0 to 32");
  std::string_view rest = text.substr(0, slash);
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i == 3 ? rest.size() : rest.find('.');
    if (dot == std::string_view::npos) return wrong(text, "an IPv4 address has four parts");
    if (!read_part(rest.substr(0, dot), out.parts_[i])) return wrong(text, "a part is not 0 to 255");
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (slash == std::string_view::npos) return out;
  for (std::uint32_t i = 0; i < 4; ++i) {
    if (out.parts_[i].count() != 1) return wrong(text, "a block in CIDR form begins with one address");
    const std::uint32_t fixed = std::clamp<std::uint32_t>(bits, i * 8, i * 8 + 8) - i * 8;
    const std::uint32_t first = static_cast<std::uint32_t>(out.parts_[i]._Find_first()) & ~(0xFFu >> fixed);
    for (std::uint32_t value = first; value <= (first | (0xFFu >> fixed)); ++value) out.parts_[i].set(value);
    for (std::uint32_t value = 0; value < first; ++value) out.parts_[i].reset(value);
  }
  return out;
}

Result<AddressPattern> AddressPattern::parse_v6(std::string_view text) {
  AddressPattern out;
  out.kind_ = Kind::kV6;
  out.prefix_bits_ = 128;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && !number(text.substr(slash + 1), 128, out.prefix_bits_)) return wrong(text, "the number behind \"/\" is not 0 to 128");
  const std::string address(text.substr(0, slash));
  if (::inet_pton(AF_INET6, address.c_str(), out.prefix_.data()) != 1) return wrong(text, "this is no IPv6 address");
  return out;
}

Result<AddressPattern> AddressPattern::parse(std::string_view text) {
  text = trimmed(text);
  if (text == "*" || text == "*.*.*.*" || text == "*:*:*:*:*:*:*:*") return AddressPattern();
  return text.find(':') != std::string_view::npos ? parse_v6(text) : parse_v4(text);
}

bool AddressPattern::matches(const gantry_peer &peer) const {
  switch (kind_) {
    case Kind::kAll: return true;
    case Kind::kV4: return peer.ip_bytes == 4 && parts_[0][peer.ip[0]] && parts_[1][peer.ip[1]] && parts_[2][peer.ip[2]] && parts_[3][peer.ip[3]];
    case Kind::kV6: break;
  }
  if (peer.ip_bytes != 16) return false;
  const std::uint32_t whole = prefix_bits_ / 8, rest = prefix_bits_ % 8;
  if (std::memcmp(peer.ip, prefix_.data(), whole) != 0) return false;
  return rest == 0 || ((peer.ip[whole] ^ prefix_[whole]) >> (8 - rest)) == 0;
}

Result<void> AddressList::add(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = 0;
    for (bool inside = false; end < text.size() && (inside || text[end] != ','); ++end) inside = text[end] == '{' || (inside && text[end] != '}');
    const std::string_view one = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    auto pattern = AddressPattern::parse(one);
    if (!pattern) return std::move(pattern.error());
    patterns_.push_back(*pattern);
    texts_.emplace_back(one);
  }
  return {};
}

bool AddressList::matches(const gantry_peer &peer) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&peer](const AddressPattern &pattern) { return pattern.matches(peer); });
}

Result<gantry_peer> parse_peer(std::string_view text) {
  gantry_peer out{};
  const std::string address(text);
  if (::inet_pton(AF_INET, address.c_str(), out.ip) == 1)
    out.ip_bytes = 4;
  else if (::inet_pton(AF_INET6, address.c_str(), out.ip) == 1)
    out.ip_bytes = 16;
  else
    return Error{GANTRY_E_INVALID, "\"" + address.substr(0, 80) + "\" is no address; write \"10.0.0.1\" or \"fd00::1\""};
  return out;
}

}  // namespace gantry::acl
