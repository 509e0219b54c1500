// The result a protocol gets for a pop: records of several queues, pinning the store's results until it is released.
#pragma once

#include <gantry/draft/pop.h>

#include <atomic>
#include <vector>

namespace gantry::semantics {

struct PopPart {
  gantry_pop_part abi{};
  std::vector<std::uint32_t> deliveries;
};

// Made with a reference count of one.
struct PopResult {
  gantry_owner owner{};  // first, so that the owner's address is the object's
  gantry_pop_result abi{};
  std::vector<gantry_record> records;
  std::vector<PopPart> parts;
  std::vector<gantry_pop_part> abi_parts;
  std::vector<gantry_owner *> pinned;
  std::atomic<std::uint32_t> references{1};

  // An empty one, from a pool.
  [[nodiscard]] static PopResult *make();
  // Fills abi from the vectors; nothing is added afterwards.
  void seal(std::uint32_t outcome);
};

}  // namespace gantry::semantics
