#include "json/document.hpp"

#include "json/parser.hpp"

#include <algorithm>

namespace gantry::remoting::json {

const Value Document::kNullValue;

std::string ParseError::text() const {
  return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what;
}

bool Document::parse(std::string_view text) {
  arena_.reset();
  root_ = &kNullValue;
  error_ = ParseError{};
  Parser parser(text, limits_, arena_);
  if (const Value *root = parser.parse()) {
    root_ = root;
    return true;
  }
  error_.what = parser.what();
  error_.offset = parser.offset();
  const std::string_view before = text.substr(0, error_.offset);
  error_.line = static_cast<std::uint32_t>(1 + std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = before.rfind('\n');
  error_.column = static_cast<std::uint32_t>(error_.offset - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1);
  return false;
}

}  // namespace gantry::remoting::json
