// Delay levels: RocketMQ's `messageDelayLevel`.
#pragma once

#include <gantry++/result.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace gantry::config {

inline constexpr char kDefaultDelayLevels[] = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
inline constexpr std::size_t kMaxDelayLevels = 128;

class DelayLevels {
 public:
  // "1s 5s 10m 2h 1d": numbers with the units s, m, h, d, separated by blanks; the first one is level 1. INVALID with the word that is wrong.
  [[nodiscard]] static Result<DelayLevels> parse(std::string_view text);

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(levels_ms_.size()); }
  // A level above the highest is the highest, as RocketMQ has it. `level` >= 1.
  [[nodiscard]] std::uint32_t clamp(std::int64_t level) const { return level > count() ? count() : static_cast<std::uint32_t>(level); }
  [[nodiscard]] std::int64_t delay_ms(std::uint32_t level) const { return levels_ms_[level - 1]; }

 private:
  std::vector<std::int64_t> levels_ms_;
};

}  // namespace gantry::config
