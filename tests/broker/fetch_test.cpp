#include "broker_fixture.hpp"

namespace gantry::test {
namespace {

class Fetch : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    t_ = topic("T");
    g_ = group("G");
  }
  gantry_topic t_ = 0;
  gantry_group g_ = 0;
};

TEST_F(Fetch, OutcomesFollowTheOffset) {
  EXPECT_EQ(fetch(pull(t_, g_, 0)).outcome, GANTRY_FETCH_NO_NEW);
  EXPECT_EQ(fetch(pull(t_, g_, 5)).outcome, GANTRY_FETCH_MOVED);
  for (int i = 0; i < 3; ++i) (void)produce(t_, "m");
  const Fetched all = fetch(pull(t_, g_, 0));
  EXPECT_EQ(all.outcome, GANTRY_FETCH_FOUND);
  EXPECT_EQ(all.offsets, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(all.next_off, 3);
  EXPECT_EQ(all.max_off, 3);
  const Fetched end = fetch(pull(t_, g_, 3));
  EXPECT_EQ(end.outcome, GANTRY_FETCH_NO_NEW);
  EXPECT_EQ(end.next_off, 3);
  const Fetched beyond = fetch(pull(t_, g_, 9));
  EXPECT_EQ(beyond.outcome, GANTRY_FETCH_MOVED);
  EXPECT_EQ(beyond.next_off, 3);
}

TEST_F(Fetch, TagsSelectAndReportNoMatch) {
  (void)produce(t_, "a", "TAGS\x01" "A");
  (void)produce(t_, "b", "TAGS\x01" "B");
  (void)produce(t_, "n");
  EXPECT_EQ(fetch(pull(t_, g_, 0, "A || C")).offsets, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(fetch(pull(t_, g_, 0, "A||B")).offsets, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(fetch(pull(t_, g_, 0, "*")).offsets.size(), 3u);
  const Fetched none = fetch(pull(t_, g_, 0, "X"));
  EXPECT_EQ(none.outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(none.next_off, 3);
}

TEST_F(Fetch, WaitsUntilAMessageComes) {
  const gantry_fetch waiting = pull(t_, g_, 0, "*", 15'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  (void)produce(t_, "now");
  const Fetched got = result(waiting);
  EXPECT_EQ(got.outcome, GANTRY_FETCH_FOUND);
  EXPECT_EQ(got.offsets, (std::vector<std::int64_t>{0}));
}

TEST_F(Fetch, AMessageOfAnotherTagKeepsItWaiting) {
  const gantry_fetch waiting = pull(t_, g_, 0, "A", 15'000);
  submit(waiting);
  EXPECT_FALSE(answered(waiting));
  (void)produce(t_, "b", "TAGS\x01" "B");
  EXPECT_FALSE(answered(waiting));
  (void)produce(t_, "a", "TAGS\x01" "A");
  EXPECT_EQ(result(waiting).offsets, (std::vector<std::int64_t>{1}));
}

TEST_F(Fetch, TheWaitEndsAtItsDeadline) {
  const gantry_fetch waiting = pull(t_, g_, 0, "*", 1'000);
  submit(waiting);
  host_.advance_ms(900);
  EXPECT_FALSE(answered(waiting));
  for (int i = 0; i < 3; ++i) {
    host_.advance_ms(100);
    host_.turn();
  }
  EXPECT_EQ(result(waiting).outcome, GANTRY_FETCH_NO_NEW);
}

TEST_F(Fetch, WhatWasFilteredWhileWaitingIsSkippedAtTheDeadline) {
  const gantry_fetch waiting = pull(t_, g_, 0, "A", 1'000);
  submit(waiting);
  (void)produce(t_, "b", "TAGS\x01" "B");
  EXPECT_FALSE(answered(waiting));
  for (int i = 0; i < 12; ++i) {
    host_.advance_ms(100);
    host_.turn();
  }
  const Fetched got = result(waiting);
  EXPECT_EQ(got.outcome, GANTRY_FETCH_NO_MATCHED);
  EXPECT_EQ(got.next_off, 1);
}

TEST_F(Fetch, ManyWaitersOfOneQueueAreAllServed) {
  std::vector<gantry_fetch> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(pull(t_, g_, 0, "*", 15'000));
    submit(all.back());
  }
  (void)produce(t_, "x");
  for (const gantry_fetch &f : all) EXPECT_EQ(result(f).offsets.size(), 1u);
}

TEST_F(Fetch, DrainAnswersWhoWaits) {
  const gantry_fetch waiting = pull(t_, g_, 0, "*", 15'000);
  submit(waiting);
  host_.on_shard(0, [&] { broker_->drain(); });
  EXPECT_EQ(result(waiting).outcome, GANTRY_FETCH_NO_NEW);
}

TEST_F(Fetch, RefusalsNameTheirSubject) {
  const auto refused = [&](gantry_fetch req, std::int32_t status, std::uint32_t subject) {
    const Fetched got = fetch(req);
    EXPECT_EQ(got.status, status);
    EXPECT_EQ(got.subject, subject);
  };
  refused(pull(t_, 77, 0), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_GROUP);
  refused(pull(77, g_, 0), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC);
  gantry_fetch req = pull(t_, g_, 0);
  req.queue_no = 4;
  refused(req, GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE);
  refused(pull(topic("W", 1, GANTRY_PERM_WRITE), g_, 0), GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC);
  refused(pull(t_, g_, 0, " || "), GANTRY_E_SYNTAX, GANTRY_SUBJECT_SUBSCRIPTION);
  req = pull(t_, g_, 0, "a > 5");
  req.expr_type = str("SQL92");
  refused(req, GANTRY_E_UNSUPPORTED, GANTRY_SUBJECT_SUBSCRIPTION);
  req = pull(t_, g_, 0);
  req.flags = 0;  // by what the group's clients registered: nobody did
  refused(req, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_SUBSCRIPTION);
}

TEST_F(Fetch, CommitsTheOffsetItCarries) {
  gantry_fetch req = pull(t_, g_, 0, "*", 15'000);
  req.commit_offset = 7;
  submit(req);
  std::int64_t offset = -1;
  EXPECT_EQ(broker_->offset_query(g_, t_, 0, GANTRY_OFFSET_EXACT, &offset), GANTRY_OK);
  EXPECT_EQ(offset, 7);
  host_.on_shard(0, [&] { broker_->drain(); });
  EXPECT_EQ(result(req).outcome, GANTRY_FETCH_NO_NEW);
}

TEST_F(Fetch, AMessageIsFoundByItsPosition) {
  const gantry_cqe sent = produce(t_, "look me up");
  gantry_fetch req{};
  req.user_data = ++next_user_data_;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->fetcher().message_at(static_cast<std::int64_t>(sent.aux), req.user_data, done_->id()), GANTRY_OK); });
  EXPECT_EQ(result(req).records.size(), 1u);
  req.user_data = ++next_user_data_;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->fetcher().message_at(static_cast<std::int64_t>(sent.aux) + 1, req.user_data, done_->id()), GANTRY_OK); });
  EXPECT_EQ(result(req).status, GANTRY_E_NOT_FOUND);
}

}  // namespace
}  // namespace gantry::test
