// POP_MESSAGE and what belongs to it: fields, answers, refusals.
#include "codec/pop_text.hpp"
#include "fake_pop.hpp"
#include "remoting_fixture.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting::test {
namespace {

// A stored message of version 1, both hosts IPv4.
std::string record(const std::string &topic, const std::string &body, const std::string &props) {
  std::string out(88, '\0');
  store_be32(out.data() + 4, 0xDAA320A7);
  store_be32(out.data() + 84, static_cast<std::uint32_t>(body.size()));
  out += body;
  out += static_cast<char>(topic.size());
  out += topic;
  out.append(2, '\0');
  store_be16(out.data() + out.size() - 2, static_cast<std::uint16_t>(props.size()));
  out += props;
  store_be32(out.data(), static_cast<std::uint32_t>(out.size()));
  return out;
}

class PopRequestTest : public RemotingTest {
 protected:
  PopRequestTest() {
    host_.freeze_clock(1'700'000'000'000);
    host_.add_table(GANTRY_POP_ID, FakePop::pop_table());
    host_.add_table(GANTRY_ASSIGNMENT_ID, FakePop::assignment_table());
    broker_->stats["T"][1] = {2, 10, 10, 0};
  }
  static Fields pop_fields() {
    return {{"consumerGroup", "G"}, {"topic", "T"}, {"queueId", "-1"}, {"maxMsgNums", "8"}, {"invisibleTime", "60000"}, {"pollTime", "15000"}, {"bornTime", "1700000000000"},
            {"initMode", "1"}, {"expType", "TAG"}, {"exp", "A"}, {"order", "false"}, {"attemptId", "try-1"}};
  }
  static Fields ack_fields() {
    return {{"consumerGroup", "G"}, {"topic", "T"}, {"queueId", "1"}, {"offset", "5"}, {"extraInfo", "4 1699999999000 60000 0 0 broker-a 1 5"}};
  }
  static Fields with(Fields fields, const std::string &key, const std::string &value) {
    std::erase_if(fields, [&key](const auto &field) { return field.first == key; });
    fields.emplace_back(key, value);
    return fields;
  }
  static Fields without(Fields fields, const std::string &key) {
    std::erase_if(fields, [&key](const auto &field) { return field.first == key; });
    return fields;
  }

  FakePop pop_{host_.abi()};
};

TEST_F(PopRequestTest, WhoPopsNoneGetsNone) {
  start();
  const gantry_conn c = open();
  for (const char *none : {"0", "-1"}) {
    ASSERT_EQ(feed(c, request(200050, 7, with(pop_fields(), "maxMsgNums", none))), GANTRY_OK);
    const Reply r = reply(c);
    EXPECT_EQ(r.code, 210);
    EXPECT_EQ(r.remark, "NO_MESSAGE_IN_QUEUE");
  }
  EXPECT_TRUE(pop_.pops.empty());
}

TEST_F(PopRequestTest, AsksForWhatTheHeaderSays) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(200050, 7, pop_fields())), GANTRY_OK);
  ASSERT_EQ(pop_.pops.size(), 1u);
  const auto &asked = pop_.pops[0];
  EXPECT_EQ(asked.req.queue_no, -1);
  EXPECT_EQ(asked.req.max_records, 8u);
  EXPECT_EQ(asked.req.invisible_ms, 60'000);
  EXPECT_EQ(asked.req.wait_ms, 15'000);
  EXPECT_EQ(asked.req.flags, GANTRY_POP_FROM_END);
  EXPECT_EQ(asked.req.conn, c);
  EXPECT_EQ(asked.expr, "A");
  EXPECT_EQ(asked.expr_type, "TAG");
  EXPECT_EQ(asked.attempt, "try-1");
  ASSERT_EQ(feed(c, request(200050, 8, with(with(pop_fields(), "order", "true"), "bornTime", "1699999990000"))), GANTRY_OK);
  EXPECT_EQ(pop_.pops[1].req.flags, GANTRY_POP_FROM_END | GANTRY_POP_ORDER);
  EXPECT_EQ(pop_.pops[1].req.wait_ms, 5'000) << "10 s of its time are over";
  pop_.complete(0, GANTRY_POP_NOTHING);
  pop_.complete(1, GANTRY_POP_FULL);
  turn();
  const auto answers = replies(c);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].code, 210);
  EXPECT_EQ(answers[0].ext.at("restNum"), "0");
  EXPECT_EQ(answers[0].ext.at("popTime"), "1700000000000");
  EXPECT_EQ(answers[1].code, 209);
}

TEST_F(PopRequestTest, AnswersWithRecordsAndTheirOffsets) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(200050, 7, pop_fields())), GANTRY_OK);
  FakePop::Part one, two, retry;
  one.queue_no = 1;
  one.start_off = 4;
  one.records = {{5, record("T", "a", "")}, {7, record("T", "b", "")}};
  two.queue_no = 3;
  two.records = {{0, record("T", "c", "")}};
  retry.retry = 1;
  retry.start_off = 9;
  retry.records = {{9, record("%RETRY%G_T", "again", "TAGS\1A\2")}};
  pop_.complete(0, GANTRY_POP_FOUND, {one, two, retry}, 17);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 7);
  EXPECT_EQ(r.remark, "FOUND");
  EXPECT_EQ(r.ext.at("popTime"), "1700000000000");
  EXPECT_EQ(r.ext.at("invisibleTime"), "60000");
  EXPECT_EQ(r.ext.at("reviveQid"), "0");
  EXPECT_EQ(r.ext.at("restNum"), "17");
  EXPECT_EQ(r.ext.at("startOffsetInfo"), "0 1 4;0 3 0;1 0 9");
  EXPECT_EQ(r.ext.at("msgOffsetInfo"), "0 1 5,7;0 3 0;1 0 9");
  EXPECT_FALSE(r.ext.contains("orderCountInfo"));
  // What was stored again comes under the topic that was asked for, with its handle.
  EXPECT_EQ(r.body, record("T", "a", "") + record("T", "b", "") + record("T", "c", "") + record("T", "again", "TAGS\1A\2POP_CK\1" "9 1700000000000 60000 0 1 broker-a 0 9\2"));
  EXPECT_EQ(pop_.results_alive(), 0);
}

TEST_F(PopRequestTest, InOrderItTellsHowOftenEachWasDelivered) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(200050, 7, with(pop_fields(), "order", "true"))), GANTRY_OK);
  FakePop::Part part;
  part.queue_no = 2;
  part.records = {{5, record("T", "a", "")}, {6, record("T", "b", "")}};
  part.deliveries = {3, 0};
  pop_.complete(0, GANTRY_POP_FOUND, {part}, 0, GANTRY_POP_ORDERED_QUEUE);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.ext.at("reviveQid"), "999");
  EXPECT_EQ(r.ext.at("orderCountInfo"), "0 qo2%5 3;0 2 0");
}

TEST_F(PopRequestTest, PopRefusals) {
  broker_->auto_create_groups = false;
  (void)broker_->group_handle("G");
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 200050, without(pop_fields(), "topic")).code, 1);
  EXPECT_EQ(ask(c, 200050, without(pop_fields(), "maxMsgNums")).code, 1);
  EXPECT_EQ(ask(c, 200050, with(pop_fields(), "queueId", "x")).code, 1);
  EXPECT_EQ(ask(c, 200050, with(pop_fields(), "maxMsgNums", "33")).code, 29);
  EXPECT_EQ(ask(c, 200050, with(pop_fields(), "topic", "nowhere")).code, 17);
  EXPECT_EQ(ask(c, 200050, with(pop_fields(), "consumerGroup", "stranger")).code, 26);
  const Reply late = ask(c, 200050, with(pop_fields(), "bornTime", "1699999984499"));
  EXPECT_EQ(late.code, 210) << "over for more than half a second";
  EXPECT_TRUE(late.ext.contains("restNum"));
  struct Case {
    std::int32_t status;
    std::uint32_t subject;
    std::int32_t code;
  };
  for (const Case &each : {Case{GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, 16}, Case{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, 17}, Case{GANTRY_E_SYNTAX, GANTRY_SUBJECT_SUBSCRIPTION, 23},
                           Case{GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE, 29}, Case{GANTRY_E_LIMIT, GANTRY_SUBJECT_TOPIC, 29}, Case{GANTRY_E_LIMIT, GANTRY_SUBJECT_SUBSCRIPTION, 23}, Case{GANTRY_E_CLOSED, GANTRY_SUBJECT_BROKER, 14}}) {
    pop_.pop_status = each.status;
    pop_.pop_error.detail = static_cast<std::int32_t>(each.subject);
    std::snprintf(pop_.pop_error.text, sizeof pop_.pop_error.text, "the kernel's words");
    const Reply r = ask(c, 200050, pop_fields());
    EXPECT_EQ(r.code, each.code);
    EXPECT_EQ(r.remark, "the kernel's words");
  }
  EXPECT_TRUE(pop_.pops.empty());
}

TEST_F(PopRequestTest, AFailedReadIsAnError) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(200050, 7, pop_fields())), GANTRY_OK);
  pop_.complete_status(pop_.pops[0].req.user_data, pop_.pops[0].cq, GANTRY_E_IO);
  turn();
  EXPECT_EQ(reply(c).code, 1);
}

TEST_F(PopRequestTest, AClosedConnectionWaitsNoLonger) {
  start();
  const gantry_conn c = open(), idle = open();
  ASSERT_EQ(feed(c, request(200050, 7, pop_fields())), GANTRY_OK);
  close(idle);
  EXPECT_TRUE(pop_.cancelled.empty()) << "nothing of it waits";
  close(c);
  EXPECT_EQ(pop_.cancelled, std::vector<gantry_conn>{c});
  pop_.complete_status(pop_.pops[0].req.user_data, pop_.pops[0].cq, GANTRY_E_CANCELLED);
  turn();
}

TEST_F(PopRequestTest, Notification) {
  start();
  const gantry_conn c = open();
  const Fields fields = {{"consumerGroup", "G"}, {"topic", "T"}, {"queueId", "2"}, {"pollTime", "3000"}, {"bornTime", "0"}};
  ASSERT_EQ(feed(c, request(200054, 1, fields) + request(200054, 2, fields) + request(200054, 3, fields)), GANTRY_OK);
  ASSERT_EQ(pop_.pops.size(), 3u);
  EXPECT_EQ(pop_.pops[0].req.flags, GANTRY_POP_LOOK);
  EXPECT_EQ(pop_.pops[0].req.wait_ms, 3'000);
  pop_.complete(0, GANTRY_POP_FOUND);
  pop_.complete(1, GANTRY_POP_NOTHING);
  pop_.complete(2, GANTRY_POP_FULL);
  turn();
  const auto answers = replies(c);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].ext.at("hasMsg"), "true");
  EXPECT_EQ(answers[1].ext.at("hasMsg"), "false");
  EXPECT_EQ(answers[1].ext.at("pollingFull"), "false");
  EXPECT_EQ(answers[2].ext.at("pollingFull"), "true");
  for (const Reply &r : answers) EXPECT_EQ(r.code, 0);
}

TEST_F(PopRequestTest, AckIsAnsweredWhenItIsWritten) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(200051, 9, ack_fields())), GANTRY_OK);
  ASSERT_EQ(pop_.acks.size(), 1u);
  const gantry_pop_handle &h = pop_.acks[0].handles.at(0);
  EXPECT_EQ(h.queue_no, 1u);
  EXPECT_EQ(h.offset, 5);
  EXPECT_EQ(h.pop_ms, 1'699'999'999'000);
  EXPECT_EQ(h.flags, 0u);
  EXPECT_TRUE(replies(c).empty());
  pop_.complete_status(pop_.acks[0].user_data, pop_.acks[0].cq, GANTRY_OK);
  turn();
  EXPECT_EQ(reply(c).code, 0);

  pop_.ack_return = GANTRY_OK;
  pop_.handle_status[5] = GANTRY_POP_VOID;
  EXPECT_EQ(ask(c, 200051, ack_fields()).code, 0) << "RocketMQ takes a void handle too";
  pop_.handle_status[5] = GANTRY_E_INVALID;
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "extraInfo", "4 1699999999000 60000 999 0 broker-a 1 5")).code, 13);
  EXPECT_EQ(pop_.acks.back().handles[0].flags, GANTRY_POP_ORDER);
  pop_.ack_return = GANTRY_E_AGAIN;
  pop_.handle_status.clear();
  EXPECT_EQ(ask(c, 200051, ack_fields()).code, 2);
}

TEST_F(PopRequestTest, AckRefusals) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 200051, without(ack_fields(), "offset")).code, 1);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "extraInfo", "4 x")).code, 1);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "topic", "nowhere")).code, 17);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "queueId", "99")).code, 13);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "queueId", "-1")).code, 13);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "offset", "1")).code, 208);
  EXPECT_EQ(ask(c, 200051, with(ack_fields(), "offset", "11")).code, 208);
  EXPECT_TRUE(pop_.acks.empty());
}

TEST_F(PopRequestTest, BatchAckTakesShortAndLongNames) {
  broker_->topics["%RETRY%G_T"] = {};
  start();
  const gantry_conn c = open();
  // Bits 0, 2 and 9; bit 1.
  const std::string body = R"({"brokerName":"broker-a","acks":[{"c":"G","t":"T","r":"0","so":4,"q":1,"rq":0,"pt":111,"it":60000,"b":"BQI="},)"
                           R"({"consumerGroup":"G","topic":"T","retry":"1","startOffset":7,"queueId":0,"reviveQueueId":999,"popTime":222,"invisibleTime":1,"bitSet":"Ag=="},)"
                           R"({"c":"G","t":"gone","r":"0","so":0,"q":0,"rq":0,"pt":1,"it":1,"b":"AQ=="}]})";
  ASSERT_EQ(feed(c, request(200151, 3, {}, body)), GANTRY_OK);
  ASSERT_EQ(pop_.acks.size(), 1u);
  const auto &handles = pop_.acks[0].handles;
  ASSERT_EQ(handles.size(), 4u);
  EXPECT_EQ(handles[0].offset, 4);
  EXPECT_EQ(handles[1].offset, 6);
  EXPECT_EQ(handles[2].offset, 13);
  EXPECT_EQ(handles[2].queue_no, 1u);
  EXPECT_EQ(handles[2].pop_ms, 111);
  EXPECT_EQ(handles[3].offset, 8);
  EXPECT_EQ(handles[3].flags, GANTRY_POP_ORDER);
  EXPECT_NE(handles[3].topic, handles[0].topic);
  pop_.complete_status(pop_.acks[0].user_data, pop_.acks[0].cq, GANTRY_OK);
  turn();
  EXPECT_EQ(reply(c).code, 0);
  EXPECT_EQ(ask(c, 200151, {}, "{}").code, 208);
  EXPECT_EQ(ask(c, 200151, {}, "no json").code, 208);
  EXPECT_EQ(ask(c, 200151, {}, R"({"acks":[{"c":"G","t":"T","r":"0","so":4,"q":1,"b":"?"}]})").code, 1);
}

TEST_F(PopRequestTest, AChangedTimeIsAnsweredWithTheNewHandle) {
  start();
  const gantry_conn c = open();
  const Fields fields = with(ack_fields(), "invisibleTime", "9000");
  ASSERT_EQ(feed(c, request(200053, 4, with(fields, "suspend", "true"))), GANTRY_OK);
  ASSERT_EQ(pop_.changes.size(), 1u);
  EXPECT_EQ(pop_.changes[0].change.invisible_ms, 9'000);
  EXPECT_EQ(pop_.changes[0].change.flags, GANTRY_POP_KEEP_COUNT);
  pop_.complete_status(pop_.changes[0].change.user_data, pop_.changes[0].cq, GANTRY_OK);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.ext.at("popTime"), "1700000000999");
  EXPECT_EQ(r.ext.at("invisibleTime"), "9000");
  EXPECT_EQ(r.ext.at("reviveQid"), "0");

  pop_.handle_status[5] = GANTRY_POP_VOID;
  EXPECT_EQ(ask(c, 200053, fields).code, 208);
  EXPECT_EQ(ask(c, 200053, ack_fields()).code, 1) << "no time";
  EXPECT_EQ(ask(c, 200053, with(fields, "offset", "10")).code, 208) << "behind the last message";
}

TEST_F(PopRequestTest, PollingInfo) {
  broker_->auto_create_groups = false;
  (void)broker_->group_handle("G");
  start();
  const gantry_conn c = open();
  pop_.waiting = 12;
  const Fields fields = {{"consumerGroup", "G"}, {"topic", "T"}, {"queueId", "-1"}};
  EXPECT_EQ(ask(c, 200055, fields).ext.at("pollingNum"), "12");
  EXPECT_EQ(ask(c, 200055, with(fields, "topic", "nowhere")).code, 17);
  EXPECT_EQ(ask(c, 200055, with(fields, "consumerGroup", "stranger")).code, 26);
}

TEST_F(PopRequestTest, Assignment) {
  start();
  const gantry_conn c = open();
  pop_.assigned = {0, 2};
  pop_.mode.mode = GANTRY_MODE_PULL;
  Reply r = ask(c, 400, {}, R"({"topic":"T","consumerGroup":"G","clientId":"me","strategyName":"AVG","messageModel":"CLUSTERING"})");
  EXPECT_EQ(pop_.assigns, std::vector<std::string>{"T/G/me/AVG/0"});
  EXPECT_EQ(r.body, R"({"messageQueueAssignments":[{"messageQueue":{"brokerName":"broker-a","queueId":0,"topic":"T"},"mode":"PULL"},)"
                    R"({"messageQueue":{"brokerName":"broker-a","queueId":2,"topic":"T"},"mode":"PULL"}]})");
  pop_.assigned = {-1};
  pop_.mode.mode = GANTRY_MODE_POP;
  r = ask(c, 400, {}, R"({"topic":"T","consumerGroup":"G","clientId":"me","strategyName":"AVG","messageModel":"BROADCASTING"})");
  EXPECT_EQ(pop_.assigns.back(), "T/G/me/AVG/1");
  EXPECT_EQ(r.body, R"({"messageQueueAssignments":[{"messageQueue":{"brokerName":"broker-a","queueId":-1,"topic":"T"},"mode":"POP"}]})");
  pop_.assign_status = GANTRY_E_NOT_FOUND;
  r = ask(c, 400, {}, R"({"topic":"nowhere","consumerGroup":"G"})");
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.body, "{}") << "the client keeps what it has";
  EXPECT_EQ(ask(c, 400, {}, "no json").code, 1);
}

TEST_F(PopRequestTest, RequestMode) {
  broker_->auto_create_groups = false;
  (void)broker_->group_handle("G");
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"T","consumerGroup":"G","mode":"POP","popShareQueueNum":3})").code, 0);
  EXPECT_EQ(pop_.modes, std::vector<std::string>{"T/G/2/3"});
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"%RETRY%G","consumerGroup":"G","mode":"POP"})").code, 16);
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"nowhere","consumerGroup":"G","mode":"POP"})").code, 17);
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"T","consumerGroup":"stranger","mode":"POP"})").code, 26);
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"T","consumerGroup":"G","mode":"PUSH"})").code, 1);
  pop_.mode_status = GANTRY_E_NO_SPACE;
  EXPECT_EQ(ask(c, 401, {}, R"({"topic":"T","consumerGroup":"G","mode":"PULL"})").code, 14);
  EXPECT_EQ(ask(c, 401, {}, "no json").code, 1);
}

TEST_F(RemotingTest, WithoutPopInTheKernelItsRequestsAreNotSupported) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 200050, {}).code, 3);
  EXPECT_EQ(ask(c, 400, {}, "{}").code, 3);
}

TEST(PopText, HandlesAndDamagedOnes) {
  PopHandleText text;
  ASSERT_TRUE(parse_pop_handle("4 1700 60000 999 0 broker-a 1 5", &text));
  EXPECT_EQ(text.ck_offset, 4);
  EXPECT_EQ(text.pop_ms, 1700);
  EXPECT_EQ(text.revive_queue, 999);
  for (const char *wrong : {"", "4", "4 1700 60000", "a 1 2 3", "4  60000 0 0"}) EXPECT_FALSE(parse_pop_handle(wrong, &text)) << wrong;
}

TEST(PopText, ARecordThatIsNoneStaysAsItIs) {
  gantry_pop_result result{};
  gantry_pop_part part{};
  EXPECT_EQ(record_as_popped("short", "T", result, part, 0, "b"), "");
  std::string whole = record("%RETRY%G_T", "x", "A\1b");
  EXPECT_NE(record_as_popped(whole, "T", result, part, 0, "b"), "");
  EXPECT_EQ(record_as_popped(std::string_view(whole).substr(0, whole.size() - 1), "T", result, part, 0, "b"), "");
  store_be32(whole.data() + 84, 0x7FFFFFFF);
  EXPECT_EQ(record_as_popped(whole, "T", result, part, 0, "b"), "") << "a body length beyond its end";
}

TEST(PopText, BitSets) {
  std::vector<std::uint32_t> bits;
  ASSERT_TRUE(parse_bit_set("", &bits));
  EXPECT_TRUE(bits.empty());
  ASSERT_TRUE(parse_bit_set("AQAAgA==", &bits));
  EXPECT_EQ(bits, (std::vector<std::uint32_t>{0, 31}));
  EXPECT_FALSE(parse_bit_set("A*", &bits));
}

}  // namespace
}  // namespace gantry::remoting::test
