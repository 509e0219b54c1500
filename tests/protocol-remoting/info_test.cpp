// What tools ask about groups and topics.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

class InfoTest : public RemotingTest {
 protected:
  void SetUp() override {
    start();
    tool_ = open();
    broker_->topics["T"] = {0, 6, 1, 2, {}};
    broker_->stats["T"][0] = gantry_queue_stat{3, 30, 30, 1};
  }
  gantry_conn tool_ = 0;
};

TEST_F(InfoTest, ConsumerConnections) {
  broker_->consumer_groups["G"] = {{5, "one"}, {6, "two", 1, 9}};
  broker_->subscriptions["G"] = {{"T", "", "TagA || TagB", 7}};
  const Reply r = ask(tool_, 203, {{"consumerGroup", "G"}});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.body,
            R"({"connectionSet":[{"clientAddr":"192.0.0.7:50000","clientId":"one","language":"JAVA","version":409},)"
            R"({"clientAddr":"192.0.0.7:50000","clientId":"two","language":"GO","version":409}],)"
            R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"T":)"
            R"({"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"TagA || TagB","subVersion":7,"tagsSet":["TagA","TagB"],"topic":"T"}}})");
  EXPECT_EQ(ask(tool_, 203, {{"consumerGroup", "H"}}).code, 206);
  EXPECT_EQ(ask(tool_, 203, {}).code, 206);
}

TEST_F(InfoTest, ProducerConnections) {
  broker_->producer_groups["P"] = {{5, "one"}};
  broker_->producer_groups["Q"] = {{6, "two"}};
  EXPECT_EQ(ask(tool_, 204, {{"producerGroup", "P"}}).body,
            R"({"connectionSet":[{"clientAddr":"192.0.0.7:50000","clientId":"one","language":"JAVA","version":409}]})");
  const Reply none = ask(tool_, 204, {{"producerGroup", "R"}});
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.remark, "the producer group[R] not exist");
  EXPECT_EQ(ask(tool_, 204, {}).code, 1);
  EXPECT_EQ(ask(tool_, 328, {}).body,
            R"({"data":{"P":[{"clientId":"one","language":"JAVA","lastUpdateTimestamp":1700000000000,"remoteIP":"/192.0.0.7:50000","version":409}],)"
            R"("Q":[{"clientId":"two","language":"JAVA","lastUpdateTimestamp":1700000000000,"remoteIP":"/192.0.0.7:50000","version":409}]}})");
}

TEST_F(InfoTest, WhoConsumesWhat) {
  broker_->consumer_groups["online"] = {{5, "one"}};
  broker_->subscriptions["online"] = {{"T", "TAG", "*", 7}};
  broker_->topics["U"] = {};
  broker_->committed = {{"offline", "T", 0, 4}, {"offline", "U", 0, 4}, {"else", "U", 0, 1}};
  EXPECT_EQ(ask(tool_, 300, {{"topic", "T"}}).body, R"({"groupList":["offline","online"]})");
  EXPECT_EQ(ask(tool_, 300, {{"topic", "X"}}).body, R"({"groupList":[]})");
  EXPECT_EQ(ask(tool_, 343, {{"group", "offline"}}).body, R"({"topicList":["T","U"]})");
  EXPECT_EQ(ask(tool_, 343, {{"group", "nobody"}}).body, R"({"topicList":[]})");
  EXPECT_EQ(ask(tool_, 345, {{"group", "online"}, {"topic", "T"}}).body,
            R"({"group":"online","subscriptionData":{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":7,"tagsSet":[],"topic":"T"},"topic":"T"})");
  EXPECT_EQ(ask(tool_, 345, {{"group", "online"}, {"topic", "U"}}).body, R"({"group":"online","topic":"U"})");
}

TEST_F(InfoTest, TopicStatsAndProgress) {
  broker_->entries["T@0"] = {{29, {290, 0, 1'700'000'000'029, ""}}, {11, {110, 0, 1'700'000'000'011, ""}}};
  EXPECT_EQ(ask(tool_, 202, {{"topic", "T"}}).body,
            R"({"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":1700000000029,"maxOffset":30,"minOffset":3},)"
            R"({"brokerName":"broker-a","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}}})");
  EXPECT_EQ(ask(tool_, 202, {{"topic", "X"}}).code, 17);
  broker_->committed = {{"G", "T", 0, 12}};
  const std::string progress =
      R"({"consumeTps":0.00,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:{"brokerOffset":30,"consumerOffset":12,"lastTimestamp":1700000000011}}})";
  (void)broker_->group_handle("G");
  EXPECT_EQ(ask(tool_, 208, {{"consumerGroup", "G"}}).body, progress);
  EXPECT_EQ(ask(tool_, 208, {{"consumerGroup", "G"}, {"topic", "T"}}).body, progress);
  EXPECT_EQ(ask(tool_, 208, {{"consumerGroup", "H"}}).body, R"({"consumeTps":0.00,"offsetTable":{}})");
}

TEST_F(InfoTest, TopicSettings) {
  broker_->topics["S"] = {GANTRY_TOPIC_SYSTEM, 6, 1, 1, {}};
  EXPECT_EQ(ask(tool_, 351, {{"topic", "T"}}).body,
            R"({"attributes":{},"order":false,"perm":6,"readQueueNums":1,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":2})");
  broker_->topics["T"].attributes = "message.type=FIFO,reserve.time=-1";
  EXPECT_EQ(ask(tool_, 351, {{"topic", "T"}}).body.find(R"({"attributes":{"message.type":"FIFO","reserve.time":"-1"},"order")"), 0u);
  EXPECT_EQ(ask(tool_, 351, {{"topic", "X"}}).code, 17);
  EXPECT_EQ(ask(tool_, 305, {}).body, R"({"topicList":["S"]})");
  const std::string all = ask(tool_, 21, {}).body;
  EXPECT_NE(all.find(R"("topicConfigTable":{"S":{"attributes":{},"order":false,)"), std::string::npos) << all;
  EXPECT_NE(all.find(R"("dataVersion":{"counter":1,"timestamp":1})"), std::string::npos) << all;
}

}  // namespace
}  // namespace gantry::remoting::test
