#include "value.hpp"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace gantry::sql92 {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

std::optional<std::int64_t> parse_integer(std::string_view text, std::uint64_t max) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  const std::uint64_t limit = max + (negative ? 1 : 0);
  std::uint64_t value = 0;
  if (text.size() < 10) {  // below all limits
    for (const char c : text) {
      if (!is_digit(c)) return std::nullopt;
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return static_cast<std::int64_t>(negative ? 0 - value : value);
  }
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (limit - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return static_cast<std::int64_t>(negative ? 0 - value : value);
}

// Whether a number too large or too small for a double was too large. `text` is digits with at most one point and an exponent.
bool overflows(std::string_view text, int digits_per_place) {
  const bool hex = digits_per_place == 4;
  const std::size_t mark = text.find_first_of(hex ? "pP" : "eE");
  const std::string_view mantissa = text.substr(0, mark);
  std::int64_t exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view e = text.substr(mark + 1);
    const bool negative = e[0] == '-';
    if (negative || e[0] == '+') e.remove_prefix(1);
    for (const char c : e) exponent = exponent < 1'000'000'000 ? exponent * 10 + (c - '0') : exponent;
    if (negative) exponent = -exponent;
  }
  const std::size_t point = mantissa.find('.') == std::string_view::npos ? mantissa.size() : mantissa.find('.');
  const std::size_t first = mantissa.find_first_not_of("0.");
  if (first == std::string_view::npos) return false;
  const std::int64_t places = first < point ? static_cast<std::int64_t>(point - first) : -static_cast<std::int64_t>(first - point - 1);
  return exponent + places * digits_per_place > 0;
}

// Digits with at most one point, then perhaps an exponent: what Java wants of both forms of floating point numbers. 0: that is no number.
std::size_t mantissa_bytes(std::string_view text, bool (*digit)(char)) {
  std::size_t at = 0, digits = 0;
  while (at < text.size() && digit(text[at])) ++at, ++digits;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && digit(text[at])) ++at, ++digits;
  }
  return digits == 0 ? 0 : at;
}

// Digits with at most one point, so few that they and the power of ten are doubles exactly: then one division rounds once, as it should
// (W. D. Clinger, How to read floating point numbers accurately, 1990). Empty: it has another form, or more digits.
std::optional<double> parse_short_decimal(std::string_view text) {
  constexpr std::size_t kMaxDigits = 15;
  static constexpr double kPowers[kMaxDigits + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  if (text.size() > kMaxDigits + 1) return std::nullopt;
  std::int64_t digits = 0;
  std::size_t point = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      digits = digits * 10 + (text[i] - '0');
    } else if (text[i] == '.' && point == text.size()) {
      point = i;
    } else {
      return std::nullopt;
    }
  }
  const bool whole = point == text.size();
  const std::size_t n = text.size() - (whole ? 0 : 1);
  if (n == 0 || n > kMaxDigits) return std::nullopt;
  return whole ? static_cast<double>(digits) : static_cast<double>(digits) / kPowers[n - point];
}

std::optional<double> parse_magnitude(std::string_view text) {
  if (const std::optional<double> value = parse_short_decimal(text); value.has_value()) return value;
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
  if (hex) text.remove_prefix(2);
  std::size_t at = mantissa_bytes(text, hex ? is_hex : is_digit);
  if (at == 0) return std::nullopt;
  if (at < text.size() && (text[at] | 0x20) == (hex ? 'p' : 'e')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (at == text.size() || !is_digit(text[at])) return std::nullopt;
    while (at < text.size() && is_digit(text[at])) ++at;
  } else if (hex) {
    return std::nullopt;
  }
  const std::string_view number = text.substr(0, at);
  if (const std::string_view rest = text.substr(at); rest.size() > 1 || (rest.size() == 1 && std::strchr("fFdD", rest[0]) == nullptr)) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, hex ? std::chars_format::hex : std::chars_format::general);
  if (error == std::errc::result_out_of_range) return overflows(number, hex ? 4 : 1) ? std::numeric_limits<double>::infinity() : 0.0;
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return value;
}

bool is_true(std::string_view text) {
  return text.size() == 4 && (text[0] | 0x20) == 't' && (text[1] | 0x20) == 'r' && (text[2] | 0x20) == 'u' && (text[3] | 0x20) == 'e';
}

int order(std::int64_t l, std::int64_t r) { return l < r ? -1 : l > r ? 1 : 0; }

std::optional<int> order(std::optional<std::int64_t> l, std::int64_t r) { return l.has_value() ? std::optional(order(*l, r)) : std::nullopt; }

double as_double(const Value &v) { return v.kind == Kind::kDouble ? v.real : static_cast<double>(v.integer); }

// A string beside a number is read as a number of that kind.
std::optional<int> compare_text(std::string_view text, const Value &number) {
  switch (number.kind) {
    case Kind::kInt: return order(parse_int(text), number.integer);
    case Kind::kLong: return order(parse_long(text), number.integer);
    default: {
      const std::optional<double> read = parse_double(text);
      return read.has_value() ? std::optional(compare_doubles(*read, number.real)) : std::nullopt;
    }
  }
}

}  // namespace

std::optional<std::int64_t> parse_int(std::string_view text) { return parse_integer(text, INT32_MAX); }
std::optional<std::int64_t> parse_long(std::string_view text) { return parse_integer(text, INT64_MAX); }

std::optional<double> parse_double(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  std::optional<double> value;
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity")
    value = std::numeric_limits<double>::infinity();
  else
    value = parse_magnitude(text);
  return value.has_value() && negative ? std::optional(-*value) : value;
}

int compare_doubles(double l, double r) {
  if (l < r) return -1;
  if (l > r) return 1;
  if (l != l || r != r) return (l != l ? 1 : 0) - (r != r ? 1 : 0);
  if (l != 0) return 0;
  return (std::signbit(r) ? 1 : 0) - (std::signbit(l) ? 1 : 0);
}

std::optional<int> compare(const Value &l, const Value &r) {
  if (l.kind == Kind::kText && r.kind == Kind::kText) return l.text == r.text ? 0 : l.text < r.text ? -1 : 1;
  if (l.kind == Kind::kBool && r.kind == Kind::kBool) return order(l.integer, r.integer);
  if (l.kind == Kind::kBool) return r.kind == Kind::kText ? std::nullopt : std::optional(-1);  // ClassCastException
  if (l.kind == Kind::kText && r.kind == Kind::kBool) return order(is_true(l.text) ? 1 : 0, r.integer);
  if (r.kind == Kind::kBool) return -1;
  if (l.kind == Kind::kText) return compare_text(l.text, r);
  if (r.kind == Kind::kText) {
    const std::optional<int> reverse = compare_text(r.text, l);
    return reverse.has_value() ? std::optional(-*reverse) : std::nullopt;
  }
  if (l.kind == Kind::kDouble || r.kind == Kind::kDouble) return compare_doubles(as_double(l), as_double(r));
  return order(l.integer, r.integer);
}

Truth relate(Relation relation, const Value &l, const Value &r) {
  const auto truth = [](bool b) { return b ? Truth::kTrue : Truth::kFalse; };
  if (relation == Relation::kEqual) {
    if (l.is_null()) return r.is_null() ? Truth::kTrue : Truth::kUnknown;
    if (r.is_null()) return Truth::kFalse;
  } else {
    if (l.is_null() || r.is_null()) return Truth::kUnknown;
    if (l.kind == Kind::kText && r.kind == Kind::kText) {
      const std::optional<double> lv = parse_double(l.text), rv = parse_double(r.text);
      return lv.has_value() && rv.has_value() ? truth(holds(relation, compare_doubles(*lv, *rv))) : Truth::kError;
    }
  }
  const std::optional<int> sign = compare(l, r);
  return sign.has_value() ? truth(holds(relation, *sign)) : Truth::kError;
}

}  // namespace gantry::sql92
