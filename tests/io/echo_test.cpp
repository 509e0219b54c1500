// Frames in, frames out: framing, order, large frames, back-pressure by E_AGAIN, closing.
#include <gtest/gtest.h>

#include <thread>

#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

class Echo : public testing::TestWithParam<std::uint32_t> {
 protected:
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Echo, testing::Values(1u, 4u));

TEST_P(Echo, AnswersAFrame) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.send_frame("Ehello"));
  EXPECT_EQ(c.read_frame(), "Ehello");
  const auto info = f.protocol.last_info();
  EXPECT_EQ(info.peer_ip_bytes, 4u);
  EXPECT_EQ(info.peer_ip[0], 127);
  EXPECT_EQ(info.local_port, f.port());
  EXPECT_EQ(f.protocol.last_peer(), "127.0.0.1:" + std::to_string(info.peer_port));
  c.close();
  EXPECT_TRUE(eventually([&] { return f.protocol.closed == 1; }));
  EXPECT_EQ(f.protocol.last_reason, GANTRY_OK);
  EXPECT_EQ(f.set->stats().closed_by_peer, 1u);
}

TEST_P(Echo, DribbleOfSingleBytes) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  const std::string bytes = frame("Efirst") + frame("N" + std::string(100, 'x')) + frame("Elast");
  for (const char byte : bytes) ASSERT_TRUE(c.send(std::string_view(&byte, 1)));
  EXPECT_EQ(c.read_frame(), "Efirst");
  EXPECT_EQ(c.read_frame(), "N" + std::string(100, 'x'));
  EXPECT_EQ(c.read_frame(), "Elast");
}

TEST_P(Echo, LargeFramesPassInBothDirections) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  std::string big = "E";
  for (int i = 0; i < 8 << 20; ++i) big.push_back(static_cast<char>(i * 7));
  std::thread writer([&] {
    EXPECT_TRUE(c.send_frame(big));
    EXPECT_TRUE(c.send_frame("Eafter"));
  });
  EXPECT_TRUE(c.read_frame() == big);
  EXPECT_EQ(c.read_frame(), "Eafter");
  writer.join();
  // Growing by what arrived, not frame by frame over all bytes again.
  EXPECT_LT(f.protocol.on_bytes_calls.load(), 1000u);
}

TEST_P(Echo, PipelinedFramesOfAllSizesKeepTheirOrder) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  std::vector<std::string> sent;
  std::string all;
  for (std::size_t i = 0; i < 600; ++i) {
    sent.push_back((i % 3 == 0 ? "N" : "E") + std::string(i * i % 60000, static_cast<char>('a' + i % 26)));
    if (sent.back().size() > 60000) sent.back()[0] = 'E';
    all += frame(sent.back());
  }
  std::thread writer([&] { EXPECT_TRUE(c.send(all)); });
  for (const auto &wanted : sent) ASSERT_TRUE(c.read_frame() == wanted);
  writer.join();
}

TEST_P(Echo, ManyConnectionsOverAllShards) {
  f.start();
  std::vector<Client> clients(200);
  for (auto &c : clients) ASSERT_TRUE(c.connect(f.port()));
  for (std::size_t i = 0; i < clients.size(); ++i) ASSERT_TRUE(clients[i].send_frame("E" + std::to_string(i)));
  for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(clients[i].read_frame(), "E" + std::to_string(i));
  std::vector<int> per_shard(GetParam());
  for (const gantry_conn id : f.protocol.connections()) ++per_shard.at(id >> 56);
  for (const int n : per_shard) EXPECT_EQ(n, static_cast<int>(200 / GetParam()));
  EXPECT_EQ(f.set->stats().connections, 200u);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return f.set->stats().connections == 0; }));
}

TEST_P(Echo, AnswersFromCompletionsAndFromPosts) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(c.send_frame("Q" + std::to_string(i)));
    ASSERT_EQ(c.read_frame(), "Q" + std::to_string(i));
    ASSERT_TRUE(c.send_frame("S" + std::to_string(i)));
    ASSERT_EQ(c.read_frame(), "S" + std::to_string(i));
  }
}

TEST_P(Echo, AgainIsRetriedAfterACompletionAndKeepsTheOrder) {
  f.protocol.gate = false;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.send(frame("Ebefore") + frame("Astalled") + frame("Eafter")));
  EXPECT_EQ(c.read_frame(), "Ebefore");
  EXPECT_TRUE(eventually([&] { return f.protocol.again_answers > 0; }));
  ASSERT_TRUE(c.send_frame("Elater"));
  f.protocol.gate = true;
  Client other;  // its completion is what the stalled one waits for
  ASSERT_TRUE(other.connect(f.port()));
  ASSERT_TRUE(other.send_frame("Qgo"));
  EXPECT_EQ(other.read_frame(), "Qgo");
  EXPECT_EQ(c.read_frame(), "Astalled");
  EXPECT_EQ(c.read_frame(), "Eafter");
  EXPECT_EQ(c.read_frame(), "Elater");
}

TEST_P(Echo, StalledConnectionIsNotReadMeanwhile) {
  f.protocol.gate = false;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.send_frame("Astalled"));
  EXPECT_TRUE(eventually([&] { return f.protocol.again_answers > 0; }));
  const std::uint64_t before = f.set->stats().bytes_in;
  ASSERT_TRUE(c.send_frame("E" + std::string(100'000, 'z')));
  EXPECT_TRUE(eventually([&] { return f.protocol.again_answers > 5; }));
  EXPECT_EQ(f.set->stats().bytes_in, before);
  f.protocol.gate = true;
  EXPECT_EQ(c.read_frame(), "Astalled");
  EXPECT_EQ(c.read_frame().size(), 100'001u);
}

TEST_P(Echo, CloseAfterFlushSendsEverythingFirst) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  const std::string payload = "C" + std::string(6 << 20, 'c');
  std::thread writer([&] { EXPECT_TRUE(c.send_frame(payload)); });
  EXPECT_TRUE(c.read_frame() == payload);
  writer.join();
  EXPECT_TRUE(c.at_end());
  EXPECT_TRUE(eventually([&] { return f.protocol.closed == 1; }));
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_CLOSED);
}

TEST_P(Echo, CloseNowAndRefusedInputEndTheConnection) {
  f.start();
  Client now, refused;
  ASSERT_TRUE(now.connect(f.port()));
  ASSERT_TRUE(now.send(frame("X") + frame("Enever")));
  EXPECT_TRUE(now.at_end());
  ASSERT_TRUE(refused.connect(f.port()));
  ASSERT_TRUE(refused.send(frame("Eone") + frame("R") + frame("Enever")));
  EXPECT_EQ(refused.read_frame(), "Eone");
  EXPECT_TRUE(refused.at_end());
  EXPECT_TRUE(eventually([&] { return f.protocol.closed == 2; }));
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_CORRUPT);
}

TEST_P(Echo, RefusedOpenIsClosedWithoutConnClose) {
  f.protocol.open_answer = GANTRY_E_DENIED;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  EXPECT_TRUE(c.at_end());
  EXPECT_EQ(f.protocol.opened, 0);
  EXPECT_EQ(f.protocol.closed, 0);
}

TEST_P(Echo, CallsFromTheWrongThreadAndForStaleConnectionsAreRefused) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 1; }));
  const gantry_conn id = f.protocol.connections().at(0);
  const auto *net = table_of<gantry_net_v1>(f.protocol.host, GANTRY_NET_ID);
  EXPECT_EQ(net->send(&f.protocol.host.abi, id, nullptr, 0), GANTRY_E_INVALID);
  EXPECT_EQ(net->reserve(&f.protocol.host.abi, id, 10), nullptr);
  c.close();
  ASSERT_TRUE(eventually([&] { return f.protocol.closed == 1; }));
  struct Late {
    Fixture *f;
    gantry_conn id;
    std::atomic<std::int32_t> code{0};
  } late{&f, id, {}};
  const auto *exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
  ASSERT_EQ(exec->post(&f.protocol.host.abi, static_cast<std::uint32_t>(id >> 56), [](void *arg) noexcept {
    auto *l = static_cast<Late *>(arg);
    const auto *table = table_of<gantry_net_v1>(l->f->protocol.host, GANTRY_NET_ID);
    l->code = table->send(&l->f->protocol.host.abi, l->id, nullptr, 0);
  }, &late), GANTRY_OK);
  EXPECT_TRUE(eventually([&] { return late.code == GANTRY_E_CLOSED; }));
}

TEST_P(Echo, EventsReachTheOwnerOnTheConnectionsShard) {
  f.start();
  std::vector<Client> clients(8);
  for (auto &c : clients) ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 8; }));
  for (const gantry_conn id : f.protocol.connections()) {
    gantry_event event{};
    event.kind = GANTRY_EVENT_CONSUMERS_CHANGED;
    event.conn = id;
    f.set->send_event(id, event);
  }
  ASSERT_TRUE(eventually([&] { return f.protocol.events().size() == 8; }));
  for (const auto &seen : f.protocol.events()) EXPECT_EQ(seen.shard, seen.event.conn >> 56);
  gantry_event changed{};
  changed.kind = GANTRY_EVENT_TOPICS_CHANGED;
  f.set->send_event_to_all(changed);
  ASSERT_TRUE(eventually([&] { return f.protocol.events().size() == 9; }));
  EXPECT_EQ(f.protocol.events().back().shard, 0u);
  EXPECT_EQ(f.protocol.events().back().event.kind, GANTRY_EVENT_TOPICS_CHANGED);

  // Within one turn equal ones become one.
  const auto *exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
  ASSERT_EQ(exec->post(&f.protocol.host.abi, 0, [](void *set) noexcept {
    gantry_event event{};
    event.kind = GANTRY_EVENT_TOPICS_CHANGED;
    for (int i = 0; i < 5; ++i) static_cast<ShardSet *>(set)->send_event_to_all(event);
    event.subject = 1;
    static_cast<ShardSet *>(set)->send_event_to_all(event);
  }, f.set.get()), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return f.protocol.events().size() == 11; }));
  EXPECT_EQ(f.protocol.events().back().event.subject, 1u);
}

TEST_P(Echo, EventsForConnectionsThatAreGoneAreDropped) {
  f.start();
  gantry_event event{};
  event.kind = GANTRY_EVENT_CONSUMERS_CHANGED;
  f.set->send_event(0, event);
  f.set->send_event(gantry_conn{1} << 24 | 5, event);
  f.set->send_event(gantry_conn{200} << 56 | 1, event);  // no such shard
  event.kind = GANTRY_EVENT_TOPICS_CHANGED;
  f.set->send_event_to_all(event);
  ASSERT_TRUE(eventually([&] { return f.protocol.events().size() == 1; }));
  EXPECT_EQ(f.protocol.events().at(0).event.kind, GANTRY_EVENT_TOPICS_CHANGED);
}

}  // namespace
}  // namespace gantry::io::test
