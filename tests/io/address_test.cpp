// Addresses as text, binding, and what listen() says when it cannot.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "kernel/io/address.hpp"
#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

TEST(Address, HostAndPort) {
  auto v4 = parse_host_port("10.0.0.1:9876", -1);
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host, "10.0.0.1");
  EXPECT_EQ(v4->port, 9876);
  auto v6 = parse_host_port("[fe80::1]:80", -1);
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "fe80::1");
  EXPECT_EQ(v6->port, 80);
  auto all = parse_host_port(":0", -1);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->host, "");
  auto defaulted = parse_host_port("broker-a", 10911);
  ASSERT_TRUE(defaulted.ok());
  EXPECT_EQ(defaulted->port, 10911);
  EXPECT_EQ(parse_host_port("[::1]", 5)->port, 5);
}

TEST(Address, RefusesWhatIsNoAddress) {
  for (const char *text : {"host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[::1", "[::1]80", "host:80x"})
    EXPECT_EQ(parse_host_port(text, -1).error().code, GANTRY_E_INVALID) << text;
}

TEST(Address, MappedIpv4IsIpv4) {
  const SocketAddress mapped = numeric_address("::ffff:10.1.2.3", 80);
  EXPECT_EQ(Endpoint::of(mapped.storage).text(), "10.1.2.3:80");
  EXPECT_EQ(Endpoint::of(numeric_address("::1", 7).storage).text(), "[::1]:7");
  EXPECT_EQ(numeric_address("name", 7).bytes, 0u);
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

class Listen : public testing::TestWithParam<std::uint32_t> {
 protected:
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Listen, testing::Values(1u, 4u));

TEST_P(Listen, Ipv6) {
  f.listen.address = "[::1]:0";
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port(), "::1"));
  ASSERT_TRUE(c.send_frame("Esix"));
  EXPECT_EQ(c.read_frame(), "Esix");
  EXPECT_EQ(f.protocol.last_info().peer_ip_bytes, 16u);
  EXPECT_EQ(f.protocol.last_peer().substr(0, 6), "[::1]:");
}

TEST_P(Listen, AllAddressesTakesBothFamilies) {
  f.listen.address = ":0";
  f.start();
  Client four, six;
  ASSERT_TRUE(four.connect(f.port()));
  ASSERT_TRUE(four.send_frame("Efour"));
  EXPECT_EQ(four.read_frame(), "Efour");
  EXPECT_EQ(f.protocol.last_info().peer_ip_bytes, 4u);
  ASSERT_TRUE(six.connect(f.port(), "::1"));
  ASSERT_TRUE(six.send_frame("Esix"));
  EXPECT_EQ(six.read_frame(), "Esix");
}

TEST_P(Listen, ExtraPortsAreNextToTheMainPort) {
  f.protocol.description.n_extra_ports = 1;
  f.protocol.description.extra_port_offsets[0] = -2;
  f.start();
  ASSERT_EQ(f.info.ports.size(), 2u);
  EXPECT_EQ(f.port(1), f.port(0) - 2);
  Client c;
  ASSERT_TRUE(c.connect(f.port(1)));
  ASSERT_TRUE(c.send_frame("Evip"));
  EXPECT_EQ(c.read_frame(), "Evip");
  EXPECT_EQ(f.protocol.last_info().listener, 1u);
}

TEST_P(Listen, SaysWhatIsWrongAndLeavesNothingBound) {
  f.start();
  EchoProtocol second("second");
  second.use(*f.set, f.tables);
  ListenOptions options;
  options.instance = &second.host;
  options.address = "127.0.0.1:" + std::to_string(f.port());
  auto taken = f.set->listen(options);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, GANTRY_E_EXISTS);
  EXPECT_NE(taken.error().text.find("port " + std::to_string(f.port()) + " is taken by another process"), std::string::npos) << taken.error().text;

  options.address = "203.0.113.7:0";
  auto foreign = f.set->listen(options);
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().text.find("no interface"), std::string::npos) << foreign.error().text;

  // The extra port is the taken one: the main port must not stay bound.
  second.description.n_extra_ports = 1;
  second.description.extra_port_offsets[0] = f.port() > 60000 ? 1 : -1;
  options.address = "127.0.0.1:" + std::to_string(f.port() - second.description.extra_port_offsets[0]);
  const std::ptrdiff_t before = open_descriptors();
  ASSERT_FALSE(f.set->listen(options).ok());
  EXPECT_EQ(open_descriptors(), before);

  options.address = "not an address:";
  EXPECT_EQ(f.set->listen(options).error().code, GANTRY_E_INVALID);
}

TEST_P(Listen, OnlyProtocolInstancesCanListen) {
  f.start();
  HostContext other;
  ListenOptions options;
  options.instance = &other;
  options.address = "127.0.0.1:0";
  EXPECT_EQ(f.set->listen(options).error().code, GANTRY_E_INVALID);
}

TEST(ShardSetOptions, OutOfRangeIsRefused) {
  IoOptions none, many, limits;
  none.shard_count = 0;
  many.shard_count = 65;
  limits.output_hard_bytes = 10;
  EXPECT_EQ(ShardSet::create(none).error().code, GANTRY_E_INVALID);
  EXPECT_EQ(ShardSet::create(many).error().code, GANTRY_E_INVALID);
  EXPECT_EQ(ShardSet::create(limits).error().code, GANTRY_E_INVALID);
}

}  // namespace
}  // namespace gantry::io::test
