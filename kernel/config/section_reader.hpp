// Reads the keys of one section against declared keys. Internal to kernel/config.
#pragma once

#include "kernel/config/tree.hpp"
#include "kernel/config/value.hpp"

#include <map>
#include <span>

namespace gantry::config {

using TypedValues = std::map<std::string, TypedValue, std::less<>>;

// The value of every declared key: from the section, else its default. Wrong values are reported and replaced by the default, missing
// required ones reported when `report_missing`. `fallbacks`: keys whose defaults go before those of `keys` (the kernel's own).
[[nodiscard]] TypedValues read_keys(const Section &section, std::span<const gantry_config_key> keys, Problems &problems, bool report_missing,
                                    std::span<const gantry_config_key> fallbacks = {});

// Reports every key of the section that none of the tables declares, with the nearest that one does.
void report_unknown_keys(const Section &section, std::span<const gantry_config_key> kernel_keys, std::span<const gantry_config_key> component_keys,
                         Problems &problems);

// Checks "host:port", "[v6]:port", ":port". Empty when fine, else what is wrong.
[[nodiscard]] std::string listen_fault(std::string_view listen);
// Host ("" = all addresses) and port of an address without fault.
struct HostPort {
  std::string host;
  std::uint32_t port = 0;
};
[[nodiscard]] HostPort split_listen(std::string_view listen);
// Whether only this machine reaches it: 127.0.0.0/8, [::1], localhost.
[[nodiscard]] bool is_loopback(std::string_view listen);
// Whether the two could not both be bound on one machine.
[[nodiscard]] bool listens_clash(std::string_view a, std::string_view b);

}  // namespace gantry::config
