// What one run of a script may spend. A step is one instruction of Lua's machine, one step of a pattern, or 32 bytes of work elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gantry::lua {

inline constexpr std::size_t kBytesPerStep = 32;

struct Meter {
  std::uint64_t used = 0, limit = UINT64_MAX;

  // False: the budget is spent.
  [[nodiscard]] bool spend(std::uint64_t steps) {
    used += steps;
    return used <= limit;
  }
  [[nodiscard]] bool spend_bytes(std::size_t bytes) { return spend(1 + bytes / kBytesPerStep); }
  [[nodiscard]] bool over() const { return used > limit; }
};

}  // namespace gantry::lua
