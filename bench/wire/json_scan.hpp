// A forward scan over one JSON object's members, without a tree and without allocation.
#pragma once

#include <cstddef>
#include <string_view>

namespace gantry::bench {

namespace scan {

inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

/// `at` is on an opening quote; returns the position after the closing one, npos when there is none.
inline std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

/// Returns the position after the value that begins at `at`, npos when it is cut off.
inline std::size_t skip_value(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '"') return skip_string(text, at);
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == std::string_view::npos) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    if (depth == 0 && (c == ',' || is_blank(c))) return at;
    ++at;
  }
  return std::string_view::npos;
}

}  // namespace scan

/// Calls visit(key, value) for every member of the object `text`. The key has no quotes; the value is
/// the raw text (a string keeps its quotes and escapes). Returns false where the text is no object.
template <class Visit>
[[nodiscard]] bool scan_object(std::string_view text, Visit visit) {
  using namespace scan;
  std::size_t at = skip_blanks(text, 0);
  if (at >= text.size() || text[at] != '{') return false;
  at = skip_blanks(text, at + 1);
  if (at < text.size() && text[at] == '}') return true;
  while (at < text.size() && text[at] == '"') {
    const std::size_t key_end = skip_string(text, at);
    if (key_end == std::string_view::npos) return false;
    const std::string_view key = text.substr(at + 1, key_end - at - 2);
    at = skip_blanks(text, key_end);
    if (at >= text.size() || text[at] != ':') return false;
    at = skip_blanks(text, at + 1);
    const std::size_t value_end = skip_value(text, at);
    if (value_end == std::string_view::npos) return false;
    visit(key, text.substr(at, value_end - at));
    at = skip_blanks(text, value_end);
    if (at < text.size() && text[at] == '}') return true;
    if (at >= text.size() || text[at] != ',') return false;
    at = skip_blanks(text, at + 1);
  }
  return false;
}

/// The text between the quotes of a raw JSON string; other values are returned as they are.
inline std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"') return value.substr(1, value.size() - 2);
  return value;
}

}  // namespace gantry::bench
