// Expressions of type EXAMPLE_FILTER: "level>=3" matches messages whose property `level` is a whole number of 3 or more. A message without
// the property does not match; of one whose value is no number it cannot be said.
#include <gantry++/filter.hpp>

#include <charconv>
#include <optional>

namespace {

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

struct ExampleFilter {
  std::string name;
  std::int64_t least = 0;

  static gantry::Compiled<ExampleFilter> compile(std::string_view text) {
    if (text.size() > 1000) return gantry::Refusal{1000, "the expression is longer than 1000 bytes", GANTRY_E_LIMIT};
    const std::size_t sign = text.find(">=");
    if (sign == std::string_view::npos) return gantry::Refusal{text.size(), "expected NAME>=NUMBER, found no >="};
    if (sign == 0) return gantry::Refusal{0, "expected the name of a property before >="};
    const auto least = number(text.substr(sign + 2));
    if (!least) return gantry::Refusal{sign + 2, "expected a whole number after >="};
    return ExampleFilter{std::string(text.substr(0, sign)), *least};
  }

  [[nodiscard]] std::vector<std::string> columns() const { return {name}; }

  [[nodiscard]] gantry::Match match(std::span<const std::string_view> values) const {
    if (values[0].empty()) return gantry::Match::kNo;
    const auto value = number(values[0]);
    if (!value) return gantry::Match::kUndecided;
    return *value >= least ? gantry::Match::kYes : gantry::Match::kNo;
  }
};

}  // namespace

GANTRY_FILTER_PLUGIN("org.example.example-filter", "0.1.0", "Apache-2.0", "example_filter", "EXAMPLE_FILTER", ExampleFilter)
