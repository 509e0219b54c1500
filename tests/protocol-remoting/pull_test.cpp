// Pulling and looking up by id: what is asked of the broker, how each outcome and failure is answered.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

using PullTest = RemotingTest;

Fields with(Fields fields, const std::string &key, const std::string &value) {
  for (auto &[k, v] : fields)
    if (k == key) v = value;
  return fields;
}

TEST_F(PullTest, RequestBecomesAFetch) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(11, 1, pull_fields("T", 3, 77, 1 | 2 | 4))), GANTRY_OK);
  ASSERT_EQ(broker_->fetched.size(), 1u);
  const auto &f = broker_->fetched[0];
  EXPECT_EQ(f.group, "G");
  EXPECT_EQ(f.topic, "T");
  EXPECT_EQ(f.req.queue_no, 3u);
  EXPECT_EQ(f.req.offset, 77);
  EXPECT_EQ(f.req.max_records, 32u);
  EXPECT_EQ(f.req.commit_offset, 3);
  EXPECT_EQ(f.req.wait_ms, 15000);
  EXPECT_EQ(f.req.sub_version, 9);
  EXPECT_EQ(f.req.flags, GANTRY_FETCH_OWN_EXPR);
  EXPECT_EQ(f.expr, "A||B");
  EXPECT_EQ(f.expr_type, "TAG");
  EXPECT_EQ(f.req.max_bytes, 256u << 10);
  for (const std::uint64_t reserved : f.req.reserved) EXPECT_EQ(reserved, 0u);

  ASSERT_EQ(feed(c, request(361, 2, pull_fields("T", 3, 77, 0))), GANTRY_OK);
  const auto &plain = broker_->fetched[1];
  EXPECT_EQ(plain.req.commit_offset, -1);
  EXPECT_EQ(plain.req.wait_ms, 0);
  EXPECT_EQ(plain.req.flags, 0u);
}

TEST_F(PullTest, FoundIsHeaderAndRecordsInOneSend) {
  start();
  const gantry_conn c = open();
  for (const bool adjacent : {false, true}) {
    const std::size_t i = broker_->fetched.size();
    ASSERT_EQ(feed(c, request(11, 5, pull_fields())), GANTRY_OK);
    EXPECT_TRUE(replies(c).empty());
    net_.sends = net_.spans = 0;
    broker_->complete_fetch(i, GANTRY_FETCH_FOUND, {"record1", "rec2", "r3"}, 3, 0, 10, adjacent);
    turn();
    EXPECT_EQ(net_.sends, 1u);
    EXPECT_EQ(net_.spans, adjacent ? 2u : 4u);
    const Reply r = reply(c);
    EXPECT_EQ(r.code, 0);
    EXPECT_EQ(r.opaque, 5);
    EXPECT_EQ(r.remark, "FOUND");
    EXPECT_EQ(r.body, "record1rec2r3");
    EXPECT_EQ(r.ext.at("nextBeginOffset"), "3");
    EXPECT_EQ(r.ext.at("minOffset"), "0");
    EXPECT_EQ(r.ext.at("maxOffset"), "10");
    EXPECT_EQ(r.ext.at("suggestWhichBrokerId"), "0");
    EXPECT_EQ(broker_->results_alive(), 0);
  }
}

TEST_F(PullTest, OtherOutcomes) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int64_t asked;
    std::uint32_t outcome;
    std::int64_t next, min, max;
    std::int32_t code;
    const char *remark;
  };
  const Case cases[] = {{10, GANTRY_FETCH_NO_NEW, 10, 0, 10, 19, "OFFSET_OVERFLOW_ONE"},
                        {0, GANTRY_FETCH_NO_NEW, 0, 0, 0, 19, "NO_MESSAGE_IN_QUEUE"},
                        {2, GANTRY_FETCH_NO_MATCHED, 9, 0, 10, 20, "NO_MATCHED_MESSAGE"},
                        {2, GANTRY_FETCH_MOVED, 5, 5, 10, 21, "OFFSET_TOO_SMALL"},
                        {12, GANTRY_FETCH_MOVED, 10, 5, 10, 21, "OFFSET_OVERFLOW_BADLY"},
                        {12, GANTRY_FETCH_MOVED, 0, 0, 0, 21, "NO_MESSAGE_IN_QUEUE"}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const Case &k = cases[i];
    ASSERT_EQ(feed(c, request(11, 1, pull_fields("T", 0, k.asked))), GANTRY_OK);
    broker_->complete_fetch(i, k.outcome, {}, k.next, k.min, k.max);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, k.code);
    EXPECT_EQ(r.remark, k.remark);
    EXPECT_EQ(r.ext.at("nextBeginOffset"), std::to_string(k.next));
    EXPECT_EQ(r.ext.size(), 4u);
  }
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(PullTest, RefusalsBeforeTheBroker) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 11, pull_fields("Nowhere")).code, 17);
  EXPECT_EQ(ask(c, 11, pull_fields("T", -1)).code, 1);
  EXPECT_EQ(ask(c, 11, with(pull_fields(), "queueOffset", "x")).code, 1);
  EXPECT_EQ(ask(c, 11, {}).code, 1);
  broker_->auto_create_groups = false;
  EXPECT_EQ(ask(c, 11, with(pull_fields(), "consumerGroup", "H")).code, 26);
  EXPECT_TRUE(broker_->fetched.empty());
}

TEST_F(PullTest, BrokerWithoutReadPermission) {
  broker_->perm = GANTRY_PERM_WRITE;
  start();
  EXPECT_EQ(ask(open(), 11, pull_fields()).code, 16);
}

TEST_F(PullTest, FailedCompletions) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int32_t status;
    std::uint32_t subject;
    std::int32_t code;
  };
  const Case cases[] = {{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_GROUP, 26}, {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, 17},
                        {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_SUBSCRIPTION, 24}, {GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, 16},
                        {GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE, 1}, {GANTRY_E_STALE, GANTRY_SUBJECT_SUBSCRIPTION, 25},
                        {GANTRY_E_UNSUPPORTED, GANTRY_SUBJECT_SUBSCRIPTION, 1}, {GANTRY_E_SYNTAX, GANTRY_SUBJECT_SUBSCRIPTION, 23},
                        {GANTRY_E_LIMIT, GANTRY_SUBJECT_SUBSCRIPTION, 23}, {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_FILTER, 27},
                        {GANTRY_E_IO, GANTRY_SUBJECT_STORE, 1}, {GANTRY_E_AGAIN, GANTRY_SUBJECT_STORE, 215},
                        {GANTRY_E_CANCELLED, GANTRY_SUBJECT_BROKER, 14}, {GANTRY_E_INTERNAL, GANTRY_SUBJECT_NONE, 1}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    ASSERT_EQ(feed(c, request(11, 1, pull_fields())), GANTRY_OK);
    broker_->fail_fetch(i, cases[i].status, cases[i].subject);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, cases[i].code) << i;
    EXPECT_FALSE(r.remark.empty());
  }
}

TEST_F(PullTest, SendsAreHandedOverBeforeAPullAndTheOtherWayRound) {
  start();
  const gantry_conn c = open();
  broker_->produce_credit = 0;
  const std::string bytes = request(310, 1, send_fields(), "a") + request(11, 2, pull_fields()) + request(11, 3, pull_fields());
  ASSERT_EQ(feed(c, bytes), GANTRY_E_AGAIN);
  EXPECT_TRUE(broker_->fetched.empty());
  EXPECT_EQ(peers_[c].input, bytes);
  broker_->produce_credit = UINT32_MAX;
  ASSERT_EQ(offer(c), GANTRY_OK);
  EXPECT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->fetched.size(), 2u);
  EXPECT_EQ(broker_->fetch_calls, 1u);

  broker_->fetch_credit = 1;
  const std::string more = request(11, 4, pull_fields()) + request(11, 5, pull_fields()) + request(310, 6, send_fields(), "b");
  ASSERT_EQ(feed(c, more), GANTRY_E_AGAIN);
  EXPECT_EQ(broker_->fetched.size(), 3u);
  EXPECT_EQ(broker_->produced.size(), 1u);
  broker_->fetch_credit = UINT32_MAX;
  ASSERT_EQ(offer(c), GANTRY_OK);
  EXPECT_EQ(broker_->fetched.size(), 4u);
  EXPECT_EQ(broker_->produced.size(), 2u);
}

TEST_F(PullTest, APermanentRefusalOfTheCallAnswersAll) {
  start();
  const gantry_conn c = open();
  broker_->fetch_refusal = GANTRY_E_CLOSED;
  ASSERT_EQ(feed(c, request(11, 1, pull_fields()) + request(11, 2, pull_fields())), GANTRY_OK);
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].code, 14);
}

TEST_F(PullTest, ResultsOfClosedConnectionsAreReleased) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(11, 1, pull_fields())), GANTRY_OK);
  close(c);
  broker_->complete_fetch(0, GANTRY_FETCH_FOUND, {"r"}, 1, 0, 1);
  turn();
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(PullTest, PeerThatDoesNotReadIsClosed) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(11, 1, pull_fields())), GANTRY_OK);
  net_.conns[c].limit = 10;
  broker_->complete_fetch(0, GANTRY_FETCH_FOUND, {"r"}, 1, 0, 1);
  turn();
  EXPECT_FALSE(net_.conns[c].open);
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(PullTest, TooManyPullsOfOneConnection) {
  start();
  const gantry_conn c = open();
  std::string bytes;
  for (int i = 0; i < 16384; ++i) bytes += request(11, i, pull_fields());
  ASSERT_EQ(feed(c, bytes), GANTRY_OK);
  ASSERT_EQ(broker_->fetched.size(), 16384u);
  EXPECT_EQ(ask(c, 11, pull_fields()).code, 2);
  broker_->complete_fetch(0, GANTRY_FETCH_NO_NEW, {}, 0, 0, 0);
  turn();
  (void)replies(c);
  ASSERT_EQ(feed(c, request(11, 1, pull_fields())), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
}

TEST_F(PullTest, ViewMessageById) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(33, 4, {{"offset", "4660"}})), GANTRY_OK);
  ASSERT_EQ(broker_->views.size(), 1u);
  EXPECT_EQ(broker_->views[0].value, 4660);
  broker_->complete_view(broker_->views[0], "stored");
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 4);
  EXPECT_EQ(r.body, "stored");
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(PullTest, ViewOfGarbage) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 33, {{"offset", "-5"}}).remark, "can not find message by the offset, -5");
  EXPECT_EQ(ask(c, 33, {{"offset", "x"}}).code, 1);
  ASSERT_EQ(feed(c, request(33, 4, {{"offset", "77"}})), GANTRY_OK);
  broker_->complete(broker_->views[0], GANTRY_E_NOT_FOUND, 0);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 1);
  EXPECT_EQ(r.remark, "can not find message by the offset, 77");
}

}  // namespace
}  // namespace gantry::remoting::test
