// Which brokers and topics the table shows after registrations, good-byes, lost connections and silence.
#include "nameserver/limits.hpp"
#include "nameserver/route_table.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting::nameserver {
namespace {

Registration broker(const std::string &name, std::int64_t id, const std::string &address) {
  Registration out;
  out.cluster = "C";
  out.broker_name = name;
  out.broker_id = id;
  out.address = address;
  out.ha_address = address + "0";
  out.timeout_ms = kDefaultTimeoutMs;
  out.conn = 1;
  out.version = {1, 1000, 0};
  out.topics = {{"T", {4, 8, 6, 0}}};
  return out;
}

class RouteTableTest : public testing::Test {
 protected:
  RegisterOutcome put(const Registration &registration, std::int64_t now_ms = 0) {
    auto outcome = table.register_broker(registration, now_ms);
    EXPECT_TRUE(outcome.ok());
    return outcome.ok() ? *outcome : RegisterOutcome{};
  }
  std::string route(const std::string &topic = "T") {
    const SharedText text = table.route_json(topic, "");
    return text != nullptr ? *text : "";
  }
  RouteTable table;
};

constexpr char kRouteOfA[] =
    R"({"brokerDatas":[{"brokerAddrs":{"0":"a:1"},"brokerName":"a","cluster":"C"}],"filterServerTable":{},)"
    R"("queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":8}]})";

TEST_F(RouteTableTest, AMasterMakesARoute) {
  EXPECT_EQ("", route());
  EXPECT_TRUE(put(broker("a", 0, "a:1")).new_address);
  EXPECT_EQ(kRouteOfA, route());
  EXPECT_FALSE(put(broker("a", 0, "a:1")).new_address);
  EXPECT_EQ("", route("other"));
}

TEST_F(RouteTableTest, ASlaveAddsItsAddressAndLearnsItsMaster) {
  EXPECT_EQ("", put(broker("a", 1, "a:2")).master_address);
  EXPECT_EQ("", route()) << "a slave of a 4.x broker brings no topics";
  EXPECT_EQ("", put(broker("a", 0, "a:1")).master_address);
  const RegisterOutcome slave = put(broker("a", 1, "a:2"));
  EXPECT_EQ("a:1", slave.master_address);
  EXPECT_EQ("a:10", slave.master_ha);
  EXPECT_NE(std::string::npos, route().find(R"("brokerAddrs":{"0":"a:1","1":"a:2"})"));
}

TEST_F(RouteTableTest, TheLowestSlaveOfA5xGroupBringsTopics) {
  Registration slave = broker("a", 2, "a:2");
  slave.acting_master = false;
  put(slave);
  EXPECT_NE(std::string::npos, route().find(R"("perm":6)"));
  slave.acting_master = true;
  slave.version.counter = 2;
  put(slave);
  EXPECT_NE(std::string::npos, route().find(R"("perm":4)")) << "an acting master is not written to";
  EXPECT_NE(std::string::npos, route().find(R"("enableActingMaster":true)"));
  Registration higher = broker("a", 3, "a:3");
  higher.acting_master = true;
  higher.topics = {{"U", {1, 1, 6, 0}}};
  put(higher);
  EXPECT_EQ("", route("U"));
}

TEST_F(RouteTableTest, SeveralBrokersShareATopic) {
  put(broker("b", 0, "b:1"));
  put(broker("a", 0, "a:1"));
  const std::string text = route();
  EXPECT_LT(text.find(R"("brokerName":"a")"), text.find(R"("brokerName":"b")"));
  EXPECT_NE(std::string::npos, text.find(R"("b:1")"));
  EXPECT_TRUE(table.unregister_broker("b", "b:1"));
  EXPECT_EQ(kRouteOfA, route());
}

TEST_F(RouteTableTest, AnUnchangedVersionLeavesTopicsAlone) {
  put(broker("a", 0, "a:1"));
  Registration other = broker("a", 0, "a:1");
  other.topics = {{"T", {1, 1, 6, 0}}};
  put(other);
  EXPECT_EQ(kRouteOfA, route());
  other.version.counter = 2;
  put(other);
  EXPECT_NE(std::string::npos, route().find(R"("readQueueNums":1)"));
}

TEST_F(RouteTableTest, ARegistrationWithoutATopicDoesNotRemoveIt) {
  put(broker("a", 0, "a:1"));
  Registration other = broker("a", 0, "a:1");
  other.version.counter = 2;
  other.topics = {{"U", {1, 1, 6, 0}}};
  put(other);
  EXPECT_EQ(kRouteOfA, route("T"));
  EXPECT_EQ(R"({"topicList":["T","U"]})", *table.topic_list_json());
}

TEST_F(RouteTableTest, TheSameAddressUnderAnotherIdMoves) {
  put(broker("a", 0, "a:1"));
  put(broker("a", 1, "a:2"));
  EXPECT_TRUE(put(broker("a", 7, "a:1")).new_address);
  EXPECT_NE(std::string::npos, route().find(R"("brokerAddrs":{"1":"a:2","7":"a:1"})"));
  EXPECT_EQ(2u, table.broker_count());
}

TEST_F(RouteTableTest, TheOnlyAddressUnderAnotherIdKeepsItsTopics) {
  put(broker("a", 0, "a:1"));
  put(broker("a", 1, "a:1"));
  EXPECT_NE(std::string::npos, route().find(R"("brokerAddrs":{"1":"a:1"})"));
}

TEST_F(RouteTableTest, AnotherAddressUnderTheSameIdTakesOver) {
  put(broker("a", 0, "a:1"));
  const RegisterOutcome outcome = put(broker("a", 0, "x:1"));
  EXPECT_EQ("a:1", outcome.displaced_address);
  EXPECT_NE(std::string::npos, route().find(R"("brokerAddrs":{"0":"x:1"})"));
  EXPECT_EQ(1u, table.broker_count());
  EXPECT_FALSE(table.unregister_broker("a", "a:1")) << "the predecessor's good-bye must not remove the successor";
  EXPECT_NE("", route());
}

TEST_F(RouteTableTest, ARenamedBrokerLeavesItsOldName) {
  put(broker("a", 0, "a:1"));
  put(broker("z", 0, "a:1"));
  EXPECT_EQ(R"({"brokerAddrTable":{"z":{"brokerAddrs":{"0":"a:1"},"brokerName":"z","cluster":"C"}},"clusterAddrTable":{"C":["z"]}})",
            table.cluster_info_json());
}

TEST_F(RouteTableTest, ABrokerNameBelongsToTheClusterItNamedLast) {
  put(broker("a", 0, "a:1"));
  put(broker("a", 1, "a:2"));
  Registration moved = broker("a", 0, "a:1");
  moved.cluster = "D";
  EXPECT_EQ("C", put(moved).left_cluster);
  EXPECT_EQ(R"({"brokerAddrTable":{"a":{"brokerAddrs":{"0":"a:1","1":"a:2"},"brokerName":"a","cluster":"D"}},"clusterAddrTable":{"D":["a"]}})",
            table.cluster_info_json());
  EXPECT_EQ(R"({"topicList":[]})", table.cluster_topics_json("C"));
  EXPECT_EQ(R"({"topicList":["T"]})", table.cluster_topics_json("D"));
  EXPECT_NE("", route());
}

TEST_F(RouteTableTest, UnregisteringTheLastAddressRemovesEverything) {
  put(broker("a", 0, "a:1"));
  put(broker("a", 1, "a:2"));
  EXPECT_FALSE(table.unregister_broker("a", "a:9"));
  EXPECT_FALSE(table.unregister_broker("b", "a:1"));
  EXPECT_TRUE(table.unregister_broker("a", "a:1"));
  EXPECT_NE("", route()) << "the slave still serves the topic";
  EXPECT_TRUE(table.unregister_broker("a", "a:2"));
  EXPECT_EQ("", route());
  EXPECT_EQ(R"({"brokerAddrTable":{},"clusterAddrTable":{}})", table.cluster_info_json());
  EXPECT_EQ(R"({"topicList":[]})", *table.topic_list_json());
  EXPECT_EQ(R"({"topicList":[]})", table.system_topics_json());
}

TEST_F(RouteTableTest, AClosedConnectionTakesAllItsBrokersAndNoOthers) {
  Registration a = broker("a", 0, "a:1"), b = broker("b", 0, "b:1"), c = broker("c", 0, "c:1");
  c.conn = 2;
  put(a);
  put(b);
  put(c);
  EXPECT_EQ(2u, table.conn_closed(1).size());
  EXPECT_EQ(1u, table.broker_count());
  EXPECT_NE(std::string::npos, route().find(R"("c:1")"));
  EXPECT_TRUE(table.conn_closed(1).empty());
}

TEST_F(RouteTableTest, OnlyTheConnectionOfTheLatestRegistrationCounts) {
  Registration a = broker("a", 0, "a:1");
  put(a);
  a.conn = 2;
  put(a);
  EXPECT_TRUE(table.conn_closed(1).empty());
  EXPECT_NE("", route());
  EXPECT_EQ(1u, table.conn_closed(2).size());
  EXPECT_EQ("", route());
}

TEST_F(RouteTableTest, SilenceBeyondTheTimeoutRemoves) {
  Registration quick = broker("b", 0, "b:1");
  quick.timeout_ms = 10'000;
  put(broker("a", 0, "a:1"), 5'000);
  put(quick, 5'000);
  EXPECT_TRUE(table.expire(15'000).empty());
  ASSERT_EQ(1u, table.expire(15'001).size());
  EXPECT_EQ(kRouteOfA, route());
  EXPECT_TRUE(table.refresh("a:1", 20'000));
  EXPECT_FALSE(table.refresh("b:1", 20'000));
  EXPECT_TRUE(table.expire(140'000).empty());
  ASSERT_EQ(1u, table.expire(140'001).size());
  EXPECT_EQ("", route());
}

TEST_F(RouteTableTest, WritePermissionIsTakenAndGiven) {
  put(broker("a", 0, "a:1"));
  Registration b = broker("b", 0, "b:1");
  b.topics.push_back({"TBW102", {8, 8, 7, 0}});
  put(b);
  EXPECT_EQ(2u, table.wipe_write_perm("b"));
  EXPECT_NE(std::string::npos, route("TBW102").find(R"("perm":5)"));
  EXPECT_NE(std::string::npos, route("T").find(R"("brokerName":"a","perm":6)"));
  EXPECT_NE(std::string::npos, route("T").find(R"("brokerName":"b","perm":4)"));
  put(b);
  EXPECT_NE(std::string::npos, route("T").find(R"("brokerName":"b","perm":4)")) << "an unchanged registration gives nothing back";
  EXPECT_EQ(2u, table.add_write_perm("b"));
  EXPECT_NE(std::string::npos, route("TBW102").find(R"("perm":6)")) << "the inherit bit is lost, as in RocketMQ";
  EXPECT_EQ(0u, table.wipe_write_perm("nobody"));
}

TEST_F(RouteTableTest, ATopicIsForgottenEverywhereOrInOneCluster) {
  put(broker("a", 0, "a:1"));
  Registration b = broker("b", 0, "b:1");
  b.cluster = "D";
  put(b);
  table.delete_topic("T", "D");
  EXPECT_EQ(kRouteOfA, route());
  table.delete_topic("T", "no such cluster");
  EXPECT_EQ(kRouteOfA, route());
  table.delete_topic("T", "");
  EXPECT_EQ("", route());
  table.delete_topic("T", "");
  EXPECT_EQ(R"({"topicList":[]})", *table.topic_list_json());
}

TEST_F(RouteTableTest, RenderedRoutesAreKeptUntilSomethingTheyShowChanges) {
  put(broker("a", 0, "a:1"));
  const SharedText first = table.route_json("T", "");
  put(broker("a", 0, "a:1"));
  EXPECT_EQ(first.get(), table.route_json("T", "").get());
  put(broker("a", 1, "a:2"));
  const SharedText second = table.route_json("T", "");
  EXPECT_NE(first.get(), second.get());
  EXPECT_EQ(second.get(), table.route_json("T", "").get());
  table.forget_rendered_routes();
  EXPECT_NE(std::string::npos, table.route_json("T", "a:4")->find(R"("orderTopicConf":"a:4")"));
}

TEST_F(RouteTableTest, FilterServersZoneAndFlagsAreShown) {
  Registration a = broker("a", 0, "a:1");
  a.filter_servers = {"f:1", "f:2"};
  a.zone_name = "z1";
  a.topics = {{"T", {4, 8, 6, kSysFlagUnit}}, {"U", {4, 8, 6, kSysFlagUnitSub}}, {"V", {4, 8, 6, 0}}};
  put(a);
  EXPECT_NE(std::string::npos, route().find(R"("filterServerTable":{"a:1":["f:1","f:2"]})"));
  EXPECT_NE(std::string::npos, route().find(R"("zoneName":"z1")"));
  EXPECT_EQ(R"({"topicList":["T"]})", table.topics_by_flag_json([](std::uint32_t flag) { return (flag & kSysFlagUnit) != 0; }));
}

TEST_F(RouteTableTest, SystemTopicsAreNamesOfClustersAndBrokersWithAMastersAddress) {
  put(broker("a", 1, "a:2"));
  put(broker("b", 0, "b:1"));
  EXPECT_EQ(R"({"brokerAddr":"b:1","topicList":["C","a","b"]})", table.system_topics_json());
  EXPECT_EQ(R"({"brokerMemberGroup":{"brokerAddrs":{"1":"a:2"},"brokerName":"a","cluster":"C"}})", table.member_group_json("C", "a"));
  EXPECT_EQ(R"({"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"a","cluster":"D"}})", table.member_group_json("D", "a"));
}

TEST_F(RouteTableTest, ARegistrationOverALimitChangesNothing) {
  Registration a = broker("a", 0, "a:1");
  a.topics.assign(kMaxTopicsPerBroker + 1, {"T", {4, 8, 6, 0}});
  EXPECT_EQ(GANTRY_E_LIMIT, table.register_broker(a, 0).error().code);
  a = broker("a", 0, "a:1");
  a.filter_servers.assign(kMaxFilterServers + 1, "f:1");
  EXPECT_EQ(GANTRY_E_LIMIT, table.register_broker(a, 0).error().code);
  EXPECT_EQ(0u, table.broker_count());
  for (std::size_t i = 0; i < kMaxBrokers; ++i) put(broker("b" + std::to_string(i), 0, "b" + std::to_string(i) + ":1"));
  const auto refused = table.register_broker(broker("a", 0, "a:1"), 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ("name server is full: it holds at most 10000 brokers", refused.error().text);
  EXPECT_TRUE(table.register_broker(broker("b1", 0, "b1:1"), 0).ok()) << "who is in stays in";
}

}  // namespace
}  // namespace gantry::remoting::nameserver
