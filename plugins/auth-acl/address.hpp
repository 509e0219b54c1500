// Addresses as rules name them: one address, CIDR blocks, and the patterns of RocketMQ's plain_acl.yml.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/auth.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::acl {

class AddressPattern {
 public:
  // "10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "*"; of RocketMQ: "192.168.*.*", "192.168.1.10-20", "192.168.1.{1,2}". One error names the text and what is wrong.
  [[nodiscard]] static Result<AddressPattern> parse(std::string_view text);
  [[nodiscard]] bool matches(const gantry_peer &peer) const;

 private:
  enum class Kind : std::uint8_t { kAll, kV4, kV6 };
  [[nodiscard]] static Result<AddressPattern> parse_v4(std::string_view text);
  [[nodiscard]] static Result<AddressPattern> parse_v6(std::string_view text);

  Kind kind_ = Kind::kAll;
  std::array<std::bitset<256>, 4> parts_;   // kV4: what each part may be
  std::array<std::uint8_t, 16> prefix_{};   // kV6
  std::uint32_t prefix_bits_ = 0;
};

class AddressList {
 public:
  // Adds one pattern, or several with commas between; nothing of a blank text.
  [[nodiscard]] Result<void> add(std::string_view text);
  [[nodiscard]] bool matches(const gantry_peer &peer) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  [[nodiscard]] const std::vector<std::string> &texts() const { return texts_; }  // as they were added, one a pattern

 private:
  std::vector<std::string> texts_;
  std::vector<AddressPattern> patterns_;
};

// "10.0.0.1" or "::1" as a peer; INVALID.
[[nodiscard]] Result<gantry_peer> parse_peer(std::string_view text);

}  // namespace gantry::acl
