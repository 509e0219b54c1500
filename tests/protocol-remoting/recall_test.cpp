// Sends of messages that wait for a due time, and taking them back.
#include "remoting_fixture.hpp"

#include "codec/recall_handle.hpp"

namespace gantry::remoting::test {
namespace {

TEST(RecallHandle, IsRocketMqsInBase64WithThePositionBehind) {
  // base64.urlsafe_b64encode(b"v1 T broker-a 1700000000000 0A0B 4660")
  EXPECT_EQ(encode_recall_handle({"T", "broker-a", 1'700'000'000'000, "0A0B", 4660}), "djEgVCBicm9rZXItYSAxNzAwMDAwMDAwMDAwIDBBMEIgNDY2MA==");
  for (const std::string key : {"", "0", "01", "012"}) {  // every length of padding
    RecallHandle got;
    ASSERT_TRUE(decode_recall_handle(encode_recall_handle({"T", "b", 5, key, 7}), got)) << key;
    EXPECT_EQ(got.topic, "T");
    EXPECT_EQ(got.broker_name, "b");
    EXPECT_EQ(got.due_ms, 5);
    EXPECT_EQ(got.uniq_key, key);
    EXPECT_EQ(got.position, 7);
  }
  RecallHandle plain;
  ASSERT_TRUE(decode_recall_handle("djEgVCBiIDUga2V5", plain)) << "v1 T b 5 key, as RocketMQ makes it";
  EXPECT_EQ(plain.position, -1);
}

TEST(RecallHandle, OtherTextsAreNone) {
  RecallHandle out;
  EXPECT_FALSE(decode_recall_handle("", out));
  EXPECT_FALSE(decode_recall_handle("not base64!", out));
  EXPECT_FALSE(decode_recall_handle("djEgYnJva2VyLWEgdG9waWMgMA==", out)) << "four items";
  EXPECT_FALSE(decode_recall_handle("djIgVCBiIDUga2V5", out)) << "version 2";
  EXPECT_FALSE(decode_recall_handle("djEgVCBiIHggaw==", out)) << "the time is no number";
  EXPECT_FALSE(decode_recall_handle("djEgVCBiIDUgayB4", out)) << "the position is no number";
  EXPECT_FALSE(decode_recall_handle("AAAAA", out)) << "no length of Base64";
  EXPECT_FALSE(decode_recall_handle(std::string(5000, 'A'), out));
}

class RecallTest : public RemotingTest {
 protected:
  static constexpr const char *kTimed = "TIMER_DELAY_MS\1" "5000\2UNIQ_KEY\1" "0A0B";

  // Sends a message that waits; its reply.
  Reply send_timed(gantry_conn c, std::uint32_t flags = 2 | GANTRY_PRODUCED_TIMED) {
    EXPECT_EQ(feed(c, request(310, 1, send_fields("T", 2, kTimed), "x")), GANTRY_OK);
    EXPECT_EQ(broker_->produced.size(), 1u);
    broker_->complete_produce(0, 9, 4660, flags);
    turn();
    return reply(c);
  }
  static Fields recall_fields(const std::string &topic, const std::string &handle) { return {{"producerGroup", "G"}, {"topic", topic}, {"recallHandle", handle}}; }
  std::string handle(const std::string &topic = "T") { return encode_recall_handle({topic, broker_name_, 5, "0A0B", 4660}); }

  void begin() {
    start();
    conn_ = open();
    const Reply sent = send_timed(conn_);
    RecallHandle made;
    ASSERT_TRUE(decode_recall_handle(sent.ext.at("recallHandle"), made));
    broker_name_ = made.broker_name;
  }

  gantry_conn conn_ = 0;
  std::string broker_name_;
};

TEST_F(RecallTest, TheAnswerToATimedSendCarriesAHandle) {
  start();
  const Reply r = send_timed(open());
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.ext.at("queueId"), "2") << "the mark of a timed message is not in it";
  EXPECT_EQ(r.ext.at("queueOffset"), "9");
  EXPECT_TRUE(r.ext.at("msgId").ends_with("0000000000001234"));
  RecallHandle made;
  ASSERT_TRUE(decode_recall_handle(r.ext.at("recallHandle"), made));
  EXPECT_EQ(made.topic, "T");
  EXPECT_EQ(made.uniq_key, "0A0B");
  EXPECT_EQ(made.position, 4660);
}

TEST_F(RecallTest, WhatDidNotWaitHasNone) {
  start();
  EXPECT_FALSE(send_timed(open(), 2).ext.contains("recallHandle"));
}

TEST_F(RecallTest, RefusalsOfTimedSends) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int32_t status, code;
    const char *part;
  };
  std::size_t i = 0;
  for (const Case &each : {Case{GANTRY_E_RANGE, 13, "further ahead"}, Case{GANTRY_E_INVALID, 13, "properties"}, Case{GANTRY_E_NO_SPACE, 14, ""}}) {
    ASSERT_EQ(feed(c, request(310, 1, send_fields("T", 0, kTimed), "x")), GANTRY_OK);
    broker_->fail_produce(i++, each.status, each.status == GANTRY_E_NO_SPACE ? GANTRY_SUBJECT_STORE : GANTRY_SUBJECT_PROPERTIES);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, each.code) << r.remark;
    EXPECT_NE(r.remark.find(each.part), std::string::npos) << r.remark;
    EXPECT_FALSE(r.ext.contains("recallHandle"));
  }
}

TEST_F(RecallTest, PassesOnWhatTheHandleSaysAndAnswersWithTheId) {
  begin();
  ASSERT_EQ(feed(conn_, request(370, 4, recall_fields("T", handle()))), GANTRY_OK);
  EXPECT_TRUE(replies(conn_).empty());
  ASSERT_EQ(broker_->recalled.size(), 1u);
  EXPECT_EQ(broker_->recalled[0].topic, "T");
  EXPECT_EQ(broker_->recalled[0].key, "0A0B");
  EXPECT_EQ(broker_->recalled[0].req.phys_pos, 4660);
  broker_->complete_recall(0, GANTRY_OK);
  turn();
  const Reply r = reply(conn_);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 4);
  EXPECT_EQ(r.ext.at("msgId"), "0A0B");
}

TEST_F(RecallTest, RefusalsBeforeTheBroker) {
  begin();
  broker_->topics["U"] = {0, 6, 4, 4, {}};
  const auto refused = [&](const Fields &fields, std::int32_t code, const std::string &remark) {
    const Reply r = ask(conn_, 370, fields);
    EXPECT_EQ(r.code, code) << r.remark;
    EXPECT_NE(r.remark.find(remark), std::string::npos) << r.remark;
  };
  refused({{"recallHandle", handle()}}, 1, "field topic is missing");
  refused(recall_fields("NoSuchTopic", handle()), 17, "not exist");
  refused({{"topic", "T"}}, 604, "recall handle is invalid");
  refused(recall_fields("T", "nonsense"), 604, "recall handle is invalid");
  refused(recall_fields("U", handle()), 604, "topic not match");
  refused(recall_fields("T", encode_recall_handle({"T", "another-broker", 5, "0A0B", 4660})), 604, "broker service not available");
  refused(recall_fields("T", "djEgVCBiIDUga2V5"), 604, "recall failed");
  EXPECT_TRUE(broker_->recalled.empty());
}

TEST_F(RecallTest, FailuresOfTheBroker) {
  begin();
  struct Case {
    std::int32_t status, code;
    const char *part;
  };
  for (const Case &each : {Case{GANTRY_E_NOT_FOUND, 604, "no such message"}, Case{GANTRY_E_STALE, 604, "delivered already"}, Case{GANTRY_E_AGAIN, 2, ""}}) {
    ASSERT_EQ(feed(conn_, request(370, 4, recall_fields("T", handle()))), GANTRY_OK);
    broker_->complete_recall(broker_->recalled.size() - 1, each.status);
    turn();
    const Reply r = reply(conn_);
    EXPECT_EQ(r.code, each.code) << r.remark;
    EXPECT_NE(r.remark.find(each.part), std::string::npos) << r.remark;
  }
}

}  // namespace
}  // namespace gantry::remoting::test
