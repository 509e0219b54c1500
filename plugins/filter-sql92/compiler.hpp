// RocketMQ's selector grammar to a Program, without recursion: an operator stack in memory, so that nesting costs no call stack and chains of
// thousands of terms are read, compiled and released in loops.
//
//   or:         and { OR and }
//   and:        equality { AND equality }
//   equality:   comparison { (= | <>) comparison | IS [NOT] NULL }
//   comparison: unary { (> | >= | < | <=) unary | [NOT] BETWEEN unary AND unary | [NOT] IN (text, ...)
//                     | [NOT] (CONTAINS | STARTSWITH | ENDSWITH) text }
//   unary:      { + | - | NOT } (literal | name | ( or ))
//
// As in RocketMQ, what follows a whole expression and does not continue it is ignored, as far as its first token is one.
#pragma once

#include "program.hpp"

#include <memory>

namespace gantry::sql92 {

struct Problem {
  std::int32_t code = 0;  // GANTRY_E_SYNTAX or GANTRY_E_LIMIT
  std::size_t at = 0;     // byte offset in the text
  std::string what;
};

// Null: `problem` says why.
[[nodiscard]] std::unique_ptr<Program> compile(std::string_view text, Problem *problem);

}  // namespace gantry::sql92
