// QUERY_MESSAGE.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

class QueryTest : public RemotingTest {
 protected:
  static Fields fields(const std::string &max = "64") {
    return {{"topic", "T"}, {"key", "order-1"}, {"maxNum", max}, {"beginTimestamp", "5"}, {"endTimestamp", "9"}};
  }
};

TEST_F(QueryTest, RecordsBehindEachOther) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(12, 3, fields())), GANTRY_OK);
  ASSERT_EQ(broker_->queries.size(), 1u);
  const auto &q = broker_->queries[0];
  EXPECT_EQ(q.topic, "T");
  EXPECT_EQ(q.key, "order-1");
  EXPECT_EQ(q.req.begin_ms, 5);
  EXPECT_EQ(q.req.end_ms, 9);
  EXPECT_EQ(q.req.max_messages, 64u);
  EXPECT_TRUE(replies(c).empty());
  broker_->complete_query(0, {"newest", "older"});
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 3);
  EXPECT_EQ(r.body, "oldernewest") << "oldest first, as RocketMQ answers";
  EXPECT_TRUE(r.ext.contains("indexLastUpdateTimestamp"));
  EXPECT_TRUE(r.ext.contains("indexLastUpdatePhyoffset"));
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(QueryTest, NothingFound) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(12, 3, fields())), GANTRY_OK);
  broker_->complete_query(0, {});
  turn();
  EXPECT_EQ(reply(c).code, 22);
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(QueryTest, WhoAsksForNoneFindsNone) {
  start();
  const gantry_conn c = open();
  for (const char *none : {"0", "-1"}) {
    ASSERT_EQ(feed(c, request(12, 3, fields(none))), GANTRY_OK);
    EXPECT_EQ(reply(c).code, 22);
  }
  EXPECT_TRUE(broker_->queries.empty());
}

TEST_F(QueryTest, TheProducersIdIsLookedUpWithALimitOfItsOwn) {
  start();
  const gantry_conn c = open();
  Fields unique = fields("1");
  unique.emplace_back("_UNIQUE_KEY_QUERY", "true");
  ASSERT_EQ(feed(c, request(12, 1, unique) + request(12, 2, fields("100000"))), GANTRY_OK);
  EXPECT_EQ(broker_->queries.at(0).req.max_messages, 32u);
  EXPECT_EQ(broker_->queries.at(1).req.max_messages, 256u);
  broker_->complete_query(0, {});
  broker_->complete_query(1, {});
  turn();
}

TEST_F(QueryTest, ALargeAnswerIsCutButNeverEmpty) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(12, 1, fields())), GANTRY_OK);
  const std::string large(3u << 20, 'x');
  broker_->complete_query(0, {large, large});
  turn();
  EXPECT_EQ(reply(c).body.size(), large.size());
}

TEST_F(QueryTest, Refusals) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 12, {{"topic", "T"}, {"key", "k"}}).code, 1);
  EXPECT_EQ(ask(c, 12, {{"topic", "T"}, {"key", ""}, {"maxNum", "1"}, {"beginTimestamp", "0"}, {"endTimestamp", "1"}}).code, 1);
  broker_->query_refusal = GANTRY_E_UNSUPPORTED;
  EXPECT_EQ(ask(c, 12, fields()).remark, "the store of this broker does not find messages by key");
  broker_->query_refusal = 0;
  ASSERT_EQ(feed(c, request(12, 1, fields())), GANTRY_OK);
  const auto &q = broker_->queries.at(0);
  broker_->complete(FakeBroker::Asked{q.req.user_data, q.cq, 0}, GANTRY_E_IO, 0);
  turn();
  EXPECT_EQ(reply(c).code, 1);
}

}  // namespace
}  // namespace gantry::remoting::test
