// `gantry plugin check`: runs the conformance kit on one plugin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gantry::cli {

struct CheckOptions {
  std::string plugin;                 // path of the .so
  std::string cases;                  // file of filter cases; empty: none
  std::vector<std::string> settings;  // key=value
  std::optional<std::uint64_t> seed;  // else a new one each time
  std::string only;                   // part of the names of the tests to run; empty: all
  int timeout_ms = 30000;             // of one test
  bool json = false;
};

// Prints TAP (testanything.org, version 13) or one JSON object. 0 when no test failed, 1 when one did, 2 when there was nothing to run.
[[nodiscard]] int check_plugin(const CheckOptions &options);

}  // namespace gantry::cli
