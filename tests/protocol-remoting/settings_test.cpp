#include "remoting/settings.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

TEST(Advertised, IsTheListenAddressWhenThatIsOne) {
  EXPECT_EQ(advertised_for("127.0.0.1:10911"), "127.0.0.1:10911");
  EXPECT_EQ(advertised_for("broker.example:7000"), "broker.example:7000");
  EXPECT_EQ(advertised_for("[::1]:7000"), "[::1]:7000");
  EXPECT_EQ(advertised_for("10.0.0.7"), "10.0.0.7:10911");
  EXPECT_EQ(advertised_for(""), "127.0.0.1:10911");
}

// Clients cannot connect to "all addresses": it must become one that resolves.
TEST(Advertised, IsAnAddressOfThisMachineWhenListeningOnAll) {
  for (const char *all : {"0.0.0.0:7001", "[::]:7001", ":7001"}) {
    const std::string text = advertised_for(all);
    const auto resolved = resolve_advertised(text);
    ASSERT_TRUE(resolved.ok()) << all << " became " << text;
    EXPECT_EQ(resolved->port, 7001u);
    EXPECT_NE(text.substr(0, 7), "0.0.0.0");
  }
}

TEST(Advertised, WhatNobodyCanConnectToIsRefused) {
  for (const char *bad : {"", ":10911", "host", "host:0", "host:70000", "::1:10911", "no such host:1"}) EXPECT_FALSE(resolve_advertised(bad).ok()) << bad;
}

}  // namespace
}  // namespace gantry::remoting
