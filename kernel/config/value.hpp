// One value of the file against the key that declares it. Internal to kernel/config.
#pragma once

#include "kernel/config/tree.hpp"

#include <gantry/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

struct TypedValue {
  std::uint32_t type = 0;    // GANTRY_KEY_*
  std::int64_t number = 0;   // bool, int, size in bytes, duration in ms
  std::string text;          // string, enum, path
  std::vector<std::string> list;
};

struct ValueFault {
  std::string message, help;
};

// Exactly one of the two is filled.
struct Converted {
  std::optional<TypedValue> value;
  ValueFault fault;
};

[[nodiscard]] Converted convert(const Value &value, const gantry_config_key &key);
// The declared default, zero or empty without one. A default that does not fit its own key is a fault of the plugin.
[[nodiscard]] Converted default_of(const gantry_config_key &key);

// "64 MiB", "512KiB", "100 B", "100". Nothing: neither.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);
// "500ms", "3s", "15m", "72h", "7d" in ms, and "0". Nothing: neither.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);
[[nodiscard]] std::string size_text(std::int64_t bytes);
[[nodiscard]] std::string duration_text(std::int64_t ms);
[[nodiscard]] std::vector<std::string_view> enum_words(const gantry_config_key &key);

}  // namespace gantry::config
