// A filter plugin in the test itself: expressions of type SCRIPT that say what shall happen.
#pragma once

#include <gantry/draft/filter.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace gantry::test {

// Expressions: "NAME=VALUE" (a property), "all" and "none" (reduced), "body TEXT" and "props TEXT" (contained in there), "error NAME" (undecided where the property
// exists), "budget NAME" (looks at half of a batch, then gives up), "big" (says that it takes 40 MiB), "insane" (against the interface), "cost N NAME=VALUE".
// Anything else is refused. Outlives its programs.
class ScriptedFilter {
 public:
  [[nodiscard]] static const gantry_filter_v1 *table();
  [[nodiscard]] void *self() { return this; }

  std::string types = "SCRIPT";
  std::atomic<int> compiled{0}, released{0}, evals{0};
  std::atomic<std::uint32_t> largest_batch{0};
  std::vector<std::string> faults;  // of the kernel's batches, on one shard
};

}  // namespace gantry::test
