// Values as RocketMQ's filter sees them (Java's null, Boolean, Integer, Long, Double, String), and how it compares them. Properties are strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gantry::sql92 {

enum class Kind : std::uint8_t { kNull, kBool, kInt, kLong, kDouble, kText };

struct Value {
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;  // kInt (within 32 bits), kLong; kBool: 0 or 1
  double real = 0;           // kDouble
  std::string_view text;     // kText: UTF-8, not owned

  [[nodiscard]] static Value of(bool b) { return {Kind::kBool, b ? 1 : 0, 0, {}}; }
  [[nodiscard]] static Value of(std::string_view s) { return {Kind::kText, 0, 0, s}; }
  [[nodiscard]] bool is_null() const { return kind == Kind::kNull; }
  [[nodiscard]] bool is_number() const { return kind == Kind::kInt || kind == Kind::kLong || kind == Kind::kDouble; }
};

// kError: Java throws; the message does not match, whatever stands around the term.
enum class Truth : std::uint8_t { kFalse, kTrue, kUnknown, kError };
// <> is NOT =.
enum class Relation : std::uint8_t { kEqual, kGreater, kGreaterEqual, kLess, kLessEqual };

// Integer.valueOf, Long.valueOf (ASCII digits only) and Double.valueOf. Empty: NumberFormatException.
[[nodiscard]] std::optional<std::int64_t> parse_int(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_long(std::string_view text);
[[nodiscard]] std::optional<double> parse_double(std::string_view text);

// Double.compare: -0.0 before 0.0, NaN equal to itself and above everything.
[[nodiscard]] int compare_doubles(double l, double r);

// Sign of RocketMQ's __compare for values that are not null; none: it throws. Values of kinds that do not fit are "less".
[[nodiscard]] std::optional<int> compare(const Value &l, const Value &r);

[[nodiscard]] inline bool holds(Relation relation, int order) {
  switch (relation) {
    case Relation::kEqual: return order == 0;
    case Relation::kGreater: return order > 0;
    case Relation::kGreaterEqual: return order >= 0;
    case Relation::kLess: return order < 0;
    case Relation::kLessEqual: return order <= 0;
  }
  return false;
}

// `l relation r`. A null on the right alone makes an equality false, one on the left makes it unknown; two are equal. Otherwise a null makes it unknown.
[[nodiscard]] Truth relate(Relation relation, const Value &l, const Value &r);

}  // namespace gantry::sql92
