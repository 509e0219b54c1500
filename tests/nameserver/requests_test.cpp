// Every request of the name server as bytes through the component's table: the answer of a success beside that of each refusal.
#include "codec/codes.hpp"
#include "nameserver/limits.hpp"
#include "nameserver/zlib_stream.hpp"
#include "server.hpp"

#include <gtest/gtest.h>

namespace gantry::test {
namespace {

using namespace gantry::remoting;

const ExtFields kMaster{{"clusterName", "C"}, {"brokerName", "a"}, {"brokerAddr", "10.0.0.1:10911"}, {"brokerId", "0"},
                        {"haServerAddr", "10.0.0.1:10912"}};
const ExtFields kSlave{{"clusterName", "C"}, {"brokerName", "a"}, {"brokerAddr", "10.0.0.2:10911"}, {"brokerId", "1"},
                       {"haServerAddr", "10.0.0.2:10912"}};

std::string topics_body(const std::string &topics, int counter = 1) {
  return R"({"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":)" + std::to_string(counter) +
         R"(,"timestamp":1700000000000},"topicConfigTable":{)" + topics + "}}}";
}
const std::string kTopicT =
    R"("T":{"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":8})";

class RequestsTest : public testing::Test {
 protected:
  RequestsTest() { conn = server.open(); }
  ReplyText ask(int code, ExtFields ext = {}, std::string body = {}, int version = 409) {
    return server.ask(conn, {.code = code, .ext = std::move(ext), .body = std::move(body), .version = version, .opaque = ++opaque});
  }
  void expect_refused(const ReplyText &reply, int code, const std::string &remark) {
    EXPECT_EQ(code, reply.code);
    EXPECT_EQ(remark, reply.remark);
    EXPECT_EQ("", reply.body);
  }
  void register_master(const std::string &topics = kTopicT) { ASSERT_EQ(0, ask(kRegisterBroker, kMaster, topics_body(topics)).code); }
  ExtFields without(ExtFields fields, const std::string &name) {
    fields.erase(name);
    return fields;
  }
  ExtFields with(ExtFields fields, const std::string &name, const std::string &value) {
    fields[name] = value;
    return fields;
  }

  Server server;
  gantry_conn conn = 0;
  int opaque = 0;
};

TEST_F(RequestsTest, RegisterAndRoute) {
  const ReplyText registered = ask(kRegisterBroker, kMaster, topics_body(kTopicT));
  EXPECT_EQ(0, registered.code);
  EXPECT_EQ(409, registered.version);
  EXPECT_EQ(ExtFields{}, registered.ext);
  EXPECT_EQ("", registered.body);
  const ReplyText route = ask(kGetRouteinfoByTopic, {{"topic", "T"}});
  EXPECT_EQ(0, route.code);
  const std::string expected =
      R"({"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911"},"brokerName":"a","cluster":"C"}],"filterServerTable":{},)"
      R"("queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":8}]})";
  EXPECT_EQ(expected, route.body);
  EXPECT_EQ(expected, ask(kGetRouteinfoByTopic, {{"topic", "T"}}, "", 317).body) << "one form for all clients";
  EXPECT_TRUE(server.host.logged("broker 'a' (id 0) of cluster 'C' registered 10.0.0.1:10911 with 1 topics"));
}

TEST_F(RequestsTest, RouteRefusals) {
  expect_refused(ask(kGetRouteinfoByTopic, {{"topic", "T"}}), kTopicNotExist, "No topic route info in name server for the topic: T");
  expect_refused(ask(kGetRouteinfoByTopic), kTopicNotExist, "No topic route info in name server for the topic: null");
}

TEST_F(RequestsTest, RegisterChecksTheBody) {
  const std::string body = topics_body(kTopicT);
  EXPECT_EQ(0, ask(kRegisterBroker, with(kMaster, "bodyCrc32", std::to_string(body_crc32(body))), body).code);
  expect_refused(ask(kRegisterBroker, with(kMaster, "bodyCrc32", "1"), body), kSystemError, "crc32 not match");
  EXPECT_EQ(0, ask(kRegisterBroker, with(kMaster, "bodyCrc32", "0"), body).code);
  expect_refused(ask(kRegisterBroker, kMaster, "{"), kSystemError, "registration: line 1, column 2: the text ends inside an object");
  expect_refused(ask(kRegisterBroker, with(kMaster, "compressed", "true"), body), kSystemError,
                 "compressed registration: it is no whole zlib stream");
}

TEST_F(RequestsTest, RegisterChecksTheHeader) {
  const std::string body = topics_body(kTopicT);
  expect_refused(ask(kRegisterBroker, without(kMaster, "clusterName"), body), kSystemError, "clusterName is missing or not usable: ''");
  expect_refused(ask(kRegisterBroker, with(kMaster, "brokerName", "a\nb"), body), kSystemError, "brokerName is missing or not usable: 'a?b'");
  expect_refused(ask(kRegisterBroker, with(kMaster, "brokerAddr", "nowhere"), body), kSystemError,
                 "brokerAddr is missing or no host:port: 'nowhere'");
  expect_refused(ask(kRegisterBroker, with(kMaster, "brokerId", "-1"), body), kSystemError, "brokerId is missing or no number from 0: '-1'");
  expect_refused(ask(kRegisterBroker, without(kMaster, "brokerId"), body), kSystemError, "brokerId is missing or no number from 0: ''");
  EXPECT_EQ(R"({"topicList":[]})", ask(kGetAllTopicListFromNameserver).body);
}

TEST_F(RequestsTest, RegisterRefusesMoreThanItHolds) {
  std::string topics = kTopicT;
  for (std::size_t i = 0; i < nameserver::kMaxTopicsPerBroker; ++i) topics += ",t" + std::to_string(i) + ":{}";
  expect_refused(ask(kRegisterBroker, kMaster, topics_body(topics)), kSystemError, "name server is full: it holds at most 100000 topics of one broker");
  EXPECT_TRUE(server.host.logged("refused broker 'a' at 10.0.0.1:10911"));
}

TEST_F(RequestsTest, RegisterOfOldPeersAndOf5x) {
  EXPECT_EQ(0, ask(kRegisterBroker, kMaster, "{\"topicConfigTable\":{" + kTopicT + "}}", 36).code);
  EXPECT_EQ(0, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).code);
  ExtFields extras = with(with(kSlave, "enableActingMaster", "true"), "zoneName", "z");
  EXPECT_EQ(0, ask(kRegisterBroker, extras, topics_body(kTopicT), 479).code);
  EXPECT_NE(std::string::npos, ask(kGetBrokerClusterInfo).body.find(R"("enableActingMaster":true,"zoneName":"z")"));
}

TEST_F(RequestsTest, ASlaveLearnsItsMaster) {
  register_master();
  const ReplyText reply = ask(kRegisterBroker, kSlave, topics_body(""));
  EXPECT_EQ((ExtFields{{"masterAddr", "10.0.0.1:10911"}, {"haServerAddr", "10.0.0.1:10912"}}), reply.ext);
  EXPECT_EQ(R"({"brokerAddrTable":{"a":{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"a","cluster":"C"}},)"
            R"("clusterAddrTable":{"C":["a"]}})",
            ask(kGetBrokerClusterInfo).body);
}

TEST_F(RequestsTest, Unregister) {
  register_master();
  EXPECT_EQ(0, ask(kUnregisterBroker, with(kMaster, "brokerAddr", "10.0.0.9:1")).code) << "somebody else's good-bye";
  EXPECT_EQ(0, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).code);
  EXPECT_EQ(0, ask(kUnregisterBroker, kMaster).code);
  EXPECT_EQ(kTopicNotExist, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).code);
  EXPECT_EQ(0, ask(kUnregisterBroker, kMaster).code);
  expect_refused(ask(kUnregisterBroker, without(kMaster, "brokerAddr")), kSystemError, "brokerAddr is missing or no host:port: ''");
}

TEST_F(RequestsTest, DataVersion) {
  register_master();
  const std::string version = R"({"counter":1,"timestamp":1700000000000})";
  const ReplyText same = ask(kQueryDataVersion, kMaster, version);
  EXPECT_EQ("false", same.ext.at("changed"));
  EXPECT_EQ(version, same.body);
  const ReplyText other = ask(kQueryDataVersion, kMaster, R"({"counter":2,"timestamp":1700000000000})");
  EXPECT_EQ("true", other.ext.at("changed"));
  EXPECT_EQ(version, other.body);
  const ReplyText unknown = ask(kQueryDataVersion, kSlave, version);
  EXPECT_EQ("true", unknown.ext.at("changed"));
  EXPECT_EQ("", unknown.body);
  expect_refused(ask(kQueryDataVersion, kMaster, "{"), kSystemError, "data version: line 1, column 2: the text ends inside an object");
  expect_refused(ask(kQueryDataVersion, {}, version), kSystemError, "clusterName is missing or not usable: ''");
}

TEST_F(RequestsTest, BrokerHeartbeatAndMemberGroup) {
  register_master();
  EXPECT_EQ(0, ask(kBrokerHeartbeat, kMaster).code);
  EXPECT_EQ(0, ask(kBrokerHeartbeat, kSlave).code);
  expect_refused(ask(kBrokerHeartbeat), kSystemError, "brokerAddr is missing or no host:port: ''");
  EXPECT_EQ(R"({"brokerMemberGroup":{"brokerAddrs":{"0":"10.0.0.1:10911"},"brokerName":"a","cluster":"C"}})",
            ask(kGetBrokerMemberGroup, kMaster).body);
  EXPECT_EQ(R"({"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"x","cluster":"C"}})",
            ask(kGetBrokerMemberGroup, with(kMaster, "brokerName", "x")).body);
  expect_refused(ask(kGetBrokerMemberGroup), kSystemError, "clusterName or brokerName is missing");
}

TEST_F(RequestsTest, TopicLists) {
  EXPECT_EQ(R"({"brokerAddrTable":{},"clusterAddrTable":{}})", ask(kGetBrokerClusterInfo).body);
  register_master(kTopicT + R"(,"U":{"topicSysFlag":1},"V":{"topicSysFlag":2},"W":{"topicSysFlag":3})");
  EXPECT_EQ(R"({"topicList":["T","U","V","W"]})", ask(kGetAllTopicListFromNameserver).body);
  EXPECT_EQ(R"({"topicList":["T","U","V","W"]})", ask(kGetTopicsByCluster, {{"cluster", "C"}}).body);
  EXPECT_EQ(R"({"topicList":[]})", ask(kGetTopicsByCluster, {{"cluster", "D"}}).body);
  EXPECT_EQ(R"({"topicList":[]})", ask(kGetTopicsByCluster).body);
  EXPECT_EQ(R"({"brokerAddr":"10.0.0.1:10911","topicList":["C","a"]})", ask(kGetSystemTopicListFromNs).body);
  EXPECT_EQ(R"({"topicList":["U","W"]})", ask(kGetUnitTopicList).body);
  EXPECT_EQ(R"({"topicList":["V","W"]})", ask(kGetHasUnitSubTopicList).body);
  EXPECT_EQ(R"({"topicList":["V"]})", ask(kGetHasUnitSubUnunitTopicList).body);
}

TEST_F(RequestsTest, WritePermission) {
  register_master();
  const ReplyText wiped = ask(kWipeWritePermOfBroker, {{"brokerName", "a"}});
  EXPECT_EQ((ExtFields{{"wipeTopicCount", "1"}}), wiped.ext);
  EXPECT_NE(std::string::npos, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).body.find(R"("perm":4)"));
  const ReplyText given = ask(kAddWritePermOfBroker, {{"brokerName", "a"}});
  EXPECT_EQ((ExtFields{{"addTopicCount", "1"}}), given.ext);
  EXPECT_NE(std::string::npos, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).body.find(R"("perm":6)"));
  EXPECT_EQ((ExtFields{{"wipeTopicCount", "0"}}), ask(kWipeWritePermOfBroker, {{"brokerName", "x"}}).ext);
  expect_refused(ask(kWipeWritePermOfBroker), kSystemError, "brokerName is missing");
  expect_refused(ask(kAddWritePermOfBroker), kSystemError, "brokerName is missing");
}

TEST_F(RequestsTest, DeleteTopic) {
  register_master();
  EXPECT_EQ(0, ask(kDeleteTopicInNamesrv, {{"topic", "T"}, {"clusterName", "D"}}).code);
  EXPECT_EQ(0, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).code);
  EXPECT_EQ(0, ask(kDeleteTopicInNamesrv, {{"topic", "T"}}).code);
  EXPECT_EQ(kTopicNotExist, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).code);
  EXPECT_EQ(0, ask(kDeleteTopicInNamesrv, {{"topic", "T"}}).code);
  expect_refused(ask(kDeleteTopicInNamesrv), kSystemError, "topic is missing");
}

TEST_F(RequestsTest, KeysAndValues) {
  EXPECT_EQ(0, ask(kPutKvConfig, {{"namespace", "n"}, {"key", "k"}, {"value", "v 1"}}).code);
  EXPECT_EQ((ExtFields{{"value", "v 1"}}), ask(kGetKvConfig, {{"namespace", "n"}, {"key", "k"}}).ext);
  EXPECT_EQ(R"({"table":{"k":"v 1"}})", ask(kGetKvlistByNamespace, {{"namespace", "n"}}).body);
  EXPECT_EQ(0, ask(kDeleteKvConfig, {{"namespace", "n"}, {"key", "k"}}).code);
  EXPECT_EQ(0, ask(kDeleteKvConfig, {{"namespace", "n"}, {"key", "k"}}).code);
  expect_refused(ask(kGetKvConfig, {{"namespace", "n"}, {"key", "k"}}), kQueryNotFound, "No config item, Namespace: n Key: k");
  EXPECT_EQ(R"({"table":{}})", ask(kGetKvlistByNamespace, {{"namespace", "n"}}).body);
  expect_refused(ask(kGetKvlistByNamespace, {{"namespace", "m"}}), kQueryNotFound, "No config item, Namespace: m");
}

TEST_F(RequestsTest, KeysAndValuesRefusals) {
  expect_refused(ask(kPutKvConfig, {{"namespace", "n"}, {"value", "v"}}), kSystemError, "namespace or key is null");
  expect_refused(ask(kPutKvConfig, {{"namespace", "n"}, {"key", "k"}}), kSystemError, "value is null");
  expect_refused(ask(kPutKvConfig, {{"namespace", "n"}, {"key", "a b"}, {"value", "v"}}), kSystemError,
                 "namespace and key must be 1..255 bytes without blanks");
  expect_refused(ask(kPutKvConfig, {{"namespace", "n"}, {"key", "k"}, {"value", std::string(32769, 'v')}}), kSystemError,
                 "value is longer than 32768 bytes");
  expect_refused(ask(kDeleteKvConfig, {{"namespace", "n"}}), kSystemError, "namespace or key is null");
  for (std::size_t i = 0; i < nameserver::kMaxKvEntries; ++i) {
    ASSERT_EQ(0, ask(kPutKvConfig, {{"namespace", "n"}, {"key", std::to_string(i)}, {"value", ""}}).code);
  }
  expect_refused(ask(kPutKvConfig, {{"namespace", "n"}, {"key", "k"}, {"value", "v"}}), kSystemError,
                 "name server is full: it holds at most 10000 values");
  EXPECT_EQ(0, ask(kPutKvConfig, {{"namespace", "n"}, {"key", "7"}, {"value", "new"}}).code) << "what is there can change";
}

TEST_F(RequestsTest, ConfigIsShownAndCannotBeSet) {
  const ReplyText shown = ask(kGetNamesrvConfig);
  EXPECT_EQ("listenPort=9876\norderMessageEnable=false\nscanNotActiveBrokerInterval=5000\n", shown.body);
  const std::string remark = "settings of this name server cannot be changed by request; change its configuration file and restart it";
  for (const char *body : {"kvConfigPath=/tmp/x\n", "configStorePath=/x", "orderMessageEnable=true", "# c\r\n  rocketmqHome:x", "nonsense"}) {
    expect_refused(ask(kUpdateNamesrvConfig, {}, body), kNoPermission, remark);
  }
  for (const char *body : {"", "\n", "# only a comment\n! another\r\n  \n"}) EXPECT_EQ(0, ask(kUpdateNamesrvConfig, {}, body).code) << body;
  EXPECT_EQ(shown.body, ask(kGetNamesrvConfig).body);
}

TEST_F(RequestsTest, OrderSettingsReachBrokersAlwaysAndRoutesWhenEnabled) {
  const ExtFields order{{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "T"}, {"value", "a:4"}};
  register_master();
  EXPECT_EQ(0, ask(kPutKvConfig, order).code);
  EXPECT_EQ(R"({"table":{"T":"a:4"}})", ask(kRegisterBroker, kMaster, topics_body(kTopicT)).body);
  EXPECT_EQ(std::string::npos, ask(kGetRouteinfoByTopic, {{"topic", "T"}}).body.find("orderTopicConf"));
}

TEST(RequestsWithOrder, RoutesShowOrderSettingsAsTheyChange) {
  Server server(ConfigTexts{{"order_message_enable", "true"}});
  const gantry_conn conn = server.open();
  const RequestText ask_route{.code = kGetRouteinfoByTopic, .ext = {{"topic", "T"}}};
  EXPECT_EQ(0, server.ask(conn, {.code = kRegisterBroker, .ext = kMaster, .body = topics_body(kTopicT)}).code);
  EXPECT_EQ(std::string::npos, server.ask(conn, ask_route).body.find("orderTopicConf"));
  EXPECT_EQ(0, server.ask(conn, {.code = kPutKvConfig, .ext = {{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "T"}, {"value", "a:4"}}}).code);
  EXPECT_NE(std::string::npos, server.ask(conn, ask_route).body.find(R"("orderTopicConf":"a:4")"));
  EXPECT_EQ(0, server.ask(conn, {.code = kDeleteKvConfig, .ext = {{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "T"}}}).code);
  EXPECT_EQ(std::string::npos, server.ask(conn, ask_route).body.find("orderTopicConf"));
}

TEST_F(RequestsTest, UnknownCodes) {
  expect_refused(ask(9999), kRequestCodeNotSupported, " request type 9999 not supported");
  expect_refused(ask(kSendMessageV2), kRequestCodeNotSupported, " request type 310 not supported");
}

}  // namespace
}  // namespace gantry::test
