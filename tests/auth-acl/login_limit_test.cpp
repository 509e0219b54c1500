#include "login_limit.hpp"

#include "address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace gantry::acl {
namespace {

gantry_peer peer(const char *address) { return *parse_peer(address); }

TEST(LoginLimit, LocksTheUserFromThatAddressForTheTime) {
  LoginLimit limit(3, 1000);
  const gantry_peer here = peer("10.0.0.1"), there = peer("10.0.0.2");
  EXPECT_FALSE(limit.failed(here, "ann", 0));
  EXPECT_FALSE(limit.failed(here, "ann", 10));
  EXPECT_FALSE(limit.locked(here, "ann", 10));
  EXPECT_TRUE(limit.failed(here, "ann", 20));
  EXPECT_TRUE(limit.locked(here, "ann", 20));
  EXPECT_TRUE(limit.locked(here, "ann", 1019));
  EXPECT_FALSE(limit.locked(here, "ann", 1020));
  EXPECT_FALSE(limit.locked(there, "ann", 20));
  EXPECT_FALSE(limit.locked(here, "bob", 20));
}

TEST(LoginLimit, FailuresFarApartDoNotCount) {
  LoginLimit limit(2, 1000);
  const gantry_peer here = peer("10.0.0.1");
  EXPECT_FALSE(limit.failed(here, "ann", 0));
  EXPECT_FALSE(limit.failed(here, "ann", 1000));
  EXPECT_FALSE(limit.locked(here, "ann", 1000));
  EXPECT_TRUE(limit.failed(here, "ann", 1999));
}

TEST(LoginLimit, OneNetworkOfIpv6IsOneAddress) {
  LoginLimit limit(1, 1000);
  EXPECT_TRUE(limit.failed(peer("2001:db8:0:1::1"), "ann", 0));
  EXPECT_TRUE(limit.locked(peer("2001:db8:0:1:ffff::2"), "ann", 1));
  EXPECT_FALSE(limit.locked(peer("2001:db8:0:2::1"), "ann", 1));
}

TEST(LoginLimit, ZeroIsNoLimit) {
  LoginLimit limit(0, 1000);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limit.failed(peer("10.0.0.1"), "ann", i));
  EXPECT_FALSE(limit.locked(peer("10.0.0.1"), "ann", 100));
}

// A locked user stays locked while strangers fail from everywhere: the entry with fewest failures gives way.
TEST(LoginLimit, StrangersDoNotUnlock) {
  LoginLimit limit(5, 100'000);
  const gantry_peer here = peer("10.0.0.1");
  for (int i = 0; i < 5; ++i) (void)limit.failed(here, "ann", 0);
  for (int i = 0; i < 20'000; ++i) (void)limit.failed(peer(("11." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256)).c_str()), "", 1);
  EXPECT_TRUE(limit.locked(here, "ann", 2));
}

}  // namespace
}  // namespace gantry::acl
