// Slow readers, idle peers, frames over the limit, too many connections, no descriptors left.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <gantry++/bytes.hpp>
#include <thread>

#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

class Limits : public testing::TestWithParam<std::uint32_t> {
 protected:
  static std::string big_request(std::uint32_t n) {
    std::string payload = "B    ";
    store_be32(payload.data() + 1, n);
    return frame(payload);
  }
  static void expect_big_reply(Client &c, std::uint32_t n) {
    const std::string reply = c.read_frame();
    ASSERT_EQ(reply.size(), n);
    for (std::uint32_t i = 0; i < n; i += 997) ASSERT_EQ(static_cast<std::uint8_t>(reply[i]), static_cast<std::uint8_t>(i * 31));
  }
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Limits, testing::Values(1u, 4u));

TEST_P(Limits, OwnedMemoryIsGivenBackThoughThePeerDoesNotRead) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 4096));
  ASSERT_TRUE(c.send(big_request(12 << 20)));
  ASSERT_TRUE(eventually([&] { return f.protocol.on_bytes_calls > 0 && f.protocol.owners_alive == 0; }));
  expect_big_reply(c, 12 << 20);
}

TEST_P(Limits, AboveTheSoftLimitThePeerIsNotReadUntilItTookHalf) {
  f.options.output_soft_bytes = 256 * 1024;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 4096));
  ASSERT_TRUE(c.send(big_request(12 << 20)));
  ASSERT_TRUE(eventually([&] { return f.protocol.input_bytes == 9; }));
  ASSERT_TRUE(c.send_frame("Eafter"));
  const std::uint64_t in = f.set->stats().bytes_in;
  EXPECT_FALSE(eventually([&] { return f.set->stats().bytes_in != in; }, std::chrono::milliseconds(100)));
  expect_big_reply(c, 12 << 20);
  EXPECT_EQ(c.read_frame(), "Eafter");
}

TEST_P(Limits, OverTheHardLimitSendSaysAgainButOnePieceAlwaysFits) {
  f.options.output_soft_bytes = 1 << 20;
  f.options.output_hard_bytes = 2 << 20;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 4096));
  ASSERT_TRUE(c.send(big_request(12 << 20) + big_request(1000) + frame("Erefused")));
  ASSERT_TRUE(eventually([&] { return f.protocol.send_refusals == 2; }));
  expect_big_reply(c, 12 << 20);
  ASSERT_TRUE(c.send_frame("Eagain"));
  EXPECT_EQ(c.read_frame(), "Eagain");
}

TEST_P(Limits, APeerThatTakesNothingIsClosedAsASlowReader) {
  f.options.write_stall_timeout_ms = 200;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 4096));
  ASSERT_TRUE(c.send(big_request(32 << 20)));
  ASSERT_TRUE(eventually([&] { return f.protocol.closed == 1; }));
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_TIMEOUT);
  EXPECT_EQ(f.set->stats().closed_slow_reader, 1u);
}

// It takes steadily, but so little that the socket is not writable again for longer than the timeout.
TEST_P(Limits, ASlowButSteadyReaderIsKept) {
  constexpr std::size_t kReply = (6u << 20) + 4, kStep = 64 * 1024;
  f.options.write_stall_timeout_ms = 300;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "127.0.0.1", 65536));
  ASSERT_TRUE(c.send(big_request(6 << 20)));
  for (std::size_t got = 0; got < kReply;) {
    const std::string part = c.read(std::min(kStep, kReply - got));
    ASSERT_FALSE(part.empty());
    got += part.size();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(f.set->stats().closed_slow_reader, 0u);
}

TEST_P(Limits, IdlePeersAreClosedAndBusyOnesAreNot) {
  f.listen.idle_timeout_ms = 150;
  f.start();
  Client idle, busy;
  ASSERT_TRUE(idle.connect(f.port()));
  ASSERT_TRUE(busy.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 2; }));
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(busy.send_frame("Ealive"));
    EXPECT_EQ(busy.read_frame(), "Ealive");
    return f.protocol.closed == 1;
  }));
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_TIMEOUT);
  EXPECT_EQ(f.set->stats().closed_idle, 1u);
}

TEST_P(Limits, AFrameOverTheLimitClosesAtOnceByItsClaimedLength) {
  f.protocol.description.max_input_bytes = 100'000;
  f.start();
  Client claims, fits;
  ASSERT_TRUE(fits.connect(f.port()));
  ASSERT_TRUE(fits.send_frame("E" + std::string(99'995, 'x')));
  EXPECT_EQ(fits.read_frame().size(), 99'996u);
  ASSERT_TRUE(claims.connect(f.port()));
  ASSERT_TRUE(claims.send(std::string("\0\x01\x86\x9d", 4)));  // 100'001 - 4 = 99'997, one too many
  EXPECT_TRUE(claims.at_end());
  EXPECT_EQ(f.set->stats().closed_limit, 1u);
  EXPECT_EQ(f.protocol.last_reason, GANTRY_E_LIMIT);
}

TEST_P(Limits, AListenerCanTightenTheFrameLimit) {
  f.listen.max_input_bytes = 1000;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.send(std::string("\0\0\x03\xe5", 4)));  // 997 + 4 bytes of length
  EXPECT_TRUE(c.at_end());
  EXPECT_EQ(f.set->stats().closed_limit, 1u);
}

TEST_P(Limits, ConnectionsOverTheLimitAreClosedAndTheSlotIsReused) {
  f.listen.max_connections = 2;
  f.start();
  Client first, second, third;
  ASSERT_TRUE(first.connect(f.port()));
  ASSERT_TRUE(second.connect(f.port()));
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 2; }));
  ASSERT_TRUE(third.connect(f.port()));
  EXPECT_TRUE(third.at_end());
  EXPECT_EQ(f.set->stats().refused, 1u);
  first.close();
  ASSERT_TRUE(eventually([&] { return f.set->stats().connections == 1; }));
  Client fourth;
  ASSERT_TRUE(fourth.connect(f.port()));
  ASSERT_TRUE(fourth.send_frame("Ein"));
  EXPECT_EQ(fourth.read_frame(), "Ein");
}

TEST_P(Limits, WithoutDescriptorsAcceptingGoesOnLater) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));  // so that its own descriptor exists
  ASSERT_TRUE(eventually([&] { return f.protocol.opened == 1; }));
  rlimit old{}, none{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  Client waiting;
  const int next_free = ::dup(c.fd());
  ::close(next_free);
  none = old;
  none.rlim_cur = static_cast<rlim_t>(next_free) + 1;  // room for the client's own descriptor, none for the server's
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool connected = waiting.connect(f.port());
  const bool accepted = eventually([&] { return f.protocol.opened == 2; }, std::chrono::milliseconds(150));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_TRUE(connected);
  EXPECT_FALSE(accepted);
  ASSERT_TRUE(waiting.send_frame("Elate"));
  EXPECT_EQ(waiting.read_frame(), "Elate");
}

}  // namespace
}  // namespace gantry::io::test
