// Sizes and durations with their units.
#include "kernel/config/value.hpp"

#include <charconv>
#include <iterator>
#include <span>

namespace gantry::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
// Largest last; the first name of a factor is the one written back.
constexpr Unit kSizeUnits[] = {{"B", 1}, {"KiB", 1ll << 10}, {"MiB", 1ll << 20}, {"GiB", 1ll << 30}, {"TiB", 1ll << 40}};
constexpr Unit kDurationUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> parse_units(std::string_view text, std::span<const Unit> units, bool bare_number) {
  text = trimmed(text);
  std::int64_t number = 0;
  const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{}) return std::nullopt;
  const std::string_view unit = trimmed(text.substr(static_cast<std::size_t>(rest - text.data())));
  if (unit.empty()) return bare_number || number == 0 ? std::optional(number) : std::nullopt;
  for (const Unit &known : units) {
    if (unit != known.name) continue;
    std::int64_t out = 0;
    return __builtin_mul_overflow(number, known.factor, &out) ? std::nullopt : std::optional(out);
  }
  return std::nullopt;
}

std::string in_units(std::int64_t number, std::span<const Unit> units, std::string_view between) {
  const Unit *best = &units.front();
  for (const Unit &unit : units)
    if (number != 0 && number % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  return std::to_string(number / best->factor) + std::string(between) + std::string(best->name);
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) { return parse_units(text, kSizeUnits, true); }
std::optional<std::int64_t> parse_duration(std::string_view text) { return parse_units(text, kDurationUnits, false); }
std::string size_text(std::int64_t bytes) { return in_units(bytes, kSizeUnits, " "); }
std::string duration_text(std::int64_t ms) { return ms == 0 ? "0s" : in_units(ms, kDurationUnits, ""); }

}  // namespace gantry::config
