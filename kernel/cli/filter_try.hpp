// `gantry filter try`: an expression on messages that a broker has, before any consumer depends on it.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::cli {

struct FilterTryOptions {
  std::string expression, type = "SQL92";
  std::string config_file;  // whose filter plugins and their keys are used; empty: those of the built-in configuration
  std::string broker;       // host:port; empty: the one that the configuration describes, on this machine
  std::string topic;
  std::uint32_t last = 1000;     // so many messages, the newest by store time
  std::uint32_t examples = 5;
  bool json = false;
};

// The messages are pulled over the wire and filtered here, by the same code that the broker filters with: the broker runs nothing, and no offset of a group changes.
// Exit code 0; 1 with the reason on stderr; 2: the expression is refused.
[[nodiscard]] int try_filter(const FilterTryOptions &options);

}  // namespace gantry::cli
