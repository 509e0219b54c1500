// Shutdown: polite, under load, and at the deadline.
#include <gtest/gtest.h>

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>
#include <thread>

#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

class Drain : public testing::TestWithParam<std::uint32_t> {
 protected:
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Drain, testing::Values(1u, 4u));

TEST_P(Drain, SaysGoodbyeThenClosesAndAcceptsNoMore) {
  f.protocol.drain_goodbye = 1;
  f.start();
  std::vector<Client> clients(10);
  for (auto &c : clients) ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 10; }));
  f.set->begin_drain(5'000);
  f.set->begin_drain(5'000);
  EXPECT_TRUE(f.set->wait_drained());
  for (auto &c : clients) {
    EXPECT_EQ(c.read_frame(), "bye");
    EXPECT_TRUE(c.at_end());
  }
  EXPECT_EQ(f.protocol.drained, 10);
  EXPECT_EQ(f.protocol.closed, 10);
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_CLOSED);
  Client late;
  EXPECT_FALSE(late.connect(f.port()));
  EXPECT_EQ(f.set->listen(f.listen).error().code, GANTRY_E_CLOSED);
  const auto *net = table_of<gantry_net_v1>(f.protocol.host, GANTRY_NET_ID);
  EXPECT_EQ(net->connect(&f.protocol.host.abi, 0, str("127.0.0.1:1"), 0, 0), GANTRY_E_CLOSED);
}

TEST_P(Drain, UnderLoadEveryAnswerThatBeganArrivesWhole) {
  f.start();
  std::atomic<bool> go{true};
  std::atomic<int> whole{0}, broken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Client c;
      if (!c.connect(f.port())) return;
      const std::string payload = "E" + std::string(50'000, 'd');
      while (go && c.send_frame(payload)) {
        const std::string head = c.read(4);
        if (head.empty()) break;
        (head.size() == 4 && c.read(load_be32(head.data())) == payload ? whole : broken) += 1;
      }
    });
  ASSERT_TRUE(eventually([&] { return whole > 50; }));
  f.set->begin_drain(5'000);
  EXPECT_TRUE(f.set->wait_drained());
  go = false;
  for (auto &t : threads) t.join();
  EXPECT_EQ(broken, 0);
}

TEST_P(Drain, APeerThatDoesNotReadIsClosedAtTheDeadline) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 4096));
  std::string payload = "B    ";
  store_be32(payload.data() + 1, 32 << 20);
  ASSERT_TRUE(c.send_frame(payload));
  ASSERT_TRUE(eventually([&] { return f.protocol.input_bytes == 9; }));
  f.set->begin_drain(200);
  EXPECT_FALSE(f.set->wait_drained());
  EXPECT_TRUE(eventually([&] { return f.protocol.closed == 1; }));
}

TEST_P(Drain, WithoutConnectionsItIsImmediate) {
  f.start();
  f.set->begin_drain(60'000);
  EXPECT_TRUE(f.set->wait_drained());
}

TEST_P(Drain, StopWithoutDrainClosesEverything) {
  f.start();
  std::vector<Client> clients(20);
  for (auto &c : clients) ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 20; }));
  f.set->stop();
  EXPECT_EQ(f.protocol.closed, 20);
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_CLOSED);
  for (auto &c : clients) EXPECT_TRUE(c.at_end());
}

}  // namespace
}  // namespace gantry::io::test
