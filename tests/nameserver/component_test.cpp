// The component as the kernel sees it: framing, forms of headers, liveness by connection and by time, several shards, hostile peers.
#include "codec/codes.hpp"
#include "nameserver/component.hpp"
#include "server.hpp"

#include <gtest/gtest.h>

namespace gantry::test {
namespace {

using namespace gantry::remoting;

RequestText registration(const std::string &name, const std::string &address, ExtFields more = {}) {
  more.merge(ExtFields{{"clusterName", "C"}, {"brokerName", name}, {"brokerAddr", address}, {"brokerId", "0"}, {"haServerAddr", address}});
  return {.code = kRegisterBroker, .ext = more, .body = R"({"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{}}}})"};
}
const RequestText kAskRoute{.code = kGetRouteinfoByTopic, .ext = {{"topic", "T"}}, .opaque = 7};

TEST(Nameserver, DescribesItself) {
  gantry_protocol_description description{};
  static_cast<const gantry_protocol_v1 *>(kNameserverComponent.vtable)->describe(nullptr, &description);
  EXPECT_EQ(9876u, description.default_port);
  EXPECT_EQ(0u, description.n_extra_ports);
  EXPECT_STREQ(GANTRY_PROTOCOL_ID, kNameserverComponent.interface_id);
}

TEST(Nameserver, WorksWithoutABrokerInTheProcess) {
  Server server;
  ASSERT_EQ(nullptr, server.host.abi()->query(server.host.abi(), "gantry.broker.draft/1"));
  EXPECT_EQ(kTopicNotExist, server.ask(server.open(), kAskRoute).code);
}

TEST(Nameserver, RefusesAKernelWithoutNetwork) {
  FakeHost host;
  FakeConfig config(kNameserverComponent, {});
  gantry_error error{};
  void *self = nullptr;
  std::int32_t code = GANTRY_OK;
  host.on_control([&] { code = kNameserverComponent.create(host.abi(), config.abi(), &self, &error); });
  EXPECT_EQ(GANTRY_E_UNSUPPORTED, code);
  EXPECT_STREQ("nameserver: this kernel lacks the table gantry.net.draft/1; use a newer kernel", error.text);
}

TEST(Nameserver, AnswersFramesInPiecesAndInHeaps) {
  Server server;
  const gantry_conn conn = server.open();
  const std::string frame = frame_of(kAskRoute);
  for (std::size_t i = 0; i + 1 < frame.size(); ++i) {
    ASSERT_EQ(GANTRY_OK, server.feed(conn, frame.substr(i, 1)));
    ASSERT_EQ(i + 1 < 4 ? 0u : frame.size(), server.need);
  }
  EXPECT_EQ("", server.net.take(conn));
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frame.substr(frame.size() - 1) + frame + frame + frame.substr(0, 9)));
  EXPECT_EQ(frame.size(), server.need);
  const auto replies = read_frames(server.net.take(conn));
  ASSERT_EQ(3u, replies.size());
  for (const ReplyText &reply : replies) EXPECT_EQ(kTopicNotExist, reply.code);
}

TEST(Nameserver, AnswersBinaryHeadersInBinary) {
  Server server;
  const gantry_conn conn = server.open();
  RequestText request = registration("a", "10.0.0.1:10911");
  request.binary = true;
  ReplyText reply = server.ask(conn, request);
  EXPECT_TRUE(reply.binary);
  EXPECT_EQ(0, reply.code);
  request = kAskRoute;
  request.binary = true;
  reply = server.ask(conn, request);
  EXPECT_TRUE(reply.binary);
  EXPECT_EQ(0, reply.code);
  EXPECT_EQ(409, reply.version);
  EXPECT_NE(std::string::npos, reply.body.find("10.0.0.1:10911"));
  EXPECT_FALSE(server.ask(conn, kAskRoute).binary);
}

TEST(Nameserver, OnewayRequestsAndResponsesGetNoAnswer) {
  Server server;
  const gantry_conn conn = server.open();
  RequestText request = registration("a", "10.0.0.1:10911");
  request.flag = 2;
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frame_of(request)));
  request = {.code = 9999, .flag = 2};
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frame_of(request)));
  request = {.code = 0, .flag = 1};
  ASSERT_EQ(GANTRY_OK, server.feed(conn, frame_of(request)));
  EXPECT_EQ("", server.net.take(conn));
  EXPECT_EQ(0, server.ask(conn, kAskRoute).code) << "the oneway registration took effect";
}

TEST(Nameserver, ClosesPeersThatDoNotSpeakTheProtocol) {
  Server server;
  EXPECT_EQ(GANTRY_E_CORRUPT, server.feed(server.open(), "GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(GANTRY_E_CORRUPT, server.feed(server.open(), json_frame("{\"code\":", "")));
  EXPECT_EQ(GANTRY_E_CORRUPT, server.feed(server.open(), std::string(8, '\0')));
  EXPECT_EQ(kTopicNotExist, server.ask(server.open(), kAskRoute).code);
}

TEST(Nameserver, ClosesAPeerThatDoesNotReadItsAnswers) {
  Server server;
  const gantry_conn conn = server.open();
  server.net.full = true;
  EXPECT_EQ(GANTRY_E_LIMIT, server.feed(conn, frame_of(kAskRoute)));
}

TEST(Nameserver, ABrokersConnectionIsItsLife) {
  Server server;
  const gantry_conn client = server.open(), broker = server.open(), other = server.open();
  ASSERT_EQ(0, server.ask(broker, registration("a", "10.0.0.1:10911")).code);
  server.close(other);
  EXPECT_EQ(0, server.ask(client, kAskRoute).code);
  server.close(broker);
  EXPECT_EQ(kTopicNotExist, server.ask(client, kAskRoute).code);
  EXPECT_TRUE(server.host.logged("broker a (id 0, 10.0.0.1:10911) left the routes: its connection was closed"));
}

TEST(Nameserver, ASilentBrokerLeavesAfter120Seconds) {
  Server server;
  const gantry_conn conn = server.open();
  ASSERT_EQ(0, server.ask(conn, registration("a", "10.0.0.1:10911")).code);
  const auto pass = [&server](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      server.host.advance_ms(1000);
      server.host.turn();
    }
  };
  pass(119);
  EXPECT_EQ(0, server.ask(conn, kAskRoute).code);
  ASSERT_EQ(0, server.ask(conn, registration("a", "10.0.0.1:10911")).code);
  pass(119);
  EXPECT_EQ(0, server.ask(conn, kAskRoute).code) << "registering again refreshes";
  RequestText heartbeat = registration("a", "10.0.0.1:10911");
  heartbeat.code = kBrokerHeartbeat;
  ASSERT_EQ(0, server.ask(conn, heartbeat).code);
  pass(119);
  EXPECT_EQ(0, server.ask(conn, kAskRoute).code) << "so does a heartbeat";
  pass(7);
  EXPECT_EQ(kTopicNotExist, server.ask(conn, kAskRoute).code);
  EXPECT_TRUE(server.host.logged("left the routes: no registration for"));
  ASSERT_EQ(0, server.ask(conn, registration("a", "10.0.0.1:10911")).code);
  EXPECT_EQ(0, server.ask(conn, kAskRoute).code) << "it can come back on the same connection";
}

TEST(Nameserver, TheTimeoutIsConfiguredAndABrokerMayAskForAnother) {
  Server server(ConfigTexts{{"broker_timeout", "20s"}});
  const gantry_conn conn = server.open();
  ASSERT_EQ(0, server.ask(conn, registration("a", "10.0.0.1:10911")).code);
  ASSERT_EQ(0, server.ask(conn, registration("b", "10.0.0.2:10911", {{"heartbeatTimeoutMillis", "60000"}})).code);
  for (int i = 0; i < 6; ++i) {
    server.host.advance_ms(5000);
    server.host.turn();
  }
  const std::string body = server.ask(conn, kAskRoute).body;
  EXPECT_EQ(std::string::npos, body.find("10.0.0.1"));
  EXPECT_NE(std::string::npos, body.find("10.0.0.2"));
}

TEST(Nameserver, ShardsShareOneTable) {
  Server server(ConfigTexts{}, 3);
  const gantry_conn broker = server.open(2), client = server.open(1);
  ASSERT_EQ(0, server.ask(broker, registration("a", "10.0.0.1:10911")).code);
  EXPECT_EQ(0, server.ask(client, kAskRoute).code);
  server.close(broker);
  EXPECT_EQ(kTopicNotExist, server.ask(client, kAskRoute).code);
}

TEST(Nameserver, AFloodOfLogLinesIsCut) {
  Server server;
  const gantry_conn conn = server.open();
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(0, server.ask(conn, registration("b" + std::to_string(i), "10.0.0.1:" + std::to_string(1000 + i))).code);
  }
  EXPECT_LE(server.host.log_lines().size(), 20u);
  server.host.advance_ms(1000);
  ASSERT_EQ(0, server.ask(conn, registration("late", "10.0.0.2:1")).code);
  EXPECT_TRUE(server.host.logged("180 more such lines were left out"));
}

TEST(Nameserver, CountsRequestsAndRefusals) {
  Server server;
  const gantry_conn conn = server.open();
  ASSERT_EQ(0, server.ask(conn, registration("a", "10.0.0.1:10911")).code);
  ASSERT_EQ(3, server.ask(conn, {.code = 9999}).code);
  EXPECT_EQ(2u, server.host.metric("nameserver_requests_total"));
  EXPECT_EQ(1u, server.host.metric("nameserver_refused_requests_total"));
}

}  // namespace
}  // namespace gantry::test
