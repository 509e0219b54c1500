// A consumer gives a message back: fields, answers, refusals. And what senders to a %RETRY% topic ask for.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

class RetryTest : public RemotingTest {
 protected:
  static Fields back_fields() { return {{"group", "G"}, {"offset", "4660"}, {"delayLevel", "3"}, {"maxReconsumeTimes", "5"}, {"originTopic", "T"}}; }
  static Fields without(Fields fields, const std::string &key) {
    std::erase_if(fields, [&key](const auto &field) { return field.first == key; });
    return fields;
  }
};

TEST_F(RetryTest, PassesOnWhatTheConsumerAsksForAndAnswersWhenItIsStored) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(36, 4, back_fields())), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
  ASSERT_EQ(broker_->given_back.size(), 1u);
  const gantry_send_back &req = broker_->given_back[0].req;
  EXPECT_EQ(req.phys_pos, 4660);
  EXPECT_EQ(req.delay_level, 3);
  EXPECT_EQ(req.max_reconsume_times, 5);
  EXPECT_NE(req.group, 0u);
  broker_->complete(broker_->given_back[0], GANTRY_OK, GANTRY_SUBJECT_NONE);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 4);
}

TEST_F(RetryTest, WithoutALimitTheGroupsCounts) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(36, 4, without(back_fields(), "maxReconsumeTimes"))), GANTRY_OK);
  ASSERT_EQ(broker_->given_back.size(), 1u);
  EXPECT_EQ(broker_->given_back[0].req.max_reconsume_times, -1);
}

TEST_F(RetryTest, Refusals) {
  broker_->auto_create_groups = false;
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 36, without(back_fields(), "offset")).remark, "field offset is missing or no int64");
  EXPECT_EQ(ask(c, 36, without(back_fields(), "delayLevel")).remark, "field delayLevel is missing or no int32");
  EXPECT_EQ(ask(c, 36, without(back_fields(), "group")).remark, "field group is missing");
  EXPECT_EQ(ask(c, 36, back_fields()).code, 26) << "no such group";
  EXPECT_EQ(ask(c, 310, send_fields("%RETRY%G"), "x").code, 26);
  EXPECT_TRUE(broker_->given_back.empty());
  EXPECT_TRUE(broker_->produced.empty());
}

TEST_F(RetryTest, FailuresInRocketMqsWords) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int32_t status;
    std::uint32_t subject;
    std::int32_t code;
  };
  for (const Case &each : {Case{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY, 1}, Case{GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, 16}, Case{GANTRY_E_NO_SPACE, GANTRY_SUBJECT_STORE, 14}}) {
    broker_->given_back.clear();
    ASSERT_EQ(feed(c, request(36, 4, back_fields())), GANTRY_OK);
    broker_->complete(broker_->given_back[0], each.status, each.subject);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, each.code);
    if (each.subject == GANTRY_SUBJECT_BODY) { EXPECT_EQ(r.remark, "look message by offset failed, 4660"); }
  }
}

TEST_F(RetryTest, ASendToTheRetryTopicCarriesItsCountAndLimit) {
  start();
  const gantry_conn c = open();
  Fields fields = send_fields("%RETRY%G");
  for (auto &[key, value] : fields)
    if (key == "j") value = "7";
  fields.emplace_back("l", "9");
  ASSERT_EQ(feed(c, request(310, 7, fields, "x")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].req.reconsume_times, 7u);
  EXPECT_EQ(broker_->produced[0].req.max_reconsume_times, 9);
}

}  // namespace
}  // namespace gantry::remoting::test
