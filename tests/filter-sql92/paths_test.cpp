// The fast ways through an expression beside the slow ones: the same answers.
#include "run_program.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

namespace gantry::sql92 {
namespace {

using Random = std::mt19937;

std::size_t below(Random &random, std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); }
const std::string &one_of(Random &random, const std::vector<std::string> &all) { return all[below(random, all.size())]; }

const std::vector<std::string> kTexts = {"",     "1",    "2",   "3",  "-1", "+2", "007",  "1.5",  "2.0", "-0.0",       "0",          "0.0",        "1e2",
                                         "NaN",  "x",    "red", " 2", "2 ", "2f", "0x1p1", "1L",   ".5",  "5.",         "2147483647", "2147483648", "9223372036854775807",
                                         "true", "TRUE", ".",   "-",  "+",  "--1", "1.2.3", "1e-400", "9223372036854775808", "0.1234567890123456", "999999999999999", "Infinity"};
const std::vector<std::string> kTerms = {"a = 1", "a <> 2", "a > 1", "b <= 2.5", "b >= 3000000000", "c = 'red'", "c <> 'x'", "a BETWEEN 1 AND 2", "b NOT BETWEEN 0.5 AND 2.5", "a BETWEEN 1 AND 2.5",
                                         "c IN ('red', 'x', '2')", "c NOT IN ('red')", "a IS NULL", "b IS NOT NULL", "a = b", "a < c", "3 = a", "c CONTAINS 'e'", "b STARTSWITH '2'", "a", "TRUE", "NULL", "(a = 1) = (b = 2)", "c = TRUE",
                                         "b NOT BETWEEN 2147483648 AND 9223372036854775807", "-1 < a", "a BETWEEN b AND c"};

std::string expression(Random &random, int depth) {
  if (depth == 0 || below(random, 4) == 0) return one_of(random, kTerms);
  const std::string left = expression(random, depth - 1);
  switch (below(random, 4)) {
    case 0: return "NOT (" + left + ")";
    case 1: return "(" + left + " OR " + expression(random, depth - 1) + ")";
    case 2: return left + " AND " + expression(random, depth - 1);
    default: return "(" + left + " AND " + expression(random, depth - 1) + ")";
  }
}

// Both sides of every AND and OR are computed for all messages.
Program without_shortcuts(const Program &program) {
  Program out = program;
  std::erase_if(out.ops, [](const Op &op) { return op.code == OpCode::kOnlyAnd || op.code == OpCode::kOnlyOr; });
  return out;
}

struct Batch {
  std::vector<std::string> values;  // of column c and message i at c * n + i
  std::vector<std::vector<gantry_str>> columns;
  std::vector<const gantry_str *> pointers;
};

Batch random_batch(Random &random, const Program &program, std::uint32_t n) {
  Batch out;
  for (std::size_t i = 0; i < program.column_names.size() * n; ++i) out.values.push_back(one_of(random, kTexts));
  for (std::size_t c = 0; c < program.column_names.size(); ++c) {
    out.columns.emplace_back();
    for (std::uint32_t i = 0; i < n; ++i) out.columns.back().push_back(str(out.values[c * n + i]));
  }
  for (const auto &column : out.columns) out.pointers.push_back(column.data());
  return out;
}

TEST(Paths, WhatIsLeftOutDoesNotChangeTheAnswer) {
  Random random(1);
  int shortened = 0, errors = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = expression(random, 4);
    Problem problem;
    const auto program = compile(text, &problem);
    ASSERT_NE(program, nullptr) << text << ": " << problem.what;
    const Program slow = without_shortcuts(*program);
    shortened += slow.ops.size() < program->ops.size() ? 1 : 0;
    ASSERT_EQ(program->steps(), slow.ops.size());
    const auto n = static_cast<std::uint32_t>(below(random, 64)) + 1;
    const Batch batch = random_batch(random, *program, n);
    const Planes fast = evaluate(*program, batch.pointers.data(), n), all = evaluate(slow, batch.pointers.data(), n);
    errors += all.error != 0 ? 1 : 0;
    ASSERT_EQ(fast.yes, all.yes) << text;
    ASSERT_EQ(fast.no, all.no) << text;
    ASSERT_EQ(fast.error, all.error) << text;
  }
  EXPECT_GT(shortened, 1000);
  EXPECT_GT(errors, 1000);
}

// A property beside a literal, and between two of them, has a way of its own for each kind.
TEST(Paths, PropertiesBesideLiteralsAreComparedAsValuesAre) {
  const std::pair<const char *, Value> literals[] = {{"2", {Kind::kInt, 2, 0, {}}},    {"-1", {Kind::kInt, -1, 0, {}}},   {"2147483648", {Kind::kLong, 2147483648, 0, {}}}, {"1L", {Kind::kInt, 1, 0, {}}},
                                                     {"2.0", {Kind::kDouble, 0, 2, {}}}, {"1.5", {Kind::kDouble, 0, 1.5, {}}}};
  const std::pair<const char *, Relation> relations[] = {{" = ", Relation::kEqual}, {" > ", Relation::kGreater}, {" >= ", Relation::kGreaterEqual}, {" < ", Relation::kLess}, {" <= ", Relation::kLessEqual}};
  const auto letter = [](Truth truth) { return truth == Truth::kTrue ? 'T' : truth == Truth::kFalse ? 'F' : truth == Truth::kError ? 'E' : 'N'; };
  for (const std::string &text : kTexts) {
    const Value value = text.empty() ? Value{} : Value::of(std::string_view(text));
    for (const auto &[shown, literal] : literals) {
      for (const auto &[sign, relation] : relations) EXPECT_EQ(answer("p" + (sign + std::string(shown)), {{"p", text}}), letter(relate(relation, value, literal))) << text << sign << shown;
      for (const auto &[high_shown, high] : literals) {
        if (compare(high, literal).value_or(-1) < 0) continue;  // refused
        const std::string range = std::string(shown) + " AND " + high_shown;
        const std::string halves = "p >= " + std::string(shown) + " AND p <= " + high_shown, outside = "p < " + std::string(shown) + " OR p > " + high_shown;
        EXPECT_EQ(answer("p BETWEEN " + range, {{"p", text}}), answer(halves, {{"p", text}})) << text << " in " << range;
        EXPECT_EQ(answer("p NOT BETWEEN " + range, {{"p", text}}), answer(outside, {{"p", text}})) << text << " in " << range;
      }
    }
  }
}

// Bit by bit what a correctly rounding reader makes of them, around the number of digits up to which there is a short way.
TEST(Paths, ShortDecimalsAreRoundedAsLongOnes) {
  Random random(2);
  for (int round = 0; round < 100'000; ++round) {
    std::string text;
    const std::size_t digits = 1 + below(random, 18), point = below(random, 20);
    for (std::size_t i = 0; i < digits; ++i) {
      if (i == point) text += '.';
      text += static_cast<char>('0' + below(random, 10));
    }
    if (below(random, 2) == 0) text.insert(0, "-");
    const double wanted = std::strtod(text.c_str(), nullptr);
    const std::optional<double> read = parse_double(text);
    ASSERT_TRUE(read.has_value()) << text;
    ASSERT_EQ(std::memcmp(&*read, &wanted, sizeof wanted), 0) << text;
  }
}

TEST(Paths, ShortIntegersAreReadAsLongOnes) {
  Random random(3);
  for (int round = 0; round < 100'000; ++round) {
    const std::int64_t n = static_cast<std::int64_t>(random()) << below(random, 32) >> below(random, 40);
    const std::string text = std::to_string(round % 2 == 0 ? n : -n);
    ASSERT_EQ(parse_long(text), round % 2 == 0 ? n : -n);
    ASSERT_EQ(parse_int(text).has_value(), (round % 2 == 0 ? n : -n) == static_cast<std::int32_t>(round % 2 == 0 ? n : -n)) << text;
  }
}

}  // namespace
}  // namespace gantry::sql92
