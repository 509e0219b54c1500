// Sending: one message, many, every refusal, back-pressure, oneway.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

using SendTest = RemotingTest;

Fields with(Fields fields, const std::string &key, const std::string &value) {
  for (auto &[k, v] : fields)
    if (k == key) v = value;
  return fields;
}

TEST_F(SendTest, OneMessage) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 7, send_fields("T", 2, "KEYS\1k\2WAIT\1true"), "hello")), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
  ASSERT_EQ(broker_->produced.size(), 1u);
  const auto &p = broker_->produced[0];
  EXPECT_EQ(p.topic, "T");
  EXPECT_EQ(p.body, "hello");
  EXPECT_EQ(p.props, "KEYS\1k\2WAIT\1true");
  EXPECT_EQ(p.req.queue_no, 2);
  EXPECT_EQ(p.req.born_ms, 1700000000000);
  EXPECT_EQ(p.req.born_host[0], 192);
  EXPECT_EQ(p.req.born_host_bytes, 4u);
  EXPECT_EQ(p.req.born_port, 50000u);
  EXPECT_EQ(p.req.msg_flag, 5u);
  EXPECT_EQ(p.req.deliver_at_ms, 0);
  EXPECT_EQ(p.req.durability, GANTRY_DURABILITY_DEFAULT);
  for (const std::uint64_t reserved : p.req.reserved) EXPECT_EQ(reserved, 0u);
  broker_->complete_produce(0, 41, 0x1234, 2);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 7);
  EXPECT_EQ(r.ext.at("msgId"), "0A00000900002A9F0000000000001234");
  EXPECT_EQ(r.ext.at("queueId"), "2");
  EXPECT_EQ(r.ext.at("queueOffset"), "41");
  EXPECT_EQ(r.ext.at("MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(r.ext.at("TRACE_ON"), "true");
  EXPECT_EQ(broker_->store_host, "10.0.0.9.:10911");
}

// 5.x consumers leave no trace of a message without these; a 4.x broker does not store them.
TEST_F(SendTest, MessagesOf5xClientsCarryTheMarksThatTracesNeed) {
  start();
  const gantry_conn c = open();
  for (const int version : {409, 411, 412, 500}) ASSERT_EQ(feed(c, frame(java_header(310, version, send_fields(), 0, version), "a")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 4u);
  EXPECT_EQ(broker_->produced[0].lead_props, "");
  EXPECT_EQ(broker_->produced[1].lead_props, "");
  EXPECT_EQ(broker_->produced[2].lead_props, "MSG_REGION\1DefaultRegion\2TRACE_ON\1true\2");
  EXPECT_EQ(broker_->produced[3].lead_props, broker_->produced[2].lead_props);
  EXPECT_EQ(broker_->produced[3].props, "KEYS\1k");
  // Each send is judged by its own version, not by that of the one whose place it takes.
  for (const int version : {500, 409}) ASSERT_EQ(feed(c, frame(java_header(310, version, send_fields(), 0, version), "b")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 6u);
  EXPECT_NE(broker_->produced[4].lead_props, "");
  EXPECT_EQ(broker_->produced[5].lead_props, "");
}

TEST_F(SendTest, MessagesOf4xClientsAreMarkedWhenTheSettingsSaySo) {
  start({{"advertise", "10.0.0.9:10911"}, {"region", "north"}, {"trace_on", "false"}, {"mark_messages_of_4x", "true"}});
  ASSERT_EQ(feed(open(), request(310, 7, send_fields(), "a")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].lead_props, "MSG_REGION\1north\2TRACE_ON\1false\2");
}

TEST_F(SendTest, BinaryRequestGetsBinaryReply) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, frame(binary_header(310, 7, send_fields()), "x", 1)), GANTRY_OK);
  broker_->complete_produce(0, 1, 2, 0);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.type, SerializeType::kBinary);
  EXPECT_EQ(r.opaque, 7);
  EXPECT_EQ(r.ext.at("msgId"), "0A00000900002A9F0000000000000002");
}

TEST_F(SendTest, GoClientsLongNamesOnCode10) {
  start();
  const gantry_conn c = open();
  const std::string header =
      R"({"code":10,"language":"GO","version":317,"opaque":3,"flag":0,"remark":"","extFields":{"producerGroup":"p","topic":"T","defaultTopic":"TBW102","defaultTopicQueueNums":"4","queueId":"1","sysFlag":"0","bornTimestamp":"1700000000000","flag":"0","properties":"UNIQ_KEY\u0001AB\u0002","reconsumeTimes":"0","unitMode":"false","maxReconsumeTimes":"0","batch":"false"}})";
  ASSERT_EQ(feed(c, frame(header, "go")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].props, "UNIQ_KEY\1AB\2");
  EXPECT_EQ(broker_->produced[0].req.queue_no, 1);
}

TEST_F(SendTest, CppClientsNumbers) {
  start();
  const gantry_conn c = open();
  const std::string header =
      R"({"code":310,"extFields":{"AccessKey":"","OnsChannel":"","Signature":"","a":"p","b":"T","c":"TBW102","d":4,"e":3,"f":0,"g":"1700000000000","h":0,"i":"A\u0001B\u0002","j":0,"k":"false"},"flag":0,"language":"CPP","opaque":5,"version":333})";
  ASSERT_EQ(feed(c, frame(header, "cpp")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].req.queue_no, 3);
}

TEST_F(SendTest, PipelinedSendsAreOneCallAndAnsweredByOpaqueInAnyOrder) {
  start();
  const gantry_conn c = open();
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += request(310, i, send_fields(), "m" + std::to_string(i));
  ASSERT_EQ(feed(c, bytes), GANTRY_OK);
  EXPECT_EQ(broker_->produce_calls, 1u);
  EXPECT_EQ(broker_->topic_finds, 1u);
  ASSERT_EQ(broker_->produced.size(), 32u);
  for (int i = 31; i >= 0; --i) broker_->complete_produce(static_cast<std::size_t>(i), i, 1000 + i, 0);
  turn();
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 32u);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(all[static_cast<std::size_t>(i)].opaque, 31 - i);
    EXPECT_EQ(all[static_cast<std::size_t>(i)].ext.at("queueOffset"), std::to_string(31 - i));
    EXPECT_EQ(broker_->produced[static_cast<std::size_t>(i)].body, "m" + std::to_string(i));
  }
  EXPECT_LE(net_.commits, 4u);
}

TEST_F(SendTest, MoreThanOneCallHoldsKeepsTheOrder) {
  start();
  const gantry_conn c = open();
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += request(310, i, send_fields(), std::to_string(i));
  ASSERT_EQ(feed(c, bytes), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(broker_->produced[static_cast<std::size_t>(i)].body, std::to_string(i));
}

TEST_F(SendTest, RepliesOfSeveralConnectionsDoNotMix) {
  start();
  const gantry_conn a = open(), b = open();
  ASSERT_EQ(feed(a, request(310, 1, send_fields(), "a")), GANTRY_OK);
  ASSERT_EQ(feed(b, request(310, 2, send_fields(), "b")), GANTRY_OK);
  ASSERT_EQ(feed(a, request(310, 3, send_fields(), "c")), GANTRY_OK);
  for (std::size_t i = 0; i < 3; ++i) broker_->complete_produce(i, 0, 0, 0);
  turn();
  const auto of_a = replies(a), of_b = replies(b);
  ASSERT_EQ(of_a.size(), 2u);
  ASSERT_EQ(of_b.size(), 1u);
  EXPECT_EQ(of_a[1].opaque, 3);
  EXPECT_EQ(of_b[0].opaque, 2);
}

TEST_F(SendTest, OnewayIsStoredAndNeverAnswered) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x", 2)), GANTRY_OK);
  ASSERT_EQ(feed(c, request(310, 2, send_fields(), "y", 2)), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 2u);
  broker_->complete_produce(0, 0, 0, 0);
  broker_->fail_produce(1, GANTRY_E_IO, GANTRY_SUBJECT_STORE);
  turn();
  ASSERT_EQ(feed(c, request(310, 3, send_fields("bad topic"), "z", 2)), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
}

TEST_F(SendTest, BackPressureKeepsTheRestAndTheOrder) {
  start();
  const gantry_conn c = open();
  broker_->produce_credit = 3;
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += request(310, i, send_fields(), std::to_string(i));
  ASSERT_EQ(feed(c, bytes), GANTRY_E_AGAIN);
  EXPECT_EQ(broker_->produced.size(), 3u);
  ASSERT_EQ(offer(c), GANTRY_E_AGAIN);
  broker_->produce_credit = 4;
  ASSERT_EQ(offer(c), GANTRY_E_AGAIN);
  EXPECT_EQ(broker_->produced.size(), 7u);
  broker_->produce_credit = UINT32_MAX;
  ASSERT_EQ(offer(c), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 8u);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(broker_->produced[static_cast<std::size_t>(i)].body, std::to_string(i));
    broker_->complete_produce(static_cast<std::size_t>(i), i, i, 0);
  }
  turn();
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].opaque, i);
  EXPECT_TRUE(peers_[c].input.empty());
}

TEST_F(SendTest, ARefusedSendWaitsForThoseBeforeIt) {
  start();
  const gantry_conn c = open();
  broker_->produce_credit = 0;
  const std::string bytes = request(310, 1, send_fields(), "a") + request(310, 2, send_fields("no good")) + request(310, 3, send_fields(), "b");
  ASSERT_EQ(feed(c, bytes), GANTRY_E_AGAIN);
  EXPECT_TRUE(replies(c).empty());
  EXPECT_EQ(peers_[c].input, bytes);
  broker_->produce_credit = UINT32_MAX;
  ASSERT_EQ(offer(c), GANTRY_OK);
  EXPECT_EQ(reply(c).opaque, 2);
  EXPECT_EQ(broker_->produced.size(), 2u);
}

TEST_F(SendTest, APermanentRefusalOfTheCallAnswersAll) {
  start();
  const gantry_conn c = open();
  broker_->produce_refusal = GANTRY_E_CLOSED;
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "a") + request(310, 2, send_fields(), "b")), GANTRY_OK);
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].code, 14);
  EXPECT_EQ(all[1].opaque, 2);
}

TEST_F(SendTest, UnknownTopicIsMadeFromTheDefaultTopic) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields("New", 3), "a")), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->topics.at("New").write_queues, 4u);
}

TEST_F(SendTest, UnknownTopicWithoutAutoCreationIs17) {
  start();
  broker_->auto_create_topics = false;
  const Reply r = ask(open(), 310, send_fields("New"), "a");
  EXPECT_EQ(r.code, 17);
  EXPECT_EQ(r.remark, "topic[New] not exist, default TBW102");
  EXPECT_EQ(r.ext.at("MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(r.ext.at("TRACE_ON"), "true");
}

TEST_F(SendTest, RefusalsBeforeTheBroker) {
  broker_->max_message_bytes = 10;
  broker_->topics["SCHEDULE_TOPIC_XXXX"] = {GANTRY_TOPIC_SYSTEM, 6, 18, 18, {}};
  start();
  const gantry_conn c = open();
  struct Case {
    Fields fields;
    std::string body;
    std::int32_t code;
    std::string part;
  };
  const Case cases[] = {
      {send_fields("bad topic"), "x", 1, "illegal topic name"},
      {send_fields(std::string(200, 't')), "x", 0, ""},  // the fake makes it; the real broker refuses the name
      {send_fields("SCHEDULE_TOPIC_XXXX"), "x", 16, "SCHEDULE_TOPIC_XXXX"},
      {send_fields("T", 4), "x", 1, "queueId[4]"},
      {send_fields("T", 0, std::string(32768, 'p')), "x", 13, "32768"},
      {send_fields(), "12345678901", 13, "11 bytes"},
      {send_fields("T", 0, "TRAN_MSG\1true\2PGROUP\1p\2DELAY\1" "3"), "x", 13, "neither be delayed"},
      {send_fields("T", 0, "TRAN_MSG\1true\2PGROUP\1p\2TIMER_DELAY_MS\1" "3"), "x", 13, "neither be delayed"},
      {with(send_fields("T", 0, "TRAN_MSG\1true\2PGROUP\1p"), "m", "true"), "x", 13, "nor be in a batch"},
      {with(send_fields(), "f", "4"), "x", 13, "TRAN_MSG does not"},
      {with(send_fields(), "e", "one"), "x", 1, "field queueId"},
      {{{"a", "g"}}, "x", 1, "field producerGroup"},
      {{}, "x", 1, "field producerGroup"},
  };
  for (const Case &each : cases) {
    if (each.code == 0) continue;
    const Reply r = ask(c, 310, each.fields, each.body);
    EXPECT_EQ(r.code, each.code) << each.part;
    EXPECT_NE(r.remark.find(each.part), std::string::npos) << r.remark;
  }
  EXPECT_TRUE(broker_->produced.empty());
}

TEST_F(SendTest, OrderedTopicOnABrokerWithoutWritePermission) {
  broker_->perm = GANTRY_PERM_READ;
  broker_->topics["O"] = {GANTRY_TOPIC_ORDER, 6, 4, 4, {}};
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 310, send_fields("O"), "x").code, 16);
  ASSERT_EQ(feed(c, request(310, 1, send_fields("T"), "x")), GANTRY_OK);
  EXPECT_EQ(broker_->produced.size(), 1u);
}

TEST_F(SendTest, FailedCompletions) {
  start();
  const gantry_conn c = open();
  struct Case {
    std::int32_t status;
    std::uint32_t subject;
    std::int32_t code;
  };
  const Case cases[] = {{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, 17},       {GANTRY_E_LIMIT, GANTRY_SUBJECT_BODY, 13},
                        {GANTRY_E_INVALID, GANTRY_SUBJECT_PROPERTIES, 13},    {GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE, 1},
                        {GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, 16},          {GANTRY_E_UNSUPPORTED, GANTRY_SUBJECT_PROPERTIES, 13},
                        {GANTRY_E_IO, GANTRY_SUBJECT_STORE, 14},              {GANTRY_E_NO_SPACE, GANTRY_SUBJECT_STORE, 14},
                        {GANTRY_E_NOT_WRITABLE, GANTRY_SUBJECT_STORE, 14},    {GANTRY_E_CANCELLED, GANTRY_SUBJECT_STORE, 14},
                        {GANTRY_E_AGAIN, GANTRY_SUBJECT_STORE, 2},            {GANTRY_E_INTERNAL, GANTRY_SUBJECT_STORE, 1}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    ASSERT_EQ(feed(c, request(310, static_cast<std::int32_t>(i), send_fields(), "x")), GANTRY_OK);
    broker_->fail_produce(i, cases[i].status, cases[i].subject);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, cases[i].code) << i;
    EXPECT_FALSE(r.remark.empty());
    EXPECT_EQ(r.ext.at("TRACE_ON"), "true");
  }
}

TEST_F(SendTest, AFullDiskIsExplainedByTheStore) {
  start();
  const gantry_conn c = open();
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(feed(c, request(310, static_cast<std::int32_t>(i), send_fields(), "x")), GANTRY_OK);
    broker_->refusal = i == 0 ? "the broker's disk is full: most of the log is orders 61%" : "";
    broker_->fail_produce(i, GANTRY_E_NO_SPACE, GANTRY_SUBJECT_STORE);
    turn();
    const Reply r = reply(c);
    EXPECT_EQ(r.code, 14);
    EXPECT_EQ(r.remark, i == 0 ? "service not available now: the broker's disk is full: most of the log is orders 61%" : "service not available now: the broker's disk is full");
  }
}

TEST_F(SendTest, UnconfirmedDurabilityIsCode10WithTheIdsOfSuccess) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x")), GANTRY_OK);
  gantry_cqe cqe{broker_->produced[0].req.user_data, 5, 6, GANTRY_E_TIMEOUT, 1};
  const auto *cq = static_cast<const gantry_cq_v1 *>(host_.abi()->query(host_.abi(), GANTRY_CQ_ID));
  ASSERT_EQ(cq->push(host_.abi(), broker_->produced[0].cq, &cqe, 1), GANTRY_OK);
  turn();
  const Reply r = reply(c);
  EXPECT_EQ(r.code, 10);
  EXPECT_EQ(r.ext.at("queueOffset"), "5");
  EXPECT_EQ(r.ext.at("msgId"), "0A00000900002A9F0000000000000006");
}

TEST_F(SendTest, WaitFalseAsksForLessThanTheDefaultDurability) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields("T", 0, "WAIT\1false"), "x")), GANTRY_OK);
  EXPECT_EQ(broker_->produced[0].req.durability, GANTRY_DURABILITY_WRITTEN);
}

TEST_F(SendTest, ClosedConnectionGetsNoReplyAndItsSuccessorNeither) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x")), GANTRY_OK);
  close(c);
  const gantry_conn next = open();
  broker_->complete_produce(0, 1, 1, 0);
  turn();
  EXPECT_TRUE(replies(next).empty());
  EXPECT_TRUE(replies(c).empty());
  EXPECT_EQ(host_.metric("remoting_slow_readers_total"), 0u);
  EXPECT_EQ(broker_->closed, std::vector<gantry_conn>{c});
}

TEST_F(SendTest, PeerThatDoesNotReadIsClosed) {
  start();
  const gantry_conn c = open();
  net_.conns[c].limit = 0;
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x")), GANTRY_OK);
  broker_->complete_produce(0, 1, 1, 0);
  turn();
  EXPECT_FALSE(net_.conns[c].open);
  EXPECT_NE(net_.conns[c].close_reason, "");
  EXPECT_EQ(host_.metric("remoting_slow_readers_total"), 1u);
}

TEST_F(SendTest, TopicCacheForgetsWhenTopicsChange) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 310, send_fields("T", 7), "x").code, 1);
  broker_->topics["T"].write_queues = 8;
  gantry_event changed{};
  changed.kind = GANTRY_EVENT_TOPICS_CHANGED;
  event(changed);
  ASSERT_EQ(feed(c, request(310, 1, send_fields("T", 7), "x")), GANTRY_OK);
  EXPECT_EQ(broker_->produced.size(), 1u);
}

}  // namespace
}  // namespace gantry::remoting::test
