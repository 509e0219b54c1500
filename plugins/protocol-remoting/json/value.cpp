#include "json/value.hpp"

#include <charconv>
#include <limits>
#include <system_error>

namespace gantry::remoting::json {

namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (folded != lower[i]) return false;
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_int64(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (text.empty() || (text.front() == '+')) return std::nullopt;
  std::int64_t whole = 0;
  const char *end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, whole);
  if (error == std::errc{} && at == end) return whole;
  if (error == std::errc::result_out_of_range && at == end) return std::nullopt;
  double real = 0;
  const auto [real_at, real_error] = std::from_chars(text.data(), end, real);
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (real_error != std::errc{} || real_at != end || !(real >= -kLimit && real < kLimit)) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

const Value *Value::find(std::string_view key) const {
  const Value *found = nullptr;
  if (kind_ != Kind::kObject) return found;
  for (const Value *member = child_; member != nullptr; member = member->next_) {
    if (member->key_value_ == nullptr && member->key() == key) found = member;
  }
  return found;
}

std::optional<std::int64_t> Value::to_int64() const {
  if (kind_ != Kind::kNumber && kind_ != Kind::kString) return std::nullopt;
  return parse_int64(text());
}

std::optional<std::int32_t> Value::to_int32() const {
  const auto wide = to_int64();
  if (!wide || *wide < std::numeric_limits<std::int32_t>::min() || *wide > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return static_cast<std::int32_t>(*wide);
}

std::optional<bool> Value::to_bool() const {
  if (kind_ == Kind::kNumber) {
    const auto number = to_int64();
    return number ? std::optional(*number == 1) : std::nullopt;
  }
  if (kind_ != Kind::kBool && kind_ != Kind::kString) return std::nullopt;
  for (const std::string_view yes : {"true", "1", "y", "t"}) {
    if (equals_ignoring_case(text(), yes)) return true;
  }
  for (const std::string_view no : {"false", "0", "n", "f"}) {
    if (equals_ignoring_case(text(), no)) return false;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Value::to_enum(std::initializer_list<std::string_view> names) const {
  if (kind_ == Kind::kString) {
    std::uint32_t ordinal = 0;
    for (const std::string_view name : names) {
      if (name == text()) return ordinal;
      ++ordinal;
    }
    return std::nullopt;
  }
  const auto ordinal = to_int64();
  if (!ordinal || *ordinal < 0 || *ordinal >= static_cast<std::int64_t>(names.size())) return std::nullopt;
  return static_cast<std::uint32_t>(*ordinal);
}

std::int64_t Value::int64_or(std::string_view key, std::int64_t fallback) const {
  const Value *member = find(key);
  return member != nullptr ? member->to_int64().value_or(fallback) : fallback;
}

std::int32_t Value::int32_or(std::string_view key, std::int32_t fallback) const {
  const Value *member = find(key);
  return member != nullptr ? member->to_int32().value_or(fallback) : fallback;
}

bool Value::bool_or(std::string_view key, bool fallback) const {
  const Value *member = find(key);
  return member != nullptr ? member->to_bool().value_or(fallback) : fallback;
}

std::string_view Value::text_or(std::string_view key, std::string_view fallback) const {
  const Value *member = find(key);
  const bool has_text = member != nullptr && (member->kind_ == Kind::kString || member->kind_ == Kind::kNumber || member->kind_ == Kind::kBool);
  return has_text ? member->text() : fallback;
}

}  // namespace gantry::remoting::json
