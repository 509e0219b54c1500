// Filters by expressions: programs and who holds them, what a fetch looks at, what wakes it. With a filter plugin that the test scripts.
#include "broker_fixture.hpp"

#include "kernel/broker/filter/select.hpp"
#include "support/scripted_filter.h"

namespace gantry::test {
namespace {

class Filter : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    ASSERT_TRUE(broker_->core().filters.add("scripted", ScriptedFilter::table(), plugin_.self()));
    t_ = topic("T");
    g_ = group("G");
  }
  void TearDown() override {
    BrokerTest::TearDown();
    EXPECT_EQ(plugin_.compiled, plugin_.released);
    EXPECT_EQ(plugin_.faults, std::vector<std::string>{});
  }

  gantry_fetch filtered(const char *script, std::int64_t offset = 0, std::int64_t wait_ms = 0) {  // the request points to it
    gantry_fetch req = pull(t_, g_, offset, script, wait_ms);
    req.expr_type = str("SCRIPT");
    return req;
  }
  gantry_fetch registered(std::int64_t sub_version = 0) {
    gantry_fetch req = pull(t_, g_, 0);
    req.flags = 0;
    req.sub_version = sub_version;
    return req;
  }
  std::int32_t heartbeat(gantry_conn conn, const std::string &script, std::int64_t version = 1, const std::string &type = "SCRIPT") {
    const gantry_subscription subscriptions[] = {{str("T"), str(type), str(script), version}, {str("%RETRY%G"), {}, str("*"), version}};
    gantry_consumer consumer{};
    consumer.group = str("G");
    consumer.subscriptions = subscriptions;
    consumer.n_subscriptions = 2;
    consumer.model = GANTRY_MODEL_CLUSTERING;
    gantry_heartbeat hb{};
    hb.size = sizeof hb;
    hb.conn = conn;
    hb.client_id = str("client");
    hb.consumers = &consumer;
    hb.n_consumers = 1;
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->heartbeat(hb, nullptr); });
    return status;
  }
  void leave(gantry_conn conn) {
    host_.on_shard(0, [&] { broker_->conn_closed(conn); });
  }
  [[nodiscard]] std::size_t programs() const { return broker_->core().filters.program_count(); }
  void produce_color(const std::string &color, const std::string &body = "m") { EXPECT_EQ(produce(t_, body, "color\x01" + color + "\x02").status, GANTRY_OK); }

  ScriptedFilter plugin_;  // outlives the broker
  gantry_topic t_ = 0;
  gantry_group g_ = 0;
};

TEST_F(Filter, SelectsByAProperty) {
  for (const char *color : {"red", "green", "red", "blue", "red"}) produce_color(color);
  const Fetched red = fetch(filtered("color=red"));
  EXPECT_EQ(red.outcome, GANTRY_FETCH_FOUND);
  EXPECT_EQ(red.offsets, (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(red.next_off, 5);
  EXPECT_EQ(red.max_off, 5);
  const Fetched none = fetch(filtered("color=black"));
  EXPECT_EQ(none.outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(none.next_off, 5);
  EXPECT_EQ(fetch(filtered("color=red", 3)).offsets, (std::vector<std::int64_t>{4}));
}

TEST_F(Filter, PropertiesAreReadAsRocketMQDoes) {
  ASSERT_EQ(produce(t_, "last counts", "k\x01" "1\x02k\x01" "2\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "no end", "other\x01x\x02k\x01" "2").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "empty", "k\x01\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "no key", "\x01" "2\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "no separator", "k2\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "two separators", "k\x01" "2\x01x\x02").status, GANTRY_OK);
  ASSERT_EQ(produce(t_, "empty after full", "k\x01" "2\x02k\x01\x02").status, GANTRY_OK);
  EXPECT_EQ(fetch(filtered("k=2")).offsets, (std::vector<std::int64_t>{0, 1, 6}));
  EXPECT_EQ(fetch(filtered("k=1")).outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(fetch(filtered("k=2\x01x")).offsets, (std::vector<std::int64_t>{5}));
  EXPECT_EQ(fetch(filtered("k=")).offsets.size(), 3u) << "absent values are empty";
}

// Of every length around the one up to which they are compared in one go, beside names that differ in one byte.
TEST_F(Filter, NamesAreComparedWhole) {
  std::int64_t next = 0;
  for (std::size_t bytes = 1; bytes < 20; ++bytes) {
    const std::string name(bytes, 'k');
    const std::int64_t first = next;
    std::vector<std::string> others{name + "k"};
    if (bytes > 1) others.push_back(name.substr(1));
    for (std::size_t i = 0; i < bytes; ++i) {
      others.push_back(name);
      others.back()[i] = 'j';
    }
    for (const std::string &other : others) ASSERT_EQ(produce(t_, "other", other + "\x01" "1\x02").status, GANTRY_OK);
    ASSERT_EQ(produce(t_, "it", name + "\x01" "1\x02").status, GANTRY_OK);
    next = first + static_cast<std::int64_t>(others.size()) + 1;
    EXPECT_EQ(fetch(filtered((name + "=1").c_str(), first)).offsets, (std::vector<std::int64_t>{next - 1})) << name;
  }
}

TEST_F(Filter, BodiesAndWholePropertyStringsAreThereWhenAskedFor) {
  produce_color("red", "an apple");
  produce_color("green", "a pear");
  EXPECT_EQ(fetch(filtered("body pear")).offsets, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(fetch(filtered("props color\x01red")).offsets, (std::vector<std::int64_t>{0}));
}

TEST_F(Filter, WhatCannotBeDecidedDoesNotMatch) {
  for (int i = 0; i < 3; ++i) produce_color("red");
  (void)produce(t_, "without");
  EXPECT_EQ(fetch(filtered("error color")).offsets, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(fetch(filtered("budget color")).offsets, (std::vector<std::int64_t>{0, 1}));
}

TEST_F(Filter, ReducedProgramsAreNotEvaluated) {
  for (int i = 0; i < 3; ++i) produce_color("red");
  EXPECT_EQ(fetch(filtered("all")).offsets.size(), 3u);
  const Fetched none = fetch(filtered("none"));
  EXPECT_EQ(none.outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(none.next_off, 3);
  EXPECT_EQ(plugin_.evals, 0);
}

TEST_F(Filter, RefusalsSayWhatIsWrong) {
  EXPECT_EQ(fetch(filtered("nonsense")).status, GANTRY_E_SYNTAX);
  EXPECT_EQ(fetch(filtered("insane")).status, GANTRY_E_INTERNAL);
  gantry_fetch other = filtered("color=red");
  other.expr_type = str("OTHER");
  const Fetched unsupported = fetch(other);
  EXPECT_EQ(unsupported.status, GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(unsupported.subject, GANTRY_SUBJECT_SUBSCRIPTION);
  EXPECT_EQ(programs(), 0u);
  gantry_error err{};
  EXPECT_EQ(broker_->check_filter("SCRIPT", "color=red", &err), GANTRY_OK);
  EXPECT_EQ(broker_->check_filter("TAG", "whatever", &err), GANTRY_OK);
  EXPECT_EQ(broker_->check_filter("", "whatever", &err), GANTRY_OK);
  EXPECT_EQ(broker_->check_filter("SCRIPT", "nonsense", &err), GANTRY_E_SYNTAX);
  EXPECT_STREQ(err.text, "no such script: nonsense");
  EXPECT_EQ(broker_->check_filter("OTHER", "x", &err), GANTRY_E_UNSUPPORTED);
  EXPECT_NE(std::string(err.text).find("does not support consumer to filter message by OTHER"), std::string::npos);
}

TEST_F(Filter, TwoPluginsMayNotOfferTheSameType) {
  ScriptedFilter second, tag, more;
  tag.types = "TAG";
  more.types = "MORE  EVEN_MORE";
  EXPECT_FALSE(broker_->core().filters.add("second", ScriptedFilter::table(), second.self()));
  EXPECT_FALSE(broker_->core().filters.add("tag", ScriptedFilter::table(), tag.self()));
  EXPECT_TRUE(broker_->core().filters.add("more", ScriptedFilter::table(), more.self()));
  EXPECT_EQ(broker_->check_filter("EVEN_MORE", "x", nullptr), GANTRY_E_UNSUPPORTED) << "it is asked, and does not know its own type";
}

TEST_F(Filter, ProgramsAreSharedAndGoWithTheirLastUser) {
  EXPECT_EQ(heartbeat(1, "color=red"), GANTRY_OK);
  EXPECT_EQ(heartbeat(1, "color=red"), GANTRY_OK);
  EXPECT_EQ(heartbeat(2, "color=red"), GANTRY_OK);
  EXPECT_EQ(plugin_.compiled, 1);
  EXPECT_EQ(programs(), 1u);
  (void)fetch(filtered("color=red"));
  EXPECT_EQ(plugin_.compiled, 1);
  EXPECT_EQ(heartbeat(2, "color=blue", 2), GANTRY_OK);
  EXPECT_EQ(plugin_.compiled, 2);
  EXPECT_EQ(plugin_.released, 1) << "the group has one expression for a topic";
  leave(1);
  EXPECT_EQ(programs(), 1u);
  leave(2);
  EXPECT_EQ(programs(), 0u);
  EXPECT_EQ(plugin_.released, 2);
}

TEST_F(Filter, AParkedFetchHoldsItsProgram) {
  const gantry_fetch waiting = filtered("color=red", 0, 15'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  EXPECT_EQ(programs(), 1u);
  produce_color("red");
  EXPECT_EQ(result(waiting).offsets, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(programs(), 0u);
}

TEST_F(Filter, ProgramsThatOutliveTheBrokersEndAreGivenBackFirst) {
  EXPECT_EQ(heartbeat(1, "color=red"), GANTRY_OK);
  broker_->core().filters.close();
  EXPECT_EQ(plugin_.released, 1);
  EXPECT_EQ(broker_->check_filter("SCRIPT", "color=red", nullptr), GANTRY_E_CLOSED);
  leave(1);
  EXPECT_EQ(plugin_.released, 1);
}

TEST_F(Filter, AllProgramsTogetherHaveALimit) {
  EXPECT_EQ(heartbeat(1, "big"), GANTRY_OK);
  EXPECT_EQ(fetch(filtered("cost 2 big")).status, GANTRY_E_LIMIT);
  EXPECT_EQ(fetch(filtered("big")).status, GANTRY_OK) << "that one is there";
  EXPECT_EQ(fetch(filtered("color=red")).status, GANTRY_OK) << "a small one fits";
  leave(1);
  EXPECT_EQ(fetch(filtered("cost 2 big")).status, GANTRY_OK);
}

TEST_F(Filter, ARegisteredExpressionIsUsed) {
  for (const char *color : {"red", "green"}) produce_color(color);
  EXPECT_EQ(heartbeat(1, "color=green", 7), GANTRY_OK);
  EXPECT_EQ(fetch(registered(7)).offsets, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(fetch(registered(8)).status, GANTRY_E_STALE);
  EXPECT_EQ(heartbeat(1, "all", 8), GANTRY_OK);
  EXPECT_EQ(fetch(registered(8)).offsets.size(), 2u);
}

TEST_F(Filter, ARegisteredExpressionThatDoesNotCompileIsRefusedWhenItIsUsed) {
  EXPECT_EQ(heartbeat(1, "nonsense"), GANTRY_OK);
  const Fetched refused = fetch(registered());
  EXPECT_EQ(refused.status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(refused.subject, GANTRY_SUBJECT_FILTER);
  EXPECT_EQ(heartbeat(1, "x", 2, "OTHER"), GANTRY_OK);
  EXPECT_EQ(fetch(registered()).status, GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(heartbeat(1, "color=red", 3), GANTRY_OK);
  EXPECT_EQ(fetch(registered()).status, GANTRY_OK);
}

TEST_F(Filter, OnlyWhatMatchesEndsAWait) {
  produce_color("red");
  const gantry_fetch waiting = filtered("color=blue", 1, 15'000);
  submit(waiting);
  for (int i = 0; i < 3; ++i) {
    produce_color("green");
    EXPECT_FALSE(answered(waiting));
  }
  produce_color("blue");
  const Fetched got = result(waiting);
  EXPECT_EQ(got.offsets, (std::vector<std::int64_t>{4}));
  EXPECT_EQ(got.next_off, 5);
}

TEST_F(Filter, WhatWasFilteredOutWhileWaitingIsSkippedAtTheDeadline) {
  const gantry_fetch waiting = filtered("color=blue", 0, 1'000);
  submit(waiting);
  produce_color("green");
  EXPECT_FALSE(answered(waiting));
  for (int i = 0; i < 12; ++i) {
    host_.advance_ms(100);
    host_.turn();
  }
  const Fetched over = result(waiting);
  EXPECT_EQ(over.outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(over.next_off, 1);
}

TEST_F(Filter, AReplyIsFullAtItsLimitAndTheNextOneGoesOn) {
  for (int i = 0; i < 300; ++i) produce_color(i % 3 == 0 ? "red" : "green");
  std::vector<std::int64_t> seen;
  std::int64_t at = 0;
  while (at < 300) {
    gantry_fetch req = filtered("color=red", at);
    req.max_records = 7;
    const Fetched got = fetch(req);
    ASSERT_GT(got.next_off, at);
    EXPECT_LE(got.offsets.size(), 7u);
    seen.insert(seen.end(), got.offsets.begin(), got.offsets.end());
    at = got.next_off;
  }
  ASSERT_EQ(seen.size(), 100u);
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<std::int64_t>(i * 3));
  EXPECT_EQ(plugin_.largest_batch, GANTRY_FILTER_BATCH_MAX);
}

TEST_F(Filter, AReplyEndsBeforeItHasTooManyBytes) {
  for (int i = 0; i < 6; ++i) produce_color("red", std::string(1000, 'x'));
  gantry_fetch req = filtered("color=red");
  req.max_bytes = 2500;
  EXPECT_EQ(fetch(req).offsets, (std::vector<std::int64_t>{0, 1}));
  req = filtered("color=red", 2);
  req.max_bytes = 10;
  const Fetched first = fetch(req);
  EXPECT_EQ(first.offsets, (std::vector<std::int64_t>{2})) << "the first always fits";
  EXPECT_EQ(first.next_off, 3);
}

// Looking through a long queue in vain ends after a while, with the place to go on.
TEST_F(Filter, ALongSearchIsAnsweredInPieces) {
  for (int i = 0; i < 3000; ++i) produce_color("green");
  produce_color("red");
  std::int64_t at = 0;
  int answers = 0;
  std::vector<std::int64_t> found;
  while (found.empty() && answers < 100) {
    const Fetched got = fetch(filtered("color=red", at));
    ASSERT_GT(got.next_off, at);
    EXPECT_LE(got.next_off - at, 3 * 1024);
    at = got.next_off;
    found = got.offsets;
    ++answers;
  }
  EXPECT_EQ(found, (std::vector<std::int64_t>{3000}));
  EXPECT_GE(answers, 2);
}

TEST_F(Filter, DearProgramsGetSmallBatches) {
  for (int i = 0; i < 64; ++i) produce_color(i == 50 ? "red" : "green");
  std::int64_t at = 0;
  std::vector<std::int64_t> found;
  int answers = 0;
  while (found.empty() && answers < 100) {
    const Fetched got = fetch(filtered("cost 1000000 color=red", at));
    ASSERT_GT(got.next_off, at);
    at = got.next_off;
    found = got.offsets;
    ++answers;
  }
  EXPECT_EQ(found, (std::vector<std::int64_t>{50}));
  EXPECT_EQ(plugin_.largest_batch, 1u);
  EXPECT_EQ(answers, 51);
}

// "budget NAME" gives up in the middle of each batch, before the first message of a batch of one.
TEST_F(Filter, OneOverItsBudgetStopsWhereItStopped) {
  for (int i = 0; i < 4; ++i) produce_color("red");
  const Fetched half = fetch(filtered("budget color"));
  EXPECT_EQ(half.offsets, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(half.next_off, 2);
  EXPECT_EQ(fetch(filtered("budget color", 2)).offsets, (std::vector<std::int64_t>{2}));
  for (int i = 0; i < 3; ++i) {
    const Fetched refused = fetch(filtered("budget color", 3));
    EXPECT_EQ(refused.status, GANTRY_E_BUDGET);
    EXPECT_EQ(refused.subject, GANTRY_SUBJECT_FILTER);
  }
  EXPECT_EQ(fetch(filtered("color=red", 3)).offsets, (std::vector<std::int64_t>{3})) << "others go on";
}

TEST_F(Filter, AParkedFetchEndsWhenItsFilterIsSuspended) {
  const gantry_fetch waiting = filtered("budget color", 0, 15'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  produce_color("red");
  EXPECT_EQ(result(waiting).status, GANTRY_E_BUDGET);
}

TEST_F(Filter, WhatExpressionsCostIsCounted) {
  for (const char *color : {"red", "green", "red"}) produce_color(color);
  (void)produce(t_, "without");
  EXPECT_EQ(heartbeat(1, "color=red"), GANTRY_OK);
  EXPECT_EQ(fetch(filtered("color=red")).offsets.size(), 2u);
  EXPECT_EQ(fetch(filtered("color=red", 2)).offsets.size(), 1u);
  std::vector<broker::FilterUsage> usage = broker_->core().filters.usage();
  ASSERT_EQ(usage.size(), 1u);
  EXPECT_EQ(usage[0].plugin, "scripted");
  EXPECT_EQ(usage[0].type, "SCRIPT");
  EXPECT_EQ(usage[0].text, "color=red");
  EXPECT_EQ(usage[0].totals.calls, 2u);
  EXPECT_EQ(usage[0].totals.items, 6u);
  EXPECT_EQ(usage[0].totals.errors, 0u);
  EXPECT_GT(usage[0].totals.ticks, 0u);
  EXPECT_EQ(usage[0].matched, 3u);
  EXPECT_EQ(usage[0].users, 1u);
  EXPECT_GT(usage[0].bytes, 0u);
  EXPECT_FALSE(usage[0].suspended);
  EXPECT_EQ(usage[0].reason, "");

  EXPECT_EQ(heartbeat(1, "error color", 2), GANTRY_OK);
  EXPECT_EQ(fetch(filtered("error color")).offsets, (std::vector<std::int64_t>{3}));
  usage = broker_->core().filters.usage();
  ASSERT_EQ(usage.size(), 1u);
  EXPECT_EQ(usage[0].totals.items, 4u);
  EXPECT_EQ(usage[0].totals.errors, 3u);

  EXPECT_EQ(heartbeat(1, "budget color", 3), GANTRY_OK);
  EXPECT_EQ(fetch(filtered("budget color", 3)).status, GANTRY_E_BUDGET);
  usage = broker_->core().filters.usage();
  ASSERT_EQ(usage.size(), 1u);
  EXPECT_EQ(usage[0].totals.items, 0u);
  EXPECT_EQ(usage[0].totals.errors, 1u);
  EXPECT_TRUE(usage[0].suspended);
  EXPECT_EQ(usage[0].reason, "the filter is over its budget");
}

TEST_F(Filter, TagsOfOtherConsumersGoOn) {
  ASSERT_EQ(produce(t_, "a", "TAGS\x01" "A\x02").status, GANTRY_OK);
  produce_color("red");
  EXPECT_EQ(fetch(pull(t_, g_, 0, "A")).offsets, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(plugin_.evals, 0);
}

class NoFilter : public BrokerTest {};

TEST_F(NoFilter, WithoutAPluginOnlyTagsAreSupported) {
  gantry_fetch req = pull(topic("T"), group("G"), 0, "a = 1");
  req.expr_type = str("SQL92");
  const Fetched refused = fetch(req);
  EXPECT_EQ(refused.status, GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(refused.subject, GANTRY_SUBJECT_SUBSCRIPTION);
  EXPECT_EQ(broker_->check_filter("SQL92", "a = 1", nullptr), GANTRY_E_UNSUPPORTED);
}

}  // namespace
}  // namespace gantry::test
