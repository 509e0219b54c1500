// Limits, positions of faults, and what chains and nesting cost.
#include "run_program.hpp"

#include <gtest/gtest.h>

#include <pthread.h>

namespace gantry::sql92 {
namespace {

Problem problem_of(std::string_view text) {
  Problem problem;
  EXPECT_EQ(compile(text, &problem), nullptr) << text;
  return problem;
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Compile, FaultsHaveAPlace) {
  EXPECT_EQ(problem_of("a = ").at, 4u);
  EXPECT_EQ(problem_of("a = 1 AND (b > 'x')").at, 13u);
  EXPECT_EQ(problem_of("a = 'x").at, 4u);
  EXPECT_EQ(problem_of("a = 1 AND ! b").at, 10u);
  EXPECT_EQ(problem_of("(a = 1").at, 6u);
  EXPECT_EQ(problem_of("").code, GANTRY_E_SYNTAX);
  EXPECT_NE(problem_of("a IN (1)").what.find("a string is expected"), std::string::npos);
  EXPECT_NE(problem_of("a = NULL").what.find("IS NULL"), std::string::npos);
}

TEST(Compile, TextsOfMoreThanTheLimitAreRefused) {
  std::string text = "a = '" + std::string(kMaxTextBytes - 6, 'x') + "'";
  Problem problem;
  EXPECT_NE(compile(text, &problem), nullptr) << problem.what;
  text += " ";
  EXPECT_EQ(problem_of(text).code, GANTRY_E_LIMIT);
}

TEST(Compile, NestingHasALimit) {
  const auto nested = [](std::string_view open, std::string_view close, int times) { return repeated(open, times) + "a = 1" + repeated(close, times); };
  EXPECT_EQ(answer(nested("(", ")", kMaxNesting), {{"a", "1"}}), 'T');
  EXPECT_EQ(problem_of(nested("(", ")", kMaxNesting + 1)).code, GANTRY_E_LIMIT);
  EXPECT_EQ(problem_of(nested("NOT ", "", 20'000 / 4)).code, GANTRY_E_LIMIT);
  EXPECT_EQ(problem_of("a = " + repeated("- ", 200) + "5").code, GANTRY_E_LIMIT);
  EXPECT_EQ(answer("a = " + repeated("- ", kMaxNesting) + "5", {{"a", "5"}}), 'T');
  // What is closed no longer counts.
  EXPECT_EQ(answer(repeated("(NOT (b = 2)) AND ", 500) + "a = 1", {{"a", "1"}, {"b", "1"}}), 'T');
}

TEST(Compile, TheStackOfTruthsHasALimit) {
  const std::string level = "b = 2 OR b = 1 AND (b = 1) = (";  // three truths wait in each
  EXPECT_EQ(answer(repeated(level, 60) + "b = 1" + repeated(")", 60), {{"b", "1"}}), 'T');
  EXPECT_EQ(problem_of(repeated(level, 99) + "b = 1" + repeated(")", 99)).code, GANTRY_E_LIMIT);
}

TEST(Compile, ColumnsHaveALimit) {
  std::string text = "c0 = 1";
  for (int i = 1; i < 64; ++i) text += " OR c" + std::to_string(i) + " = 1";
  EXPECT_EQ(answer(text + " OR c5 = 2", {{"c5", "2"}}), 'T');
  EXPECT_EQ(problem_of(text + " OR d = 1").code, GANTRY_E_LIMIT);
}

// On a stack of 256 KiB, which must do with sanitizers as well.
void on_small_stack(void *(*fn)(void *)) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256u << 10), 0);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &attributes, fn, nullptr), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

TEST(Compile, ChainsAndNestingNeedNoCallStack) {
  on_small_stack([](void *) -> void * {
    EXPECT_EQ(answer(repeated("a=1 OR ", 4600) + "a=2", {{"a", "2"}}), 'T');
    EXPECT_EQ(answer(repeated("a=2 AND ", 4000) + "a=2", {{"a", "2"}}), 'T');
    EXPECT_EQ(answer("a" + repeated("=1", 15'000), {{"a", "1"}}), 'F');
    EXPECT_EQ(answer("a" + repeated(" IS NULL", 4000), {{"a", "1"}}), 'F');
    EXPECT_EQ(answer("a IN ('y'" + repeated(",'x'", 8000) + ")", {{"a", "x"}}), 'T');
    EXPECT_EQ(answer(repeated("(", kMaxNesting) + "a = 1" + repeated(")", kMaxNesting), {{"a", "1"}}), 'T');
    EXPECT_EQ(answer(repeated("(", 30'000), {}), 'R');
    EXPECT_EQ(answer(repeated("NOT ", 8000) + "a", {}), 'R');
    return nullptr;
  });
}

TEST(Compile, WhatFollowsAWholeExpressionIsIgnoredLikeInRocketMQ) {
  EXPECT_EQ(answer("a = 1 b = 2", {{"a", "1"}}), 'T');
  EXPECT_EQ(answer("a = 1)", {{"a", "1"}}), 'T');
  EXPECT_EQ(answer("a = 1 '", {{"a", "1"}}), 'R');
  EXPECT_EQ(answer("(a = 1 b)", {{"a", "1"}}), 'R');
}

// All places of a batch, none beyond it, whatever stands in the neighbouring ones.
TEST(Compile, EveryPlaceOfABatchIsItsOwn) {
  Problem problem;
  const auto program = compile("a > 10 AND b = 'x' OR c IS NULL AND NOT (a < 50)", &problem);
  ASSERT_NE(program, nullptr) << problem.what;
  std::vector<std::string> numbers;
  for (int i = 0; i < 64; ++i) numbers.push_back(std::to_string(i));
  for (const std::uint32_t n : {1u, 2u, 63u, 64u}) {
    std::vector<gantry_str> a(n), b(n), c(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      a[i] = i % 7 == 6 ? str("no number") : str(numbers[i]);
      if (i % 2 == 0) b[i] = str("x");
      if (i % 3 == 0) c[i] = str("there");
    }
    const gantry_str *const columns[] = {a.data(), b.data(), c.data()};
    const Planes planes = evaluate(*program, columns, n);
    for (std::uint32_t i = 0; i < 64; ++i) {
      const bool wanted = i < n && i % 7 != 6 && ((i > 10 && i % 2 == 0) || (i % 3 != 0 && i >= 50));
      EXPECT_EQ((planes.yes >> i & 1) != 0, wanted) << i << " of " << n;
      EXPECT_EQ((planes.error >> i & 1) != 0, i < n && i % 7 == 6) << i << " of " << n;
    }
  }
}

}  // namespace
}  // namespace gantry::sql92
