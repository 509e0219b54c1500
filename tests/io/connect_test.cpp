// Outbound connections: made, refused, timed out, by name.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gantry++/str.hpp>

#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

class Connect : public testing::TestWithParam<std::uint32_t> {
 protected:
  std::int32_t connect(const std::string &address, std::uint32_t shard = 0) {
    const auto *net = table_of<gantry_net_v1>(f.protocol.host, GANTRY_NET_ID);
    return net->connect(&f.protocol.host.abi, shard, str(address), 0, 42);
  }
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Connect, testing::Values(1u, 4u));

TEST_P(Connect, ToOneselfByAddressAndByName) {
  f.start();
  for (const char *host : {"127.0.0.1", "localhost"}) {
    const int before = f.protocol.outbound_opened;
    ASSERT_EQ(connect(host + (":" + std::to_string(f.port())), GetParam() - 1), GANTRY_OK);
    ASSERT_TRUE(eventually([&] { return f.protocol.outbound_opened == before + 1; })) << f.protocol.failure_text();
    EXPECT_TRUE(eventually([&] { return f.protocol.outbound_reply() == "Ehello"; }));
  }
  EXPECT_EQ(f.set->stats().connected, 2u);
}

TEST_P(Connect, RefusedIsReportedWithAddressAndReason) {
  f.start();
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);  // bound, not listening: nobody answers and nobody else gets the port
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  socklen_t bytes = sizeof address;
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &bytes), 0);
  const std::string target = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  ASSERT_EQ(connect(target), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return f.protocol.connect_failures == 1; }));
  EXPECT_NE(f.protocol.failure_text().find(target), std::string::npos) << f.protocol.failure_text();
  EXPECT_NE(f.protocol.failure_text().find("refused"), std::string::npos) << f.protocol.failure_text();
  EXPECT_EQ(f.set->stats().connect_failed, 1u);
  EXPECT_EQ(f.set->stats().connections, 0u);
  ::close(fd);
}

TEST_P(Connect, NoAnswerTimesOut) {
  f.options.connect_timeout_ms = 150;
  f.start();
  // A listener whose queue is full drops further SYNs.
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr *>(&address), bytes), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &bytes), 0);
  ASSERT_EQ(::listen(fd, 0), 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(fillers.back(), reinterpret_cast<sockaddr *>(&address), sizeof address);
  }
  ASSERT_EQ(connect("127.0.0.1:" + std::to_string(ntohs(address.sin_port))), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return f.protocol.connect_failures == 1; }));
  EXPECT_NE(f.protocol.failure_text().find("no answer in time"), std::string::npos) << f.protocol.failure_text();
  for (const int filler : fillers) ::close(filler);
  ::close(fd);
}

TEST_P(Connect, UnknownNameAndBadAddresses) {
  f.start();
  ASSERT_EQ(connect("no-such-host.invalid:1"), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return f.protocol.connect_failures == 1; }, std::chrono::seconds(30)));
  EXPECT_NE(f.protocol.failure_text().find("no-such-host.invalid"), std::string::npos);
  EXPECT_EQ(connect("nowhere"), GANTRY_E_INVALID);
  EXPECT_EQ(connect(":80"), GANTRY_E_INVALID);
  EXPECT_EQ(connect("127.0.0.1:80", GetParam()), GANTRY_E_INVALID);
}

}  // namespace
}  // namespace gantry::io::test
