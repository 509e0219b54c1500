// A program on batches: what is decided, what is counted against it, when it is suspended, and what a new text of its script changes.
#include "program.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gantry::lua {
namespace {

struct Evaluated {
  std::int32_t status = 0;
  std::uint64_t match = 0, error = 0;
  std::string why;
};

std::shared_ptr<const Script> script(const std::string &text) { return std::make_shared<const Script>(Script{"s", text}); }

Evaluated eval(Program &program, const std::vector<std::string> &props, std::uint32_t shard = 0) {
  std::vector<gantry_str> column, bodies(props.size());
  for (const std::string &p : props) column.push_back(str(p));
  gantry_error err{};
  gantry_filter_batch batch{};
  batch.size = sizeof batch;
  batch.n = static_cast<std::uint32_t>(props.size());
  batch.props = column.data();
  batch.body = bodies.data();
  batch.err = &err;
  Evaluated out;
  out.status = program.eval(shard, batch, &out.match, &out.error);
  out.why = err.text;
  return out;
}

std::string a(const std::string &value) { return "a\x01" + value + "\x02"; }

TEST(Program, DecidesEachMessage) {
  Program program(script("tonumber(p.a) >= 2"), nullptr, Limits{}, nullptr);
  const Evaluated out = eval(program, {a("1"), a("2"), "", a("3")});
  EXPECT_EQ(out.status, GANTRY_OK);
  EXPECT_EQ(out.match, 0b1010u);
  EXPECT_EQ(out.error, 0b0100u);
  EXPECT_EQ(out.why, "s:1: attempt to compare number with nil");
}

TEST(Program, OneThatLoopsIsSuspendedWithAReason) {
  Program program(script("local n = 0\nwhile true do n = n + 1 end"), nullptr, Limits{}, nullptr);
  const Evaluated first = eval(program, std::vector<std::string>(64, a("1")));
  EXPECT_EQ(first.status, GANTRY_E_BUDGET);
  EXPECT_EQ(first.match, 0u);
  EXPECT_EQ(first.error, 0xFFFFu) << "sixteen chances";
  EXPECT_EQ(first.why, "suspended: s:2: over its budget of steps");
  const Evaluated later = eval(program, {a("1")});
  EXPECT_EQ(later.status, GANTRY_E_BUDGET);
  EXPECT_EQ(later.error, 0u) << "not looked at";
  EXPECT_EQ(later.why, first.why);
  EXPECT_EQ(eval(program, {a("1")}, 1).error, 1u) << "another shard finds out for itself";
}

TEST(Program, NowAndThenIsNoReason) {
  Program program(script("if p.a == 'bad' then while true do end end return true"), nullptr, Limits{}, nullptr);
  std::vector<std::string> batch(64, a("good"));
  for (int i = 0; i < 100; ++i) {
    batch[10] = a("bad");
    const Evaluated out = eval(program, batch);
    ASSERT_EQ(out.status, GANTRY_OK) << i;
    EXPECT_EQ(out.match, ~(std::uint64_t{1} << 10));
    EXPECT_EQ(out.error, std::uint64_t{1} << 10);
  }
  batch.assign(64, a("bad"));
  EXPECT_EQ(eval(program, batch).status, GANTRY_E_BUDGET);
}

TEST(Program, OneDoesNotDisturbAnother) {
  Program bad(script("while true do end"), nullptr, Limits{}, nullptr), good(script("p.a == '1'"), nullptr, Limits{}, nullptr);
  EXPECT_EQ(eval(bad, std::vector<std::string>(64, a("1"))).status, GANTRY_E_BUDGET);
  EXPECT_EQ(eval(good, {a("1"), a("2")}).match, 1u);
}

TEST(Program, ANewTextTakesOverBetweenBatches) {
  auto named = std::make_shared<NamedScript>();
  named->put(script("p.a == '1'"));
  Program program(nullptr, named, Limits{}, nullptr);
  EXPECT_EQ(eval(program, {a("1"), a("2")}).match, 1u);
  named->put(script("p.a == '2'"));
  EXPECT_EQ(eval(program, {a("1"), a("2")}).match, 2u);
  EXPECT_EQ(eval(program, {a("1"), a("2")}, 1).match, 2u);
  named->put(script("while true do end"));
  EXPECT_EQ(eval(program, std::vector<std::string>(64, a("1"))).status, GANTRY_E_BUDGET);
  named->put(script("p.a == '1'"));
  EXPECT_EQ(eval(program, {a("1"), a("2")}).match, 1u) << "a suspension ends with the text that it was for";
}

TEST(Program, BatchesFromBeforeReasonsAreFine) {
  Program program(script("p.a > 1"), nullptr, Limits{}, nullptr);
  std::string props = a("1");
  const gantry_str column = str(props);
  gantry_filter_batch batch{};
  batch.size = sizeof batch - sizeof batch.err;
  batch.n = 1;
  batch.props = &column;
  std::uint64_t match = 0, error = 0;
  EXPECT_EQ(program.eval(0, batch, &match, &error), GANTRY_OK);
  EXPECT_EQ(error, 1u);
  EXPECT_EQ(program.eval(kShardsMax, batch, &match, &error), GANTRY_E_INVALID);
}

}  // namespace
}  // namespace gantry::lua
