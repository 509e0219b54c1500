// The registrar against a scripted name server: what it sends and when, and that it never gives up.
#include "codec/codes.hpp"
#include "fake_net.hpp"
#include "nameserver/zlib_stream.hpp"
#include "registration/registrar.hpp"
#include "support/fake_host.h"
#include "support/test_util.h"
#include "wire.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace gantry::test {
namespace {

using namespace gantry::remoting;

gantry_str str(const std::string &text) { return {text.data(), static_cast<std::uint32_t>(text.size()), 0}; }

// The part of the broker's table that the registrar uses.
struct FakeBroker {
  struct Topic {
    std::string name;
    std::uint32_t perm, read, write, flags;
  };
  static inline std::vector<Topic> topics;
  static inline std::uint32_t perm;
  static inline std::int64_t counter;

  static void reset() {
    topics = {{"T", 6, 4, 8, GANTRY_TOPIC_ORDER}, {"TBW102", 7, 8, 8, GANTRY_TOPIC_SYSTEM}};
    perm = 6;
    counter = 3;
  }
  static const gantry_broker_v1 *table() {
    static const gantry_broker_v1 kTable = [] {
      gantry_broker_v1 out{};
      out.info = [](const gantry_host *, gantry_broker_info *info) noexcept {
        static const std::string kCluster = "C", kName = "broker-a";
        info->cluster = str(kCluster);
        info->name = str(kName);
        info->id = 0;
        info->perm = perm;
      };
      out.topic_list = [](const gantry_host *, gantry_topic_fn fn, void *arg) noexcept {
        for (const Topic &topic : topics) {
          gantry_topic_info info{};
          info.size = sizeof info;
          info.name = str(topic.name);
          info.perm = topic.perm;
          info.read_queues = topic.read;
          info.write_queues = topic.write;
          info.flags = topic.flags;
          fn(arg, &info);
        }
      };
      out.topics_version = [](const gantry_host *, gantry_topics_version *version) noexcept { *version = {1'700'000'000'000, counter}; };
      return out;
    }();
    return &kTable;
  }
};

class RegistrarTest : public testing::Test {
 protected:
  RegistrarTest() {
    FakeBroker::reset();
    host.freeze_clock(1'700'000'000'000);
    host.add_table(GANTRY_NET_ID, FakeNet::table());
    host.add_table(GANTRY_BROKER_ID, FakeBroker::table());
  }
  ~RegistrarTest() override {
    if (registrar != nullptr) host.on_control([this] { registrar->stop(); });
    EXPECT_EQ(0u, host.leftovers());
  }

  Result<void> start(std::vector<std::string> nameservers = {"10.0.0.1:9876"}, const std::string &advertise = "10.0.0.5:10911") {
    registrar = std::make_unique<Registrar>(host.abi(), RegistrarOptions{.nameservers = std::move(nameservers), .advertise = advertise,
                                                                         .ha_advertise = "10.0.0.5:10912"});
    Result<void> out;
    host.on_control([&] { out = registrar->start(); });
    host.turn();
    return out;
  }
  void pass_ms(std::int64_t ms) {
    host.advance_ms(ms);
    host.turn();
  }
  // Answers the oldest connect request with a connection; NULL when there is none or it is not wanted.
  NameServerLink *accept(gantry_conn conn) {
    if (net.connects.empty()) return nullptr;
    gantry_conn_info info{};
    info.size = sizeof info;
    info.flags = GANTRY_CONN_OUTBOUND;
    info.user_data = net.connects.front().user_data;
    net.connects.pop_front();
    EXPECT_TRUE(registrar->owns(info.user_data));
    return registrar->conn_open(conn, &info);
  }
  void refuse_connect() {
    gantry_error error{};
    std::strcpy(error.text, "Connection refused");
    const std::uint64_t user_data = net.connects.front().user_data;
    net.connects.pop_front();
    registrar->connect_failed(user_data, &error);
  }
  // The only request sent since the last call; code -1 when there was none or several.
  ReplyText sent(gantry_conn conn) {
    const auto frames = read_frames(net.take(conn));
    return frames.size() == 1 ? frames[0] : ReplyText{};
  }
  static void answer(NameServerLink *link, int opaque, int code = 0, const std::string &remark = "", const std::string &changed = "", const std::string &body = "") {
    const std::string header = R"({"code":)" + std::to_string(code) + R"(,"extFields":{"changed":")" + changed +
                               R"("},"flag":1,"language":"JAVA","opaque":)" + std::to_string(opaque) + R"(,"remark":")" + remark +
                               R"(","version":407})";
    const std::string frame = json_frame(header, body);
    std::uint32_t consumed = 0, need = 0;
    ASSERT_EQ(GANTRY_OK, link->on_bytes(reinterpret_cast<const std::uint8_t *>(frame.data()), static_cast<std::uint32_t>(frame.size()), &consumed, &need));
    ASSERT_EQ(frame.size(), consumed);
  }
  NameServerLink *registered(gantry_conn conn = 1) {
    NameServerLink *link = accept(conn);
    require(link != nullptr, "no connection was wanted");
    answer(link, sent(conn).opaque);
    return link;
  }

  // Asks for a route; what comes is appended to routes, null as "unknown".
  [[nodiscard]] bool find(const std::string &topic) {
    bool taken = false;
    host.on_shard(0, [&] {
      taken = registrar->routes()->find(topic, [this](const TopicRoute &route) {
        std::string text = route == nullptr ? "unknown" : "";
        if (route != nullptr)
          for (const BrokerQueues &each : *route) text += each.broker + ":" + std::to_string(each.read_queues) + " ";
        routes.push_back(text);
      });
    });
    host.turn();
    return taken;
  }
  static std::string route_of(int perm_of_c = 6) {
    return R"({"brokerDatas":[{"brokerAddrs":{0:"10.0.0.6:10911"},"brokerName":"b","cluster":"C"}],"filterServerTable":{},"queueDatas":[)"
           R"({"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4},)"
           R"({"brokerName":"c","perm":)" + std::to_string(perm_of_c) + R"(,"readQueueNums":2,"topicSysFlag":0,"writeQueueNums":2}]})";
  }

  FakeHost host;
  FakeNet net;
  std::unique_ptr<Registrar> registrar;
  std::vector<std::string> routes;
};

TEST_F(RegistrarTest, RegistersAsSoonAsItIsConnected) {
  ASSERT_TRUE(start().ok());
  ASSERT_EQ(1u, net.connects.size());
  EXPECT_EQ("10.0.0.1:9876", net.connects[0].address);
  EXPECT_EQ(0u, net.connects[0].shard);
  NameServerLink *link = accept(1);
  ASSERT_NE(nullptr, link);
  const ReplyText request = sent(1);
  EXPECT_EQ(kRegisterBroker, request.code);
  EXPECT_EQ(0, request.flag);
  EXPECT_EQ(409, request.version);
  const std::string body =
      R"({"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"timestamp":1700000000000},"topicConfigTable":{)"
      R"("T":{"order":true,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":8},)"
      R"("TBW102":{"order":false,"perm":7,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TBW102","topicSysFlag":0,"writeQueueNums":8}}}})";
  EXPECT_EQ(body, request.body);
  EXPECT_EQ((ExtFields{{"brokerName", "broker-a"}, {"brokerAddr", "10.0.0.5:10911"}, {"clusterName", "C"}, {"brokerId", "0"},
                       {"haServerAddr", "10.0.0.5:10912"}, {"compressed", "false"}, {"bodyCrc32", std::to_string(body_crc32(body))}}),
            request.ext);
  EXPECT_FALSE(registrar->registered_anywhere());
  answer(link, request.opaque);
  EXPECT_TRUE(registrar->registered_everywhere());
  EXPECT_TRUE(host.logged("registered at name server 10.0.0.1:9876 as 10.0.0.5:10911 with 2 topics"));
}

TEST_F(RegistrarTest, AsksForARouteOnceForAllWhoWait) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  EXPECT_TRUE(find("T"));
  EXPECT_TRUE(find("T"));
  const ReplyText question = sent(1);
  EXPECT_EQ(kGetRouteinfoByTopic, question.code);
  EXPECT_EQ(0, question.flag);
  EXPECT_EQ((ExtFields{{"topic", "T"}, {"acceptStandardJsonOnly", "true"}}), question.ext);
  EXPECT_TRUE(routes.empty());
  answer(link, question.opaque, 0, "", "", route_of());
  EXPECT_EQ((std::vector<std::string>{"b:4 c:2 ", "b:4 c:2 "}), routes);
  pass_ms(TopicRoutes::kFreshMs - 1);
  EXPECT_TRUE(find("T"));
  EXPECT_EQ(3u, routes.size()) << "known";
  EXPECT_EQ("", net.take(1));
  pass_ms(1);
  EXPECT_TRUE(find("T"));
  answer(link, sent(1).opaque, 0, "", "", route_of(2));
  EXPECT_EQ("b:4 ", routes.back()) << "what may not be read counts no more";
}

TEST_F(RegistrarTest, ARouteThatCannotBeHadIsTheOneKnownBefore) {
  ASSERT_TRUE(start().ok());
  EXPECT_TRUE(find("T"));
  EXPECT_EQ("unknown", routes.back()) << "not connected";
  NameServerLink *link = registered();
  EXPECT_TRUE(find("T"));
  const ReplyText question = sent(1);
  pass_ms(TopicRoutes::kAnswerTimeoutMs - 1);
  EXPECT_EQ(1u, routes.size());
  pass_ms(1);
  ASSERT_EQ(2u, routes.size());
  EXPECT_EQ("unknown", routes.back()) << "no answer in time";
  answer(link, question.opaque, 0, "", "", route_of());
  EXPECT_EQ(2u, routes.size()) << "too late";
  EXPECT_TRUE(find("T"));
  answer(link, sent(1).opaque, 0, "", "", route_of());
  EXPECT_EQ("b:4 c:2 ", routes.back());
  for (const char *damaged : {"", "[]", "{}", R"({"queueDatas":[{"brokerName":"","readQueueNums":1,"perm":6}]})", R"({"queueDatas":[{"brokerName":"b","readQueueNums":-1,"perm":6}]})"}) {
    pass_ms(TopicRoutes::kFreshMs);
    EXPECT_TRUE(find("T"));
    answer(link, sent(1).opaque, 0, "", "", damaged);
    EXPECT_EQ("b:4 c:2 ", routes.back()) << damaged;
  }
  pass_ms(TopicRoutes::kFreshMs);
  EXPECT_TRUE(find("T"));
  answer(link, sent(1).opaque, kSystemError, "busy");
  EXPECT_EQ("b:4 c:2 ", routes.back());
  pass_ms(TopicRoutes::kFreshMs);
  EXPECT_TRUE(find("T"));
  net.take(1);
  link->on_close(GANTRY_OK);
  EXPECT_EQ("b:4 c:2 ", routes.back()) << "connection lost";
  EXPECT_EQ(10u, routes.size()) << "each asker is told once";
}

TEST_F(RegistrarTest, ATopicThatNobodyRegisteredIsNowhereElse) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  EXPECT_TRUE(find("T"));
  answer(link, sent(1).opaque, kTopicNotExist, "No topic route info in name server for the topic: T");
  EXPECT_EQ("", routes.back());
}

TEST_F(RegistrarTest, RoutesAndRegistrationsDoNotWaitForEachOther) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = accept(1);
  const ReplyText registration = sent(1);
  EXPECT_TRUE(find("T"));
  const ReplyText question = sent(1);
  answer(link, question.opaque, 0, "", "", route_of());
  EXPECT_EQ(1u, routes.size());
  EXPECT_FALSE(registrar->registered_anywhere());
  answer(link, registration.opaque);
  EXPECT_TRUE(registrar->registered_everywhere());
}

TEST_F(RegistrarTest, SoManyWaitForRoutesAndNoMore) {
  ASSERT_TRUE(start().ok());
  registered();
  for (std::size_t i = 0; i < TopicRoutes::kMaxWaiting; ++i) ASSERT_TRUE(find("T"));
  EXPECT_FALSE(find("U"));
  host.on_control([this] { registrar->stop(); });
  EXPECT_TRUE(routes.empty());
}

TEST_F(RegistrarTest, RefusesMalformedAddresses) {
  EXPECT_EQ("nameservers: \"10.0.0.1\" is not host:port; write for example \"10.0.0.1:9876\"", start({"10.0.0.1"}).error().text);
  EXPECT_EQ(GANTRY_E_CONFIG, start({"10.0.0.1:9876"}, "nowhere").error().code);
  EXPECT_TRUE(net.connects.empty());
}

TEST_F(RegistrarTest, WithoutNameServersThereIsNothingToDo) {
  ASSERT_TRUE(start({}).ok());
  EXPECT_TRUE(net.connects.empty());
  EXPECT_TRUE(registrar->registered_everywhere());
  EXPECT_FALSE(registrar->registered_anywhere());
}

TEST_F(RegistrarTest, RegistersAgainEveryPeriod) {
  ASSERT_TRUE(start().ok());
  registered();
  pass_ms(29'999);
  EXPECT_EQ("", net.take(1));
  pass_ms(1);
  EXPECT_EQ(kRegisterBroker, sent(1).code);
}

TEST_F(RegistrarTest, ChangedTopicsAreSentOncePerTurnAndOneAtATime) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  FakeBroker::topics.push_back({"NEW", 6, 1, 1, 0});
  ++FakeBroker::counter;
  registrar->topics_changed();
  registrar->topics_changed();
  EXPECT_EQ("", net.take(1)) << "not before the turn ends";
  host.turn();
  const ReplyText first = sent(1);
  ASSERT_EQ(kRegisterBroker, first.code);
  EXPECT_NE(std::string::npos, first.body.find("\"NEW\""));
  FakeBroker::topics.push_back({"NEWER", 6, 1, 1, 0});
  ++FakeBroker::counter;
  registrar->topics_changed();
  host.turn();
  EXPECT_EQ("", net.take(1)) << "the first is not answered yet";
  answer(link, first.opaque);
  EXPECT_NE(std::string::npos, sent(1).body.find("\"NEWER\""));
}

TEST_F(RegistrarTest, VeryManyTopicsAreNotSentAgainWhileTheNameServerHasThem) {
  for (int i = 0; i < 8000; ++i) FakeBroker::topics.push_back({"topic-with-a-name-" + std::to_string(i), 6, 4, 4, 0});
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  pass_ms(30'000);
  ReplyText query = sent(1);
  EXPECT_EQ(kQueryDataVersion, query.code);
  EXPECT_EQ(R"({"counter":3,"timestamp":1700000000000})", query.body);
  EXPECT_EQ((ExtFields{{"brokerName", "broker-a"}, {"brokerAddr", "10.0.0.5:10911"}, {"clusterName", "C"}, {"brokerId", "0"}}), query.ext);
  answer(link, query.opaque, 0, "", "false");
  EXPECT_EQ("", net.take(1));
  pass_ms(30'000);
  query = sent(1);
  ASSERT_EQ(kQueryDataVersion, query.code);
  answer(link, query.opaque, 0, "", "true");
  const ReplyText again = sent(1);
  EXPECT_EQ(kRegisterBroker, again.code) << "the name server has something else";
  answer(link, again.opaque);
  pass_ms(30'000);
  query = sent(1);
  ASSERT_EQ(kQueryDataVersion, query.code);
  answer(link, query.opaque, 3, "request type not supported");
  EXPECT_EQ(kRegisterBroker, sent(1).code) << "or does not know the request";
}

TEST_F(RegistrarTest, ChangesDuringAQuestionAreRegisteredAfterIt) {
  for (int i = 0; i < 8000; ++i) FakeBroker::topics.push_back({"topic-with-a-name-" + std::to_string(i), 6, 4, 4, 0});
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  pass_ms(30'000);
  const ReplyText query = sent(1);
  ++FakeBroker::counter;
  registrar->topics_changed();
  host.turn();
  EXPECT_EQ("", net.take(1));
  answer(link, query.opaque, 0, "", "false");
  EXPECT_EQ(kRegisterBroker, sent(1).code);
}

TEST_F(RegistrarTest, TheBrokersPermissionMasksThatOfTopics) {
  FakeBroker::perm = 4;
  ASSERT_TRUE(start().ok());
  NameServerLink *registrar_link = accept(1);
  const ReplyText request = sent(1);
  const std::string body = request.body;
  EXPECT_NE(std::string::npos, body.find(R"("perm":4,"readQueueNums":4)"));
  EXPECT_NE(std::string::npos, body.find(R"("perm":5,"readQueueNums":8)")) << "inherit is no right";
  FakeBroker::perm = 6;
  registrar->topics_changed();
  answer(registrar_link, request.opaque);
  EXPECT_NE(std::string::npos, sent(1).body.find(R"("perm":6,"readQueueNums":4)")) << "a change of the permission alone is sent too";
}

TEST_F(RegistrarTest, RetriesWithGrowingDelaysAndComplainsOnceAMinute) {
  ASSERT_TRUE(start().ok());
  for (const std::int64_t delay : {1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
    refuse_connect();
    pass_ms(delay - 1);
    EXPECT_TRUE(net.connects.empty());
    pass_ms(1);
    ASSERT_EQ(1u, net.connects.size()) << delay;
  }
  std::size_t lines = 0;
  for (const std::string &line : host.log_lines()) lines += line.find("name server 10.0.0.1:9876 is not reachable: Connection refused") != std::string::npos;
  EXPECT_EQ(2u, lines) << "91 s have passed";
  registered();
  EXPECT_TRUE(registrar->registered_anywhere());
}

TEST_F(RegistrarTest, ALostConnectionIsMadeAgainAtOnce) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  link->on_close(GANTRY_E_IO);
  EXPECT_FALSE(registrar->registered_anywhere());
  EXPECT_TRUE(host.logged("lost the connection to name server 10.0.0.1:9876"));
  pass_ms(100);
  ASSERT_EQ(1u, net.connects.size());
  refuse_connect();
  pass_ms(1000);
  ASSERT_EQ(1u, net.connects.size());
  registered(2);
  EXPECT_TRUE(registrar->registered_anywhere());
  EXPECT_TRUE(host.logged("registered again at name server"));
}

TEST_F(RegistrarTest, ANameServerThatDoesNotAnswerIsLeft) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = accept(1);
  pass_ms(9'999);
  EXPECT_FALSE(net.output(1).closed);
  pass_ms(1);
  EXPECT_TRUE(net.output(1).closed);
  link->on_close(GANTRY_OK);
  pass_ms(1000);
  EXPECT_EQ(1u, net.connects.size());
}

TEST_F(RegistrarTest, ARefusedRegistrationIsRepeated) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = accept(1);
  answer(link, sent(1).opaque, 1, "register broker failed");
  EXPECT_FALSE(registrar->registered_anywhere());
  EXPECT_TRUE(host.logged("refused this broker's registration with code 1 (register broker failed)"));
  pass_ms(1000);
  answer(link, sent(1).opaque);
  EXPECT_TRUE(registrar->registered_anywhere());
}

TEST_F(RegistrarTest, AnswersToOtherRequestsAndRequestsAreIgnored) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = accept(1);
  const int opaque = sent(1).opaque;
  answer(link, opaque + 1);
  EXPECT_FALSE(registrar->registered_anywhere());
  const std::string request = frame_of({.code = 905, .opaque = opaque, .flag = 2});
  std::uint32_t consumed = 0, need = 0;
  EXPECT_EQ(GANTRY_OK, link->on_bytes(reinterpret_cast<const std::uint8_t *>(request.data()), static_cast<std::uint32_t>(request.size()), &consumed, &need));
  EXPECT_FALSE(registrar->registered_anywhere());
  EXPECT_EQ(GANTRY_E_CORRUPT, link->on_bytes(reinterpret_cast<const std::uint8_t *>("HTTP/1.1 400 Bad"), 16, &consumed, &need));
}

TEST_F(RegistrarTest, EveryNameServerHasItsOwnConnection) {
  ASSERT_TRUE(start({"10.0.0.1:9876", "[::1]:9876"}).ok());
  ASSERT_EQ(2u, net.connects.size());
  EXPECT_EQ("[::1]:9876", net.connects[1].address);
  registered(1);
  EXPECT_TRUE(registrar->registered_anywhere());
  EXPECT_FALSE(registrar->registered_everywhere());
  registered(2);
  EXPECT_TRUE(registrar->registered_everywhere());
  EXPECT_FALSE(registrar->owns(1));
}

TEST_F(RegistrarTest, DrainSaysGoodByeAndConnectsNoMore) {
  ASSERT_TRUE(start().ok());
  NameServerLink *link = registered();
  link->on_drain();
  const ReplyText request = sent(1);
  EXPECT_EQ(kUnregisterBroker, request.code);
  EXPECT_EQ((ExtFields{{"brokerName", "broker-a"}, {"brokerAddr", "10.0.0.5:10911"}, {"clusterName", "C"}, {"brokerId", "0"}}), request.ext);
  EXPECT_TRUE(net.output(1).closed);
  EXPECT_EQ(GANTRY_CLOSE_AFTER_FLUSH, net.output(1).how);
  EXPECT_FALSE(registrar->registered_anywhere());
  link->on_close(GANTRY_OK);
  registrar->topics_changed();
  pass_ms(120'000);
  EXPECT_TRUE(net.connects.empty());
  EXPECT_EQ("", net.take(1));
}

TEST_F(RegistrarTest, AConnectionThatComesAfterStopIsNotWanted) {
  ASSERT_TRUE(start().ok());
  host.on_control([this] { registrar->stop(); });
  EXPECT_EQ(nullptr, accept(1));
}

TEST_F(RegistrarTest, AConnectionThatTakesNothingIsClosed) {
  ASSERT_TRUE(start().ok());
  net.full = true;
  NameServerLink *link = accept(1);
  ASSERT_NE(nullptr, link);
  EXPECT_TRUE(net.output(1).closed);
  link->on_close(GANTRY_OK);
  net.full = false;
  pass_ms(1000);
  registered(2);
  EXPECT_TRUE(registrar->registered_anywhere());
}

}  // namespace
}  // namespace gantry::test
