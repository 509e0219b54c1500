// The command line: subcommands, options, help. What each does lives elsewhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace gantry::cli {

struct RunOptions {
  std::string config_file;               // empty: the built-in configuration
  std::vector<std::string> definitions;  // section.key=value of -D
};

// Exit codes: 0 done, 1 failed, 2 usage, 3 refused by the server; of `gantry store` also those in store.hpp.
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 3;

// Parses and runs one command. `run` starts the server and returns its exit code.
[[nodiscard]] int run_command(int argc, char **argv, const std::function<int(const RunOptions &)> &run);

}  // namespace gantry::cli
