// `gantry plugin top`: what the plugins and expressions of a running broker cost.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::cli {

struct PluginTopOptions {
  std::string broker = "127.0.0.1:10911";
  std::int64_t interval_ms = 2000;
  bool once = false;
  bool json = false;  // one object per look
};

// Asks the broker with a request of Gantry's own (docs/protocols/remoting.md). The first look shows everything since the start, each later one what came since the last.
// Goes on until Ctrl-C. Exit code 0, or 1 with the reason on stderr.
[[nodiscard]] int plugin_top(const PluginTopOptions &options);

}  // namespace gantry::cli
