// Tag subscriptions: "*", "" or "a || b", as sorted tag codes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gantry::broker {

struct TagSet {
  bool any = true;
  std::vector<std::int64_t> codes;  // sorted, unique; empty when any

  bool operator==(const TagSet &) const = default;
};

// RocketMQ's rule: split on "||", trim, drop empty parts. An expression of nothing but separators is refused (false).
[[nodiscard]] bool parse_tags(std::string_view expression, TagSet &out);

}  // namespace gantry::broker
