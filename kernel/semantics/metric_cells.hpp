// Cells of shard 0, which alone writes them; others read them meanwhile.
#pragma once

#include <cstdint>

namespace gantry::semantics {

inline void set_gauge(std::uint64_t *cell, std::int64_t value) { __atomic_store_n(cell, static_cast<std::uint64_t>(value), __ATOMIC_RELAXED); }
inline void count(std::uint64_t *cell) { __atomic_store_n(cell, *cell + 1, __ATOMIC_RELAXED); }

}  // namespace gantry::semantics
