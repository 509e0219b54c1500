// Reads one JSON text the way RocketMQ's own parser (fastjson 1.x, default features) does. Beyond strict JSON it takes:
//   unquoted and single-quoted keys            {a:1,'b':2}
//   integer keys                               {0:"h:p"}
//   objects and arrays as keys                 {{"queueId":0}:1}
//   single-quoted strings, \x41 \v \' \0..\7   'it''s' is still two strings
//   a comma before } or ], comments, number suffixes L S B F D, `undefined` and NaN as null, raw control characters in strings.
// Everything else is refused with its position. Nothing throws; a text from a stranger costs at most Limits.
#pragma once

#include "json/arena.hpp"
#include "json/value.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting::json {

struct Limits {
  std::uint32_t max_depth = 64;            // of nested objects and arrays, keys included
  std::uint32_t max_values = 1u << 20;     // 64 bytes of memory each
  std::size_t max_bytes = 16u << 20;       // of the text
};

struct ParseError {
  std::size_t offset = 0;                // byte in the text
  std::uint32_t line = 0, column = 0;    // 1-based, column in bytes
  const char *what = "";                 // "expected ':' after a key"

  [[nodiscard]] std::string text() const;  // "line 1, column 5: expected ':' after a key"
};

// Reusable: parse drops what the previous one made. Not thread safe.
class Document {
 public:
  Document() = default;
  explicit Document(const Limits &limits) : limits_(limits) {}

  // False: see error(); root() is null then. Values point into `text`, which must stay unchanged as long as they are used.
  [[nodiscard]] bool parse(std::string_view text);
  [[nodiscard]] const Value &root() const { return *root_; }
  [[nodiscard]] const ParseError &error() const { return error_; }

 private:
  static const Value kNullValue;

  Limits limits_;
  Arena arena_;
  const Value *root_ = &kNullValue;
  ParseError error_;
};

}  // namespace gantry::remoting::json
