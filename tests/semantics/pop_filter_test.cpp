// Pops with expressions: what does not match is passed over, for the whole group.
#include "pop_fixture.hpp"

#include "support/scripted_filter.h"

namespace gantry::test {
namespace {

class PopFilter : public PopTest {
 protected:
  void SetUp() override {
    PopTest::SetUp();
    ASSERT_TRUE(broker_->core().filters.add("scripted", ScriptedFilter::table(), plugin_.self()));
    t_ = topic("T", 1);
  }
  void TearDown() override {
    PopTest::TearDown();
    EXPECT_EQ(plugin_.compiled, plugin_.released);
    EXPECT_EQ(plugin_.faults, std::vector<std::string>{});
  }
  gantry_pop filtered(const char *script, std::uint32_t max = 32, std::int64_t wait_ms = 0) {
    gantry_pop req = request(t_, max, 10'000, wait_ms);
    req.expr_type = str("SCRIPT");
    req.expr = str(script);
    return req;
  }
  void produce_color(const std::string &color, const std::string &body) { ASSERT_EQ(produce(t_, body, "color\x01" + color + "\x02").status, GANTRY_OK); }

  ScriptedFilter plugin_;  // outlives the broker
  gantry_topic t_ = 0;
};

TEST_F(PopFilter, GivesWhatMatchesAndPassesOverTheRest) {
  for (int i = 0; i < 6; ++i) produce_color(i % 2 == 0 ? "red" : "green", std::to_string(i));
  const Popped first = pop(filtered("color=red", 2));
  EXPECT_EQ(first.bodies, (std::vector<std::string>{"0", "2"}));
  const Popped second = pop(filtered("color=red"));
  EXPECT_EQ(second.bodies, (std::vector<std::string>{"4"}));
  EXPECT_EQ(pop(filtered("color=red")).outcome, GANTRY_POP_NOTHING);
  ack_all(first);
  ack_all(second);
  EXPECT_EQ(committed(t_), 6);
}

TEST_F(PopFilter, WhatIsNotAcknowledgedComesAgain) {
  produce_color("green", "no");
  produce_color("red", "yes");
  EXPECT_EQ(pop(filtered("color=red")).bodies, std::vector<std::string>{"yes"});
  for (int i = 0; i < 150; ++i) {
    host_.advance_ms(100);
    host_.turn();
  }
  EXPECT_EQ(pop(filtered("color=red")).bodies, std::vector<std::string>{"yes"});
}

TEST_F(PopFilter, OnlyWhatMatchesEndsAWait) {
  const gantry_pop waiting = filtered("color=red", 32, 15'000);
  ASSERT_EQ(submit_pop(waiting), GANTRY_OK);
  produce_color("green", "no");
  for (int i = 0; i < 5; ++i) host_.turn();
  EXPECT_EQ(done_->times(waiting.user_data), 0);
  produce_color("red", "yes");
  EXPECT_EQ(popped(waiting).bodies, std::vector<std::string>{"yes"});
}

TEST_F(PopFilter, ALongSearchGoesOnInOtherTurns) {
  for (int i = 0; i < 9000; ++i) produce_color("green", "no");
  produce_color("red", "yes");
  EXPECT_EQ(pop(filtered("color=red")).bodies, std::vector<std::string>{"yes"});
  EXPECT_EQ(committed(t_), 9000);
}

// "budget NAME" gives up before the first message of a batch of one, and in the middle of others.
TEST_F(PopFilter, OneOverItsBudgetPassesOverNothing) {
  produce_color("red", "a");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pop(filtered("budget color")).status, GANTRY_E_BUDGET);
  produce_color("red", "b");
  EXPECT_EQ(pop(filtered("budget color")).bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(pop(filtered("color=red")).bodies, std::vector<std::string>{"b"});
}

TEST_F(PopFilter, ReducedProgramsAreNotEvaluated) {
  produce_color("red", "a");
  EXPECT_EQ(pop(filtered("all")).bodies, std::vector<std::string>{"a"});
  produce_color("red", "b");
  EXPECT_EQ(pop(filtered("none")).outcome, GANTRY_POP_NOTHING);
  EXPECT_EQ(plugin_.evals, 0);
}

TEST_F(PopFilter, AnEmptyExpressionLetsEverythingThrough) {
  produce_color("red", "a");
  EXPECT_EQ(pop(filtered("")).bodies, std::vector<std::string>{"a"});
  EXPECT_EQ(plugin_.compiled, 0);
}

TEST_F(PopFilter, RefusalsAreInline) {
  EXPECT_EQ(submit_pop(filtered("nonsense")), GANTRY_E_SYNTAX);
  EXPECT_EQ(last_error_, "no such script: nonsense");
  gantry_pop other = filtered("color=red");
  other.expr_type = str("OTHER");
  EXPECT_EQ(submit_pop(other), GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(broker_->core().filters.program_count(), 0u);
}

}  // namespace
}  // namespace gantry::test
