// END_TRANSACTION and CHECK_TRANSACTION_STATE.
#include "remoting_fixture.hpp"

#include "codec/half_message.hpp"

namespace gantry::remoting::test {
namespace {

// A stored message of format 1 in queue 0 of the half topic.
std::string half_record(const std::string &properties, const std::string &body = "body", bool ipv6 = false) {
  const std::string host = std::string(ipv6 ? 15 : 3, '\1') + "\7" + be(5000, 4);
  const std::string fixed = be(0xDAA320A7, 4) + be(0x1234, 4) + be(0, 4) + be(77, 4) + be(6, 8) + be(4660, 8) + be(ipv6 ? 48 : 0, 4) + be(1'700'000'000'000, 8) + host +
                            be(1'700'000'000'001, 8) + host + be(0, 4) + be(0, 8);
  const std::string topic = "RMQ_SYS_TRANS_HALF_TOPIC";
  const std::string rest = fixed + be(body.size(), 4) + body + be(topic.size(), 1) + topic + be(properties.size(), 2) + properties;
  return be(rest.size() + 4, 4) + rest;
}

constexpr const char *kHalfProps = "REAL_TOPIC\1T\2REAL_QID\1" "3\2CLUSTER\1c\2TRAN_MSG\1true\2PGROUP\1pg\2UNIQ_KEY\1" "0A0B";

TEST(HalfMessage, BecomesWhatItsProducerSent) {
  for (const bool ipv6 : {false, true}) {
    const std::string record = half_record(kHalfProps, "body", ipv6);
    HalfMessage half;
    ASSERT_TRUE(as_sent(record, 2, half));
    EXPECT_EQ(half.topic, "T");
    EXPECT_EQ(half.unique_key, "0A0B");
    EXPECT_EQ(half.record.substr(0, 4), be(half.record.size(), 4));
    EXPECT_EQ(half.record.substr(4, 8), record.substr(4, 8));
    EXPECT_EQ(half.record.substr(12, 4), be(3, 4)) << "its queue";
    const std::size_t body_end = record.find("body") + 4;
    EXPECT_EQ(half.record.substr(16, body_end - 16), record.substr(16, body_end - 16)) << "place, times, hosts and body as they are";
    const std::string props = std::string(kHalfProps) + "\2TRANSACTION_CHECK_TIMES\1" "2\2";
    EXPECT_EQ(half.record.substr(body_end), "\1T" + be(props.size(), 2) + props);
  }
}

TEST(HalfMessage, OtherRecordsAreNone) {
  HalfMessage half;
  EXPECT_FALSE(as_sent("", 1, half));
  EXPECT_FALSE(as_sent(half_record("REAL_TOPIC\1T\2"), 1, half)) << "no queue";
  EXPECT_FALSE(as_sent(half_record("REAL_QID\1" "3\2"), 1, half)) << "no topic";
  EXPECT_FALSE(as_sent(half_record("REAL_TOPIC\1T\2REAL_QID\1x\2"), 1, half)) << "the queue is no number";
  EXPECT_FALSE(as_sent(half_record("REAL_TOPIC\1" + std::string(128, 't') + "\2REAL_QID\1" "3\2"), 1, half)) << "the topic is too long";
  const std::string whole = half_record(kHalfProps);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(as_sent(std::string_view(whole).substr(0, n), 1, half)) << n;
  EXPECT_FALSE(as_sent(whole + "x", 1, half));
  // Properties that leave no room for the number of the check go out without it.
  const std::string full = std::string(kHalfProps) + "\2K\1" + std::string(32767 - std::string(kHalfProps).size() - 4, 'v') + "\2";
  ASSERT_TRUE(as_sent(half_record(full), 1, half));
  EXPECT_TRUE(half.record.ends_with(full));
}

class TransactionTest : public RemotingTest {
 protected:
  static Fields end_fields(const std::string &state = "8") {
    return {{"producerGroup", "pg"}, {"tranStateTableOffset", "6"}, {"commitLogOffset", "4660"}, {"commitOrRollback", state}, {"msgId", "0A0B"}, {"fromTransactionCheck", "false"}};
  }
  gantry_event check_event(gantry_conn conn) const {
    gantry_event wanted{};
    wanted.kind = GANTRY_EVENT_CHECK_TRANSACTION;
    wanted.conn = conn;
    wanted.object = 2;
    wanted.a = 6;
    wanted.b = 4660;
    return wanted;
  }
};

TEST_F(TransactionTest, AHalfMessageGoesToTheBrokerAsItIs) {
  start();
  const gantry_conn c = open();
  Fields fields = send_fields("T", 2, "TRAN_MSG\1true\2PGROUP\1pg");
  for (auto &[key, value] : fields)
    if (key == "f") value = "4";
  ASSERT_EQ(feed(c, request(310, 1, fields, "x")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].req.sys_flags, 4u);
  broker_->complete_produce(0, 6, 4660, 2);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.ext.at("queueId"), "2");
  EXPECT_EQ(r.ext.at("queueOffset"), "6");
  EXPECT_TRUE(r.ext.at("msgId").ends_with("0000000000001234"));
}

TEST_F(TransactionTest, CommitAndRollback) {
  start();
  const gantry_conn c = open();
  std::size_t i = 0;
  for (const std::uint32_t how : {GANTRY_END_COMMIT, GANTRY_END_ROLLBACK}) {
    ASSERT_EQ(feed(c, request(37, 5, end_fields(std::to_string(how)))), GANTRY_OK);
    EXPECT_TRUE(replies(c).empty());
    ASSERT_EQ(broker_->ended.size(), i + 1);
    EXPECT_EQ(broker_->ended[i].group, "pg");
    EXPECT_EQ(broker_->ended[i].req.queue_off, 6);
    EXPECT_EQ(broker_->ended[i].req.phys_pos, 4660);
    EXPECT_EQ(broker_->ended[i].req.end, how);
    broker_->complete_end(i++, GANTRY_OK);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, 0);
    EXPECT_EQ(r.opaque, 5);
  }
  // As clients do it: one way, so nothing comes back whatever the outcome.
  ASSERT_EQ(feed(c, request(37, 6, end_fields(), {}, 2)), GANTRY_OK);
  broker_->complete_end(2, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
  turn();
  EXPECT_TRUE(replies(c).empty());
}

TEST_F(TransactionTest, UndecidedIsNoDecision) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 37, end_fields("0")).code, 0);
  EXPECT_TRUE(broker_->ended.empty());
}

TEST_F(TransactionTest, RefusalsBeforeTheBroker) {
  start();
  const gantry_conn c = open();
  for (const auto &[key, bad] : {std::pair{"tranStateTableOffset", "x"}, {"commitLogOffset", ""}, {"commitOrRollback", "4"}, {"commitOrRollback", "eight"}}) {
    Fields fields = end_fields();
    for (auto &[k, v] : fields)
      if (k == key) v = bad;
    const Reply r = ask(c, 37, fields);
    EXPECT_EQ(r.code, 1);
    EXPECT_NE(r.remark.find(key), std::string::npos) << r.remark;
  }
  EXPECT_TRUE(broker_->ended.empty());
}

TEST_F(TransactionTest, FailuresOfTheBroker) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int32_t status;
    std::uint32_t subject;
    std::int32_t code;
    const char *part;
  };
  for (const Case &each : {Case{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY, 1, "Find prepared transaction message failed"}, Case{GANTRY_E_INVALID, GANTRY_SUBJECT_GROUP, 1, "The producer group wrong"},
                           Case{GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE, 1, "table offset wrong"}, Case{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, 1, "does not exist any more"},
                           Case{GANTRY_E_AGAIN, GANTRY_SUBJECT_BODY, 2, ""}, Case{GANTRY_E_NO_SPACE, GANTRY_SUBJECT_STORE, 14, ""}}) {
    ASSERT_EQ(feed(c, request(37, 5, end_fields())), GANTRY_OK);
    broker_->complete_end(broker_->ended.size() - 1, each.status, each.subject);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, each.code) << r.remark;
    EXPECT_NE(r.remark.find(each.part), std::string::npos) << r.remark;
  }
}

TEST_F(TransactionTest, TheProducerIsAskedWithTheMessageAsItSentIt) {
  start();
  const gantry_conn c = open_on(1);
  event(check_event(c));
  ASSERT_EQ(broker_->views.size(), 1u);
  EXPECT_EQ(broker_->views[0].value, 4660);
  broker_->complete_view(broker_->views[0], half_record(kHalfProps));
  for (int i = 0; i < 3; ++i) turn();
  const Reply asked = reply(c);
  EXPECT_EQ(asked.code, 39);
  EXPECT_EQ(asked.flag, 2) << "one way";
  EXPECT_EQ(asked.ext.at("tranStateTableOffset"), "6");
  EXPECT_EQ(asked.ext.at("commitLogOffset"), "4660");
  EXPECT_EQ(asked.ext.at("msgId"), "0A0B");
  EXPECT_EQ(asked.ext.at("transactionId"), "0A0B");
  EXPECT_EQ(asked.ext.at("offsetMsgId"), "0A00000900002A9F0000000000001234");
  EXPECT_EQ(asked.ext.at("bname"), "broker-a");
  EXPECT_EQ(asked.ext.at("topic"), "T");
  HalfMessage half;
  ASSERT_TRUE(as_sent(half_record(kHalfProps), 2, half));
  EXPECT_EQ(asked.body, half.record);
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(TransactionTest, NobodyIsAskedAboutWhatCannotBeRead) {
  start();
  const gantry_conn c = open();
  event(check_event(c));
  broker_->complete(broker_->views[0], GANTRY_E_NOT_FOUND, 0);
  turn();
  EXPECT_TRUE(replies(c).empty());
  EXPECT_TRUE(host_.logged("cannot be read"));
  event(check_event(c));
  broker_->complete_view(broker_->views[1], "no record");
  turn();
  EXPECT_TRUE(replies(c).empty());
  // A producer that is gone meanwhile.
  event(check_event(c));
  close(c);
  broker_->complete_view(broker_->views[2], half_record(kHalfProps));
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(broker_->results_alive(), 0);
}

}  // namespace
}  // namespace gantry::remoting::test
