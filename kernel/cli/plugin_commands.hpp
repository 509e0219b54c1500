// `gantry plugin list|new|check|top`: for those who write or install plugins. Only the last needs a running server.
#pragma once

#include "kernel/cli/check_plugin.hpp"
#include "kernel/cli/new_plugin.hpp"
#include "kernel/cli/plugin_top.hpp"

#include <string>

namespace CLI {
class App;
}

namespace gantry::cli {

// Declares the commands in its constructor; parsing the command line fills them.
class PluginCommands {
 public:
  explicit PluginCommands(CLI::App &app);
  PluginCommands(const PluginCommands &) = delete;
  PluginCommands &operator=(const PluginCommands &) = delete;

  // Runs the one that was given. Exit code.
  [[nodiscard]] int run();

 private:
  CLI::App *list_, *new_, *check_, *top_;
  std::string list_dir_;
  bool list_json_ = false;
  NewPluginOptions new_options_;
  CheckOptions check_options_;
  PluginTopOptions top_options_;
};

// The plugins of a folder, or of all folders that are searched when `dir` is empty, read from their files alone. 0 when this program takes every one; 1 when it
// refuses one or the folder cannot be read.
[[nodiscard]] int list_plugins(const std::string &dir, bool json);

}  // namespace gantry::cli
