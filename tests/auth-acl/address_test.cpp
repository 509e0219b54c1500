// Addresses of rules: single ones, CIDR, and the patterns of plain_acl.yml.
#include "address.hpp"

#include <gtest/gtest.h>

namespace gantry::acl {
namespace {

bool matches(std::string_view pattern, std::string_view address) {
  auto parsed = AddressPattern::parse(pattern);
  EXPECT_TRUE(parsed) << parsed.error().text;
  auto peer = parse_peer(address);
  EXPECT_TRUE(peer) << peer.error().text;
  return parsed && peer && parsed->matches(*peer);
}

TEST(Address, One) {
  EXPECT_TRUE(matches("10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(matches("10.0.0.1", "10.0.0.2"));
  EXPECT_FALSE(matches("10.0.0.1", "::ffff:10.0.0.1"));  // the kernel hands such peers over as IPv4
  EXPECT_TRUE(matches("::1", "::1"));
  EXPECT_TRUE(matches("2001:db8:0:0::1", "2001:db8::1"));
  EXPECT_FALSE(matches("::1", "::2"));
}

TEST(Address, Cidr) {
  EXPECT_TRUE(matches("10.0.0.0/8", "10.255.3.4"));
  EXPECT_FALSE(matches("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(matches("192.168.16.0/20", "192.168.31.255"));
  EXPECT_FALSE(matches("192.168.16.0/20", "192.168.32.0"));
  EXPECT_FALSE(matches("192.168.16.0/20", "192.168.15.255"));
  EXPECT_TRUE(matches("192.168.19.7/20", "192.168.16.1"));  // bits behind the prefix say nothing
  EXPECT_TRUE(matches("0.0.0.0/0", "8.8.8.8"));
  EXPECT_TRUE(matches("10.1.2.3/32", "10.1.2.3"));
  EXPECT_FALSE(matches("10.1.2.3/32", "10.1.2.2"));
  EXPECT_TRUE(matches("fd00::/8", "fdff::1"));
  EXPECT_FALSE(matches("fd00::/8", "fe00::1"));
  EXPECT_TRUE(matches("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(matches("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(matches("::/0", "fe80::1"));
  EXPECT_FALSE(matches("::/0", "10.0.0.1"));
}

TEST(Address, PatternsOfRocketMQ) {
  for (const char *all : {"*", "*.*.*.*", "*:*:*:*:*:*:*:*"}) EXPECT_TRUE(matches(all, "10.9.8.7") && matches(all, "::1")) << all;
  EXPECT_TRUE(matches("192.168.*.*", "192.168.0.255"));
  EXPECT_FALSE(matches("192.168.*.*", "192.169.0.1"));
  EXPECT_TRUE(matches("192.168.1.10-20", "192.168.1.20"));
  EXPECT_FALSE(matches("192.168.1.10-20", "192.168.1.21"));
  EXPECT_TRUE(matches("192.168.1.{1, 3}", "192.168.1.3"));
  EXPECT_FALSE(matches("192.168.1.{1,3}", "192.168.1.2"));
}

TEST(Address, Refused) {
  for (const char *wrong : {"10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.1.2", "host", "10.0.*.0/16", "10.0.0.20-10", "10.0.0.{}", "fe80::/129", "1::2::3", "10.0.0.-1", ""}) {
    const auto parsed = AddressPattern::parse(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, GANTRY_E_CONFIG);
    EXPECT_NE(parsed.error().text.find("write \"10.0.0.1\""), std::string::npos) << parsed.error().text;
  }
}

TEST(Address, Lists) {
  AddressList list;
  ASSERT_TRUE(list.add("10.0.0.1, 10.0.0.{5,6},,"));
  ASSERT_TRUE(list.add("   "));
  EXPECT_EQ(list.texts().size(), 2u);
  EXPECT_TRUE(list.matches(*parse_peer("10.0.0.6")));
  EXPECT_FALSE(list.matches(*parse_peer("10.0.0.7")));
  EXPECT_FALSE(list.add("10.0.0.1,nonsense"));
  EXPECT_FALSE(AddressList().matches(*parse_peer("10.0.0.7")));
}

}  // namespace
}  // namespace gantry::acl
