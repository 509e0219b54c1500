// Kinds of numbers that must not be mixed up: positions in the log and offsets in a queue.
#pragma once

#include <gantry++/result.hpp>

#include <compare>
#include <cstdint>

namespace gantry::commitlog {

// A count of bytes or records from the beginning of its own space. Differences are plain integers.
template <typename Tag>
struct Position {
  std::int64_t v = 0;

  friend constexpr auto operator<=>(Position, Position) = default;
  friend constexpr Position operator+(Position p, std::int64_t n) { return {p.v + n}; }
  friend constexpr Position operator-(Position p, std::int64_t n) { return {p.v - n}; }
  friend constexpr std::int64_t operator-(Position a, Position b) { return a.v - b.v; }
};

using LogPos = Position<struct LogPosTag>;      // byte of the log; never reused while the data directory lives
using QueueOff = Position<struct QueueOffTag>;  // record of a queue

[[nodiscard]] constexpr std::int64_t align_down(std::int64_t v, std::int64_t unit) { return v / unit * unit; }
[[nodiscard]] constexpr std::int64_t align_up(std::int64_t v, std::int64_t unit) { return (v + unit - 1) / unit * unit; }
[[nodiscard]] constexpr LogPos align_down(LogPos p, std::int64_t unit) { return {align_down(p.v, unit)}; }
[[nodiscard]] constexpr LogPos align_up(LogPos p, std::int64_t unit) { return {align_up(p.v, unit)}; }

}  // namespace gantry::commitlog
