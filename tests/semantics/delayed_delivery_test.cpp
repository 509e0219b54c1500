#include "semantics_fixture.hpp"

namespace gantry::test {
namespace {

using DelayedDelivery = SemanticsTest;

TEST_F(DelayedDelivery, DeliversWhenDueAndNotBefore) {
  const gantry_topic t = topic("T");
  const gantry_cqe sent = produce(t, "body", "TAGS\x01TagA\x02" "DELAY\x01" "1\x02KEYS\x01k", 2);
  EXPECT_EQ(sent.status, GANTRY_OK);
  EXPECT_EQ(sent.flags, 2u) << "the sender is told of the queue it asked for";
  EXPECT_TRUE(messages("T", 2).empty());
  const auto held = messages("SCHEDULE_TOPIC_XXXX", 0);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0]->property("REAL_TOPIC"), "T");
  EXPECT_EQ(held[0]->property("REAL_QID"), "2");

  pass_ms(950);
  EXPECT_TRUE(messages("T", 2).empty());
  pass_ms(50);
  const auto got = messages("T", 2);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->m.body, "body");
  EXPECT_EQ(got[0]->m.topic, "T");
  EXPECT_EQ(got[0]->m.queue_no, 2u);
  EXPECT_EQ(got[0]->m.queue_off, 0);
  EXPECT_EQ(got[0]->m.born_ms, held[0]->m.born_ms);
  EXPECT_EQ(got[0]->m.body_crc, held[0]->m.body_crc);
  EXPECT_EQ(got[0]->m.store_ms, 1'700'000'001'000);
  EXPECT_EQ(got[0]->property("KEYS"), "k");
  EXPECT_EQ(got[0]->property("TAGS"), "TagA");
  pass_ms(3000);
  EXPECT_EQ(messages("T", 2).size(), 1u) << "once";
}

TEST_F(DelayedDelivery, TagsOfADeliveredMessageAreInTheIndex) {
  const gantry_topic t = topic("T");
  (void)produce(t, "a", "TAGS\x01TagA\x02" "DELAY\x01" "1");
  (void)produce(t, "b", "TAGS\x01TagB\x02" "DELAY\x01" "1");
  pass_ms(1000);
  EXPECT_EQ(fetch(pull(t, group("g"), 0, "TagB")).records.size(), 1u);
}

TEST_F(DelayedDelivery, WakesAWaitingPull) {
  const gantry_topic t = topic("T");
  (void)produce(t, "a", "DELAY\x01" "1");
  const gantry_fetch waiting = pull(t, group("g"), 0, "*", 10'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  pass_ms(1000);
  EXPECT_EQ(result(waiting).records.size(), 1u);
}

TEST_F(DelayedDelivery, LevelsAboveTheHighestAreTheHighestAndZeroIsAtOnce) {
  const gantry_topic t = topic("T");
  (void)produce(t, "a", "DELAY\x01" "99");
  EXPECT_EQ(messages("SCHEDULE_TOPIC_XXXX", 17).size(), 1u);
  (void)produce(t, "b", "DELAY\x01" "0");
  (void)produce(t, "c", "DELAY\x01-1");
  EXPECT_EQ(messages("T").size(), 2u);
  pass_ms(1000);
  EXPECT_EQ(messages("T").size(), 2u);
}

TEST_F(DelayedDelivery, ALevelThatIsNoNumberIsRefused) {
  const gantry_cqe refused = produce(topic("T"), "a", "DELAY\x01soon");
  EXPECT_EQ(refused.status, GANTRY_E_INVALID);
  EXPECT_EQ(refused.flags, GANTRY_SUBJECT_PROPERTIES);
}

TEST_F(DelayedDelivery, ManyOfALevelKeepTheirOrder) {
  const gantry_topic t = topic("T", 1);
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) (void)produce(t, std::to_string(i), "DELAY\x01" "2");
  pass_ms(5000 + 1000);  // so many at once are spread over several turns
  std::vector<std::string> bodies;
  for (std::int64_t offset = 0; offset < kCount;) {
    const Fetched got = fetch(pull(t, group("g"), offset));
    ASSERT_FALSE(got.records.empty()) << offset;
    for (const std::string &record : got.records) {
      broker::StoredMessage m;
      ASSERT_TRUE(broker::parse_record(record, &m));
      bodies.emplace_back(m.body);
    }
    offset = got.next_off;
  }
  ASSERT_EQ(bodies.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(bodies[static_cast<std::size_t>(i)], std::to_string(i));
}

// What was delivered is known from the log alone.
TEST_F(DelayedDelivery, ANewOneGoesOnWhereTheLastOneStopped) {
  const gantry_topic t = topic("T", 1);
  (void)produce(t, "first", "DELAY\x01" "1");
  pass_ms(1000);
  ASSERT_EQ(messages("T").size(), 1u);
  host_.on_shard(0, [&] { delayed_->drain(); });
  (void)produce(t, "second", "DELAY\x01" "1");
  pass_ms(2000);
  EXPECT_EQ(messages("T").size(), 1u) << "nobody delivers now";
  delayed_->stop();
  const auto stopped = std::move(delayed_);
  delayed_ = start_delivery();
  pass_ms(200);
  const auto got = messages("T");
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0]->m.body, "first");
  EXPECT_EQ(got[1]->m.body, "second");
}

TEST_F(DelayedDelivery, AClockSetBackHoldsNothingLongerThanItsDelay) {
  const gantry_topic t = topic("T", 1);
  (void)produce(t, "a", "DELAY\x01" "1");
  host_.freeze_clock(1'600'000'000'000);
  pass_ms(1000);
  EXPECT_EQ(messages("T").size(), 1u);
}

}  // namespace
}  // namespace gantry::test
