// Heartbeats, groups and locks, with bodies as the different clients write them.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

using ClientTest = RemotingTest;

TEST_F(ClientTest, JavaHeartbeat) {
  start();
  const gantry_conn c = open();
  const Reply r = ask(c, 34, {}, R"({"clientID":"10.0.0.5@1#2","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"G","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919],"expressionType":"TAG","subString":"TagA","subVersion":1700000000000,"tagsSet":["TagA"],"topic":"T"},{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1700000000001,"tagsSet":[],"topic":"%RETRY%G"}],"unitMode":false},{"groupName":"H","consumeType":"CONSUME_ACTIVELY","messageModel":"BROADCASTING"}],"producerDataSet":[{"groupName":"P"},{"groupName":"CLIENT_INNER_PRODUCER"}]})");
  EXPECT_EQ(r.code, 0);
  ASSERT_EQ(broker_->heartbeats.size(), 1u);
  const auto &hb = broker_->heartbeats[0];
  EXPECT_EQ(hb.conn, c);
  EXPECT_EQ(hb.client_id, "10.0.0.5@1#2");
  EXPECT_EQ(hb.peer, "192.0.0.7:50000");
  EXPECT_EQ(hb.language, 0u);
  EXPECT_EQ(hb.version, 409);
  EXPECT_EQ(hb.producers, (std::vector<std::string>{"P", "CLIENT_INNER_PRODUCER"}));
  ASSERT_EQ(hb.consumers.size(), 2u);
  EXPECT_EQ(hb.consumers[0].group, "G");
  EXPECT_EQ(hb.consumers[0].type, GANTRY_CONSUME_PASSIVELY);
  EXPECT_EQ(hb.consumers[0].model, GANTRY_MODEL_CLUSTERING);
  EXPECT_EQ(hb.consumers[0].from, 4u);
  ASSERT_EQ(hb.consumers[0].subscriptions.size(), 2u);
  EXPECT_EQ(hb.consumers[0].subscriptions[0].topic, "T");
  EXPECT_EQ(hb.consumers[0].subscriptions[0].expr, "TagA");
  EXPECT_EQ(hb.consumers[0].subscriptions[0].type, "TAG");
  EXPECT_EQ(hb.consumers[0].subscriptions[0].version, 1700000000000);
  EXPECT_EQ(hb.consumers[0].subscriptions[1].topic, "%RETRY%G");
  EXPECT_EQ(hb.consumers[1].type, GANTRY_CONSUME_ACTIVELY);
  EXPECT_EQ(hb.consumers[1].model, GANTRY_MODEL_BROADCASTING);
  EXPECT_TRUE(hb.consumers[1].subscriptions.empty());
}

TEST_F(ClientTest, CppHeartbeatHasOrdinalsAndVersionAsText) {
  start();
  const gantry_conn c = open();
  const std::string body =
      R"({"clientID":"c","consumerDataSet":[{"consumeFromWhere":5,"consumeType":1,"groupName":"G","messageModel":0,"subscriptionDataSet":[{"subString":"A||B","subVersion":"1700000000000","topic":"T"}]}],"producerDataSet":null})";
  const std::string header = R"({"code":34,"extFields":{"AccessKey":""},"flag":0,"language":"CPP","opaque":5,"version":333})";
  ASSERT_EQ(feed(c, frame(header, body)), GANTRY_OK);
  EXPECT_EQ(reply(c).code, 0);
  const auto &hb = broker_->heartbeats.at(0);
  EXPECT_EQ(hb.language, 1u);
  EXPECT_EQ(hb.version, 333);
  EXPECT_TRUE(hb.producers.empty());
  EXPECT_EQ(hb.consumers.at(0).from, 5u);
  EXPECT_EQ(hb.consumers.at(0).model, GANTRY_MODEL_BROADCASTING);
  EXPECT_EQ(hb.consumers.at(0).subscriptions.at(0).version, 1700000000000);
  EXPECT_EQ(hb.consumers.at(0).subscriptions.at(0).type, "");
}

TEST_F(ClientTest, GoHeartbeatWithBlankConsumeFromWhere) {
  start();
  EXPECT_EQ(ask(open(), 34, {}, R"({"clientID":"c","producerDataSet":[],"consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"","subscriptionDataSet":[],"unitMode":false}]})").code, 0);
  EXPECT_EQ(broker_->heartbeats.at(0).consumers.at(0).from, 0u);
}

TEST_F(ClientTest, HeartbeatRefusals) {
  start();
  const gantry_conn c = open();
  for (const char *body : {"", "[]", "{", "{\"clientID\":\"\"}", "{\"producerDataSet\":[]}", "\xFF\xFE"}) {
    const Reply r = ask(c, 34, {}, body);
    EXPECT_EQ(r.code, 1) << body;
    EXPECT_EQ(r.remark.rfind("heartbeat: ", 0), 0u) << r.remark;
  }
  std::string deep = "{\"clientID\":\"c\",\"x\":";
  EXPECT_EQ(ask(c, 34, {}, deep + std::string(100000, '[')).code, 1);
  EXPECT_EQ(ask(c, 34, {}, "{\"clientID\":\"c\",\"x\":\"" + std::string(2 << 20, 'x') + "\"}").code, 1);
  EXPECT_TRUE(broker_->heartbeats.empty());
  broker_->heartbeat_status = GANTRY_E_LIMIT;
  EXPECT_EQ(ask(c, 34, {}, "{\"clientID\":\"c\"}").remark, "not this client");
}

TEST_F(ClientTest, UnregisterAndClose) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 35, {{"clientID", "id"}, {"consumerGroup", "G"}}).code, 0);
  EXPECT_EQ(ask(c, 35, {{"clientID", "id"}, {"producerGroup", "P"}}).code, 0);
  EXPECT_EQ(broker_->unregistered, (std::vector<std::string>{"id//G", "id/P/"}));
  close(c);
  EXPECT_EQ(broker_->closed, std::vector<gantry_conn>{c});
}

TEST_F(ClientTest, ConsumerList) {
  start();
  const gantry_conn c = open();
  broker_->members["G"] = {"10.0.0.5@1", "we\"ird"};
  const Reply r = ask(c, 38, {{"consumerGroup", "G"}});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.body, R"({"consumerIdList":["10.0.0.5@1","we\"ird"]})");
  const Reply none = ask(c, 38, {{"consumerGroup", "H"}});
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.remark, "no consumer for this group, H");
}

TEST_F(ClientTest, NotifyOnChangedMembers) {
  start();
  const gantry_conn c = open();
  gantry_event changed{};
  changed.kind = GANTRY_EVENT_CONSUMERS_CHANGED;
  changed.conn = c;
  changed.subject = broker_->group_handle("G");
  event(changed);
  event(changed);
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].code, 40);
  EXPECT_EQ(all[0].flag, 2);
  EXPECT_EQ(all[0].ext.at("consumerGroup"), "G");
  EXPECT_NE(all[0].opaque, all[1].opaque);
}

TEST_F(ClientTest, LockAndUnlock) {
  start();
  const gantry_conn a = open();
  const auto body = [](const char *client, const char *queues) {
    return std::string(R"({"clientId":")") + client + R"(","consumerGroup":"G","mqSet":[)" + queues + "]}";
  };
  const char *q0 = R"({"brokerName":"b","queueId":0,"topic":"T"})";
  const char *both = R"({"brokerName":"b","queueId":0,"topic":"T"},{"brokerName":"b","queueId":1,"topic":"T"})";
  Reply r = ask(a, 41, {}, body("one", q0));
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.body, R"({"lockOKMQSet":[{"brokerName":"b","queueId":0,"topic":"T"}]})");
  EXPECT_EQ(ask(a, 41, {}, body("two", both)).body, R"({"lockOKMQSet":[{"brokerName":"b","queueId":1,"topic":"T"}]})");
  EXPECT_EQ(ask(a, 41, {}, body("two", q0)).body, R"({"lockOKMQSet":[]})");
  EXPECT_EQ(ask(a, 42, {}, body("two", q0)).code, 0);
  EXPECT_EQ(broker_->locks.at("G@T@0"), "one");
  ASSERT_EQ(feed(a, request(42, 1, {}, body("one", q0), 2)), GANTRY_OK);
  EXPECT_TRUE(replies(a).empty());
  EXPECT_FALSE(broker_->locks.contains("G@T@0"));
}

TEST_F(ClientTest, LockRefusals) {
  start();
  const gantry_conn c = open();
  for (const std::int32_t code : {41, 42})
    for (const char *body : {"", "x", R"({"clientId":"c","mqSet":[]})", R"({"consumerGroup":"G","mqSet":[]})"})
      EXPECT_EQ(ask(c, code, {}, body).code, 1) << body;
  EXPECT_EQ(ask(c, 41, {}, R"({"clientId":"c","consumerGroup":"G"})").body, R"({"lockOKMQSet":[]})");
  EXPECT_EQ(ask(c, 41, {}, R"({"clientId":"c","consumerGroup":"G","mqSet":[{"queueId":-1,"topic":"T"},null,3]})").body, R"({"lockOKMQSet":[]})");
}

TEST_F(ClientTest, CheckClientConfig) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 46, {}, R"({"clientId":"c","group":"G","subscriptionData":{"expressionType":"TAG","subString":"*","topic":"T"}})").code, 0);
  const char *const sql = R"({"clientId":"c","group":"G","subscriptionData":{"expressionType":"SQL92","subString":"a > 1","topic":"T"}})";
  EXPECT_EQ(ask(c, 46, {}, sql).code, 0);
  EXPECT_EQ(broker_->checked_filters, (std::vector<std::string>{"TAG: *", "SQL92: a > 1"}));
  broker_->filter_status = GANTRY_E_UNSUPPORTED;
  const Reply r = ask(c, 46, {}, sql);
  EXPECT_EQ(r.code, 1);
  EXPECT_EQ(r.remark, "The broker does not support consumer to filter message by SQL92");
  for (const std::int32_t status : {GANTRY_E_SYNTAX, GANTRY_E_LIMIT}) {
    broker_->filter_status = status;
    const Reply refused = ask(c, 46, {}, sql);
    EXPECT_EQ(refused.code, 23);
    EXPECT_EQ(refused.remark, "not this expression");
  }
  broker_->filter_status = GANTRY_E_CLOSED;
  EXPECT_EQ(ask(c, 46, {}, sql).code, 1);
  EXPECT_EQ(ask(c, 46, {}, R"({"clientId":"c","group":"G"})").code, 0);
  EXPECT_EQ(ask(c, 46, {}, "").code, 1);
}

}  // namespace
}  // namespace gantry::remoting::test
