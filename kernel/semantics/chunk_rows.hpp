// Keys of rows that are kept by chunk: a prefix, then the chunk's number in 16 hexadecimal digits, so that they sort by it.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace gantry::semantics {

[[nodiscard]] inline std::string chunk_key(std::string_view prefix, std::int64_t chunk) {
  char hex[20];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(chunk));
  return std::string(prefix) + hex;
}

// `key` begins with a prefix of that length. False: no number follows, or more than it.
[[nodiscard]] inline bool parse_chunk_key(std::string_view key, std::size_t prefix_bytes, std::int64_t *chunk) {
  const auto [end, error] = std::from_chars(key.data() + prefix_bytes, key.data() + key.size(), *chunk, 16);
  return error == std::errc() && end == key.data() + key.size();
}

}  // namespace gantry::semantics
