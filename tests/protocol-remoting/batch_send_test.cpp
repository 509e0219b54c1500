// Sending batches: one reply for many messages, every refusal, back-pressure in the middle of one.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

using BatchSendTest = RemotingTest;

std::string item(std::string_view body, std::string_view properties, std::uint32_t flag = 0) {
  return be(22 + body.size() + properties.size(), 4) + be(0, 8) + be(flag, 4) + be(body.size(), 4) + std::string(body) +
         be(properties.size(), 2) + std::string(properties);
}

Fields with(Fields fields, const std::string &key, const std::string &value) {
  for (auto &[k, v] : fields)
    if (k == key) v = value;
  return fields;
}

TEST_F(BatchSendTest, BatchIsManyMessagesAndOneReply) {
  start();
  const gantry_conn c = open();
  const std::string body = item("one", "K\1V", 7) + item("two", "") + item("three", "A\1B\2");
  ASSERT_EQ(feed(c, request(320, 9, send_fields("T", 1, "WAIT\1true"), body)), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 3u);
  EXPECT_EQ(broker_->produced[0].body, "one");
  EXPECT_EQ(broker_->produced[0].props, "K\1V");
  EXPECT_EQ(broker_->produced[0].req.msg_flag, 7u);
  EXPECT_EQ(broker_->produced[2].props, "A\1B\2");
  EXPECT_EQ(broker_->produced[2].req.queue_no, 1);
  broker_->complete_produce(1, 11, 200, 1);
  broker_->complete_produce(0, 10, 100, 1);
  turn();
  EXPECT_TRUE(replies(c).empty());
  broker_->complete_produce(2, 12, 300, 1);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 9);
  EXPECT_EQ(r.ext.at("queueOffset"), "10");
  EXPECT_EQ(r.ext.at("queueId"), "1");
  EXPECT_EQ(r.ext.at("msgId"),
            "0A00000900002A9F0000000000000064,0A00000900002A9F00000000000000C8,0A00000900002A9F000000000000012C");
  EXPECT_EQ(r.ext.at("MSG_REGION"), "DefaultRegion");
}

TEST_F(BatchSendTest, BatchLevelPropertiesAreAppendedToEachMessage) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 9, with(send_fields("T", 1, "X\1Y"), "m", "true"), item("a", "K\1V") + item("b", "K\1V\2") + item("c", ""))), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 3u);
  EXPECT_EQ(broker_->produced[0].props, "K\1V\2X\1Y");
  EXPECT_EQ(broker_->produced[1].props, "K\1V\2X\1Y");
  EXPECT_EQ(broker_->produced[2].props, "X\1Y");
}

TEST_F(BatchSendTest, EachMessageOfA5xClientIsMarked) {
  start();
  ASSERT_EQ(feed(open(), frame(java_header(320, 9, send_fields("T", 1, ""), 0, 500), item("a", "K\1V") + item("b", ""))), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 2u);
  for (const auto &p : broker_->produced) EXPECT_EQ(p.lead_props, "MSG_REGION\1DefaultRegion\2TRACE_ON\1true\2");
  EXPECT_EQ(broker_->produced[0].props, "K\1V");
}

TEST_F(BatchSendTest, BatchWithoutQueueGoesToOneQueue) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(320, 9, send_fields("T", -1, ""), item("a", "") + item("b", ""))), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 2u);
  EXPECT_GE(broker_->produced[0].req.queue_no, 0);
  EXPECT_EQ(broker_->produced[0].req.queue_no, broker_->produced[1].req.queue_no);
}

TEST_F(BatchSendTest, LargeBatchUnderBackPressureIsCompleteAndInOrder) {
  start();
  const gantry_conn c = open();
  std::string body;
  for (int i = 0; i < 1000; ++i) body += item(std::to_string(i), "K\1V");
  broker_->produce_credit = 100;
  std::int32_t status = feed(c, request(320, 9, send_fields("T", 0, "X\1Y"), body) + request(310, 10, send_fields(), "after"));
  for (int round = 0; status == GANTRY_E_AGAIN && round < 100; ++round) {
    broker_->produce_credit = 37;
    status = offer(c);
  }
  ASSERT_EQ(status, GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1001u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(broker_->produced[static_cast<std::size_t>(i)].body, std::to_string(i));
    broker_->complete_produce(static_cast<std::size_t>(i), i, i, 0);
  }
  EXPECT_EQ(broker_->produced[1000].body, "after");
  turn();
  net_.conns[c].output.swap(net_.conns[c].close_reason);
  Frame f;
  const std::string &out = net_.conns[c].close_reason;
  ASSERT_EQ(split_frame(reinterpret_cast<const std::uint8_t *>(out.data()), static_cast<std::uint32_t>(out.size()), f), FrameStatus::kWhole);
  EXPECT_EQ(std::count(f.header.begin(), f.header.end(), ','), 999 + 10);
}

TEST_F(BatchSendTest, ABatchOfWhichAMessageFailsIsRefused) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(320, 9, send_fields("T", 0, ""), item("a", "") + item("b", ""))), GANTRY_OK);
  broker_->complete_produce(0, 1, 1, 0);
  broker_->fail_produce(1, GANTRY_E_NO_SPACE, GANTRY_SUBJECT_STORE);
  turn();
  EXPECT_EQ(reply(c).code, 14);
}

TEST_F(BatchSendTest, BatchRefusals) {
  start();
  const gantry_conn c = open();
  std::string damaged = item("a", "") + item("b", "");
  damaged[3] = static_cast<char>(damaged[3] + 1);
  std::string many;
  for (int i = 0; i < 32769; ++i) many += item("", "");
  for (const std::string &body : {damaged, std::string(), item("a", "").substr(0, 10), item("a", "DELAY\1" "1"), item("a", "TRAN_MSG\1true"), many}) {
    const Reply r = ask(c, 320, send_fields("T", 0, ""), body);
    EXPECT_EQ(r.code, 13);
    EXPECT_FALSE(r.remark.empty());
  }
  EXPECT_EQ(ask(c, 320, send_fields("T", 0, "DELAY\1" "1"), item("a", "")).code, 13);
  EXPECT_TRUE(broker_->produced.empty());
}

TEST_F(BatchSendTest, ConnectionClosedInTheMiddleOfABatch) {
  start();
  const gantry_conn c = open();
  broker_->produce_credit = 1;
  ASSERT_EQ(feed(c, request(320, 9, send_fields("T", 0, ""), item("a", "") + item("b", ""))), GANTRY_E_AGAIN);
  close(c);
  broker_->complete_produce(0, 1, 1, 0);
  turn();
  const gantry_conn next = open();
  broker_->produce_credit = UINT32_MAX;
  ASSERT_EQ(feed(next, request(320, 9, send_fields("T", 0, ""), item("c", ""))), GANTRY_OK);
  broker_->complete_produce(1, 2, 2, 0);
  turn();
  EXPECT_EQ(reply(next).code, 0);
}

TEST_F(BatchSendTest, TopicDeletedInTheMiddleOfABatch) {
  start();
  const gantry_conn c = open();
  broker_->produce_credit = 1;
  ASSERT_EQ(feed(c, request(320, 9, send_fields("T", 0, ""), item("a", "") + item("b", ""))), GANTRY_E_AGAIN);
  broker_->topics.erase("T");
  broker_->auto_create_topics = false;
  gantry_event changed{};
  changed.kind = GANTRY_EVENT_TOPICS_CHANGED;
  event(changed);
  ASSERT_EQ(offer(c), GANTRY_OK);
  EXPECT_EQ(reply(c).code, 17);
  broker_->complete_produce(0, 1, 1, 0);
  turn();
  EXPECT_TRUE(replies(c).empty());
}

}  // namespace
}  // namespace gantry::remoting::test
