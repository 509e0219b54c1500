// Scripts that would take the broker's time or memory: each ends by its own count of steps, never by a clock.
#include "run_script.hpp"

#include <gantry/abi.h>

namespace gantry::lua::test {
namespace {

class Hostile : public ::testing::TestWithParam<const char *> {};

// Endless without a budget, or longer than the life of the test.
TEST_P(Hostile, EndsByItsBudget) {
  const auto engine = engine_of(GetParam());
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 3; ++i) {
    engine->begin_batch();
    EXPECT_EQ(engine->run({"a\x01" "1\x02", "body"}), Answer::kOverBudget) << engine->complaint();
    EXPECT_FALSE(engine->out_of_time()) << "the steps end it, not the clock";
    EXPECT_FALSE(engine->complaint().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Loops, Hostile,
                         ::testing::Values("while true do end", "repeat until false", "::top:: goto top", "for i = 1, math.huge do end", "for i = 1, math.maxinteger do end",
                                           "local function f() return f() end return f()", "local function f() return f() + f() + f() end return f()", "local t = {} while true do t[1] = p.a end",
                                           "while true do local x = body end", "for w in (('x '):rep(30000)):gmatch('%a') do end"));

// Where Lua's own functions would not come back, and no hook is called.
INSTANTIATE_TEST_SUITE_P(Functions, Hostile,
                         ::testing::Values("return (('a'):rep(4000)):find('.-.-.-.-b')", "return (('a'):rep(4000)):match('.*.*.*.*b')", "return (('a'):rep(4000)):gsub('.-.-.-b', '')",
                                           "for x in (('a'):rep(4000)):gmatch('(.-)(.-)(.-)b') do end", "return (('('):rep(60000)):find('%b()')", "return (('x'):rep(60000)):find('[' .. ('a'):rep(2000) .. ']b')",
                                           "local t = {} for i = 1, 12000 do t[i] = i end table.sort(t)", "local t = {} for i = 1, 12000 do table.insert(t, 1, i) end",
                                           "local t = {} for i = 1, 5000 do t[i] = i end for i = 1, 5000 do table.remove(t, 1) end"));

// What takes more memory than there is.
INSTANTIATE_TEST_SUITE_P(Memory, Hostile,
                         ::testing::Values("local t = {} local i = 0 while true do i = i + 1 t[i] = {} end", "local s = 'x' while true do s = s .. s end", "return ('x'):rep(60000):rep(4)",
                                           "local t = {} for i = 1, 100 do t[i] = ('x'):rep(10000) .. i end", "return table.concat({('x'):rep(60000), ('y'):rep(60000)})",
                                           "local function f(...) return f(1, ...) end return f()", "local t = {} for i = 1, 100 do t[i] = ('%s'):format(('x'):rep(60000)) .. i end"));

TEST(Budget, RepetitionOfNothingEnds) {
  EXPECT_EQ(run("(''):rep(1 << 62) == ''").answer, Answer::kYes);
  EXPECT_EQ(run("('x'):rep(-1) == '' and ('ab'):rep(2, ',') == 'ab,ab'").answer, Answer::kYes);
  EXPECT_EQ(run("('x'):rep(1 << 62)").answer, Answer::kFailed);
}

TEST(Budget, AGoodMessageAfterABadOneIsDecided) {
  const auto engine = engine_of("if p.bad then while true do end end return p.a == '1'");
  engine->begin_batch();
  EXPECT_EQ(engine->run({"a\x01" "1", ""}), Answer::kYes);
  EXPECT_EQ(engine->run({"bad\x01" "1", ""}), Answer::kOverBudget);
  EXPECT_EQ(engine->complaint(), "t:1: over its budget of steps");
  EXPECT_EQ(engine->run({"a\x01" "1", ""}), Answer::kYes);
  EXPECT_EQ(engine->run({"a\x01" "2", ""}), Answer::kNo);
}

TEST(Budget, MemoryIsGivenBack) {
  const auto engine = engine_of("local t = {} for i = 1, 2000 do t[i] = {} end return p.a == '1'", Limits{.steps = 100'000});
  for (int i = 0; i < 200; ++i) {
    engine->begin_batch();
    ASSERT_EQ(engine->run({"a\x01" "1", ""}), Answer::kYes) << i << ": " << engine->complaint();
  }
  EXPECT_LE(engine->bytes(), Limits{}.memory_bytes);
}

TEST(Budget, MoreStepsAreAllowedWhereConfigured) {
  const char *const text = "local n = 0 for i = 1, 10000 do n = n + i end return n == 50005000";
  EXPECT_EQ(run(text, "", "", Limits{.steps = 5'000}).answer, Answer::kOverBudget);
  EXPECT_EQ(run(text, "", "", Limits{.steps = 100'000}).answer, Answer::kYes);
}

// What takes long without taking steps: comparing long texts that are equal up to their ends.
TEST(Budget, TheSecondNetIsTheProcessorsTime) {
  const auto engine = engine_of("local a, b = ('x'):rep(60000), ('x'):rep(59999) .. 'y' while true do if b < a then return true end end", Limits{.steps = UINT64_MAX / 2, .batch_ns = 1'000'000});
  engine->begin_batch();
  EXPECT_EQ(engine->run({}), Answer::kOverBudget);
  EXPECT_TRUE(engine->out_of_time());
  EXPECT_EQ(engine->complaint(), "t:1: the batch is out of time");
}

TEST(Budget, ALongScriptThatFitsNoMemoryIsRefused) {
  std::string text = "return ";
  for (int i = 0; i < 1500; ++i) text += "'constant " + std::to_string(i) + "' == p.x or ";
  text += "false";
  ASSERT_LT(text.size(), kTextBytesMax + 30'000);
  const Problem problem = refusal(text.substr(0, kTextBytesMax - 40) + "' == p.x", Limits{.memory_bytes = 64 << 10});
  EXPECT_TRUE(problem.code == GANTRY_E_LIMIT || problem.code == GANTRY_E_SYNTAX) << problem.what;
}

}  // namespace
}  // namespace gantry::lua::test
