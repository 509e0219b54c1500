#include "kernel/config/delay_levels.hpp"

#include <charconv>
#include <string>

namespace gantry::config {

namespace {

constexpr std::int64_t kMaxDelayMs = std::int64_t{366} * 24 * 3600 * 1000;

std::int64_t unit_ms(char unit) {
  switch (unit) {
    case 's': return 1000;
    case 'm': return 60'000;
    case 'h': return 3'600'000;
    case 'd': return 86'400'000;
    default: return 0;
  }
}

}  // namespace

Result<DelayLevels> DelayLevels::parse(std::string_view text) {
  DelayLevels out;
  const auto wrong = [](std::string_view word, const char *why) {
    return Error{GANTRY_E_INVALID, "delay level '" + std::string(word) + "' " + why};
  };
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    const std::int64_t unit = end + 1 == word.data() + word.size() ? unit_ms(*end) : 0;
    if (error != std::errc() || unit == 0 || number < 1) return wrong(word, "is no number with one of the units s, m, h, d");
    if (number > kMaxDelayMs / unit) return wrong(word, "is longer than 366d");
    if (out.levels_ms_.size() == kMaxDelayLevels) return wrong(word, "is one too many: 128 levels are allowed");
    out.levels_ms_.push_back(number * unit);
  }
  if (out.levels_ms_.empty()) return Error{GANTRY_E_INVALID, "no delay level; RocketMQ's are \"" + std::string(kDefaultDelayLevels) + "\""};
  return out;
}

}  // namespace gantry::config
