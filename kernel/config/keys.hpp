// The kernel's own keys, declared like a plugin's, and key tables as text for `gantry config doc`.
#pragma once

#include <gantry/abi.h>

#include <span>
#include <string>

namespace gantry::config {

[[nodiscard]] std::span<const gantry_config_key> broker_keys();    // [broker]
[[nodiscard]] std::span<const gantry_config_key> store_keys();     // [store], beside the plugin's own
[[nodiscard]] std::span<const gantry_config_key> auth_keys();      // [auth], beside the plugin's own
[[nodiscard]] std::span<const gantry_config_key> protocol_keys();  // [[protocol]], beside the component's own
[[nodiscard]] std::span<const gantry_config_key> filter_keys();    // [[filter]], beside the component's own

// A commented TOML fragment, one key after the other: doc line, type, range, default; `header` is "[broker]" or "" for none.
[[nodiscard]] std::string render_keys(std::string_view header, std::span<const gantry_config_key> keys);

// "duration", "500ms", "1 KiB .. 16 MiB": also used in messages.
[[nodiscard]] std::string type_text(const gantry_config_key &key);
[[nodiscard]] std::string range_text(const gantry_config_key &key);  // empty when any value will do

}  // namespace gantry::config
