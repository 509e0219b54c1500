#include "kernel/config/value.hpp"

#include <gtest/gtest.h>

namespace gantry::config {
namespace {

TEST(Quantity, Sizes) {
  EXPECT_EQ(parse_size("64 MiB"), 64ll << 20);
  EXPECT_EQ(parse_size("64MiB"), 64ll << 20);
  EXPECT_EQ(parse_size(" 2  GiB "), 2ll << 30);
  EXPECT_EQ(parse_size("1 TiB"), 1ll << 40);
  EXPECT_EQ(parse_size("100 B"), 100);
  EXPECT_EQ(parse_size("100"), 100);
  for (const char *wrong : {"", "MiB", "64 MB", "64 mib", "1.5 GiB", "0x10", "1 MiB more", "9000000000 GiB", "99999999999999999999"})
    EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
}

TEST(Quantity, Durations) {
  EXPECT_EQ(parse_duration("500ms"), 500);
  EXPECT_EQ(parse_duration("3s"), 3000);
  EXPECT_EQ(parse_duration("15 m"), 900'000);
  EXPECT_EQ(parse_duration("15min"), 900'000);
  EXPECT_EQ(parse_duration("72h"), 259'200'000);
  EXPECT_EQ(parse_duration("7d"), 604'800'000);
  EXPECT_EQ(parse_duration("0"), 0);
  for (const char *wrong : {"", "5", "s", "5 sec", "1h30m", "99999999999999d"}) EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
}

TEST(Quantity, WrittenBackInTheLargestUnitThatFits) {
  EXPECT_EQ(size_text(64ll << 20), "64 MiB");
  EXPECT_EQ(size_text(1500), "1500 B");
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(duration_text(72ll * 3'600'000), "3d");
  EXPECT_EQ(duration_text(1500), "1500ms");
  EXPECT_EQ(duration_text(0), "0s");
  for (const std::int64_t number : {1ll, 1023ll, 1ll << 20, 3ll << 30}) EXPECT_EQ(parse_size(size_text(number)), number);
  for (const std::int64_t number : {1ll, 999ll, 60'000ll, 86'400'000ll}) EXPECT_EQ(parse_duration(duration_text(number)), number);
}

}  // namespace
}  // namespace gantry::config
