// Damaged frames and several threads at once: nothing a peer sends stops the server or breaks its tables. Run under the sanitizers.
#include "codec/codes.hpp"
#include "nameserver/service.hpp"
#include "server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace gantry::test {
namespace {

using namespace gantry::remoting;

const ExtFields kBroker{{"clusterName", "C"}, {"brokerName", "a"}, {"brokerAddr", "10.0.0.1:10911"}, {"brokerId", "0"},
                        {"haServerAddr", "10.0.0.1:10912"}, {"topic", "T"}, {"namespace", "n"}, {"key", "k"}, {"value", "v"}};

std::string registration_body() { return R"({"topicConfigSerializeWrapper":{"dataVersion":{"counter":1},"topicConfigTable":{"T":{perm:6}}}})"; }

TEST(Hostile, EveryDamagedByteOfARequestIsHandled) {
  Server server;
  const gantry_conn honest = server.open();
  std::size_t refused = 0, answered = 0;
  for (const bool binary : {false, true}) {
    const std::string whole = frame_of({.code = kRegisterBroker, .ext = kBroker, .body = registration_body(), .binary = binary});
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
        const gantry_conn conn = server.open();
        const std::int32_t code = server.feed(conn, damaged);
        ASSERT_TRUE(code == GANTRY_OK || code == GANTRY_E_CORRUPT) << code;
        refused += code != GANTRY_OK;
        answered += !server.net.take(conn).empty();
        server.close(conn);
      }
    }
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(answered, 1000u);
  EXPECT_EQ(R"({"brokerAddrTable":{},"clusterAddrTable":{}})", server.ask(honest, {.code = kGetBrokerClusterInfo}).body)
      << "all damaged registrations left with their connections";
}

TEST(Hostile, EveryRequestWithoutItsFieldsIsAnswered) {
  Server server;
  const gantry_conn conn = server.open();
  for (int code = 0; code < 1000; ++code) {
    for (const char *body : {"", "{}", "[]", "null", "{", "\x78\x9c"}) {
      const ReplyText reply = server.ask(conn, {.code = code, .body = body});
      ASSERT_GE(reply.code, 0) << "no answer to " << code << " with body " << body;
    }
  }
}

TEST(Hostile, ThreadsShareTheTables) {
  nameserver::Service service({});
  constexpr int kThreads = 4, kRounds = 300;
  std::atomic<int> found{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&service, &found, &refused, t] {
      const std::string address = "10.0.0." + std::to_string(t + 1) + ":10911", name = "b" + std::to_string(t);
      nameserver::Caller caller{.conn = static_cast<gantry_conn>(t + 1), .local_port = 0, .peer = "test", .registered = false};
      json::Document document;
      nameserver::Reply reply;
      Header header;
      const auto ask = [&](int code, std::string_view body) {
        header.clear();
        header.code = code;
        header.version = kVersion;
        for (const auto &[key, value] : {std::pair<std::string_view, std::string_view>{"clusterName", "C"}, {"brokerName", name},
                                         {"brokerAddr", address}, {"brokerId", "0"}, {"topic", "T"}}) {
          EXPECT_TRUE(header.add(key, value));
        }
        reply.clear();
        service.handle(header, body, caller, document, 0, reply);
        return reply.code;
      };
      for (int i = 0; i < kRounds; ++i) {
        refused += ask(kRegisterBroker, registration_body()) != kSuccess;
        found += ask(kGetRouteinfoByTopic, "") == kSuccess;
        refused += ask(kWipeWritePermOfBroker, "") != kSuccess;
        refused += ask(kGetAllTopicListFromNameserver, "") != kSuccess;
        if (i % 3 == 0) (void)service.conn_closed(caller.conn);
        if (i % 7 == 0) (void)service.expire(0);
      }
      (void)service.conn_closed(caller.conn);
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(0, refused);
  EXPECT_EQ(kThreads * kRounds, found) << "each thread's own broker serves the topic when it asks";
  EXPECT_TRUE(service.expire(1'000'000'000).empty()) << "nobody is left";
}

}  // namespace
}  // namespace gantry::test
