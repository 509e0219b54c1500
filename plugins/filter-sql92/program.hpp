// A compiled expression: operations on a stack of truth planes, in the order in which RocketMQ evaluates. Immutable once made.
#pragma once

#include "value.hpp"

#include <gantry/draft/filter.h>

#include <string>
#include <vector>

namespace gantry::sql92 {

inline constexpr std::size_t kMaxTextBytes = 32u << 10;
inline constexpr std::uint32_t kMaxNesting = 100;  // parentheses, NOT, + and - that are open at once
inline constexpr std::uint32_t kMaxDepth = 256;    // of the stack of planes

enum class Source : std::uint8_t { kConstant, kColumn, kStack };  // kStack: a truth that was computed before
struct Operand {
  Source source = Source::kConstant;
  std::uint32_t index = 0;  // of the constant or column
};

enum class OpCode : std::uint8_t {
  kTruth,    // pushes `truth`
  kCast,     // operand 0, a column, as a condition: a property is never a Boolean
  kRelate,   // operand 0 `relation` operand 1
  kBetween,  // operand 0 >= operand 1 AND operand 0 <= operand 2; negated: < OR >
  kIsNull,   // operand 0
  kIn,       // operand 0, a column, is in set `index`
  kContains, kStartsWith, kEndsWith,  // operand 0 and constant `index`, a text
  kNot, kAnd, kOr,                    // of the top one or two
  kOnlyAnd, kOnlyOr,  // until the kAnd or kOr at `index`, only messages that the top, its left side, leaves open are looked at; without any, it goes on there
  kForget,   // the top becomes null: the minus sign of what is no number
};
struct Op {
  OpCode code = OpCode::kTruth;
  Truth truth = Truth::kUnknown;
  Relation relation = Relation::kEqual;
  bool negated = false;
  std::uint32_t index = 0;
  Operand operands[3];
};

struct Set {
  std::uint32_t first = 0, n = 0;  // in Program::members, sorted
};

struct Program {
  std::vector<Op> ops;
  std::vector<Value> constants;
  std::vector<Set> sets;
  std::vector<std::string_view> members;
  std::string texts;                     // what constants and members point into; never grows
  std::vector<std::string> column_names;
  std::vector<gantry_str> columns;       // the same for the kernel

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint32_t steps() const;  // for one message at most: operations but for those that only say where to look
};

// Bits of 64 messages; a bit that is in none of them is null.
struct Planes {
  std::uint64_t yes = 0, no = 0, error = 0;
};

// n: 1..64. cols[c][i] is column c of message i; an empty one is absent.
[[nodiscard]] Planes evaluate(const Program &program, const gantry_str *const *cols, std::uint32_t n);

}  // namespace gantry::sql92
