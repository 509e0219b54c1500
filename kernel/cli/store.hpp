// `gantry store verify|dump|repair`: what a store plugin's tool component says of a folder, as text or JSON.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace gantry::cli {

// Exit codes beside those of command_line.hpp.
inline constexpr int kExitDamaged = 4;  // something is wrong, but nothing is lost with it
inline constexpr int kExitLost = 5;     // records or rows are lost

enum class StoreAction { kVerify, kDump, kRepair };

struct StoreOptions {
  std::string data_dir;
  std::string plugin = "store-commitlog";
  bool json = false;
  bool apply = false;  // repair: do it
  // dump
  std::string what = "records", topic;
  std::int64_t queue_no = -1;
  std::int64_t begin_off = 0, end_off = std::numeric_limits<std::int64_t>::max();
};

// Findings and items to standard output, progress to standard error when that is a terminal. Ctrl-C ends it early, before anything is mended.
[[nodiscard]] int run_store_tool(StoreAction action, const StoreOptions &options);

}  // namespace gantry::cli
