#include "kernel/config/delay_levels.hpp"

#include <gtest/gtest.h>

namespace gantry::config {
namespace {

TEST(DelayLevels, RocketMqsDefaultHasEighteen) {
  const auto levels = DelayLevels::parse(kDefaultDelayLevels);
  ASSERT_TRUE(levels);
  EXPECT_EQ(levels->count(), 18u);
  EXPECT_EQ(levels->delay_ms(1), 1000);
  EXPECT_EQ(levels->delay_ms(5), 60'000);
  EXPECT_EQ(levels->delay_ms(18), 7'200'000);
  EXPECT_EQ(levels->clamp(18), 18u);
  EXPECT_EQ(levels->clamp(19), 18u);
  EXPECT_EQ(levels->clamp(INT64_MAX), 18u);
}

TEST(DelayLevels, UnitsAndBlanks) {
  const auto levels = DelayLevels::parse("  2s   3m 4h 5d ");
  ASSERT_TRUE(levels);
  EXPECT_EQ(levels->count(), 4u);
  EXPECT_EQ(levels->delay_ms(3), 4 * 3'600'000);
  EXPECT_EQ(levels->delay_ms(4), 5 * 86'400'000);
}

TEST(DelayLevels, RefusalsNameTheWord) {
  const auto refused = [](std::string_view text, std::string_view part) {
    const auto levels = DelayLevels::parse(text);
    ASSERT_FALSE(levels) << text;
    EXPECT_NE(levels.error().text.find(part), std::string::npos) << levels.error().text;
  };
  refused("", "no delay level");
  refused("1s 5", "'5'");
  refused("1s five", "'five'");
  refused("1s -1s", "'-1s'");
  refused("0s", "'0s'");
  refused("1ms", "'1ms'");
  refused("400d", "366d");
  refused("99999999999999999999s", "'99999999999999999999s'");
  std::string many;
  for (int i = 0; i < 129; ++i) many += "1s ";
  refused(many, "128");
}

}  // namespace
}  // namespace gantry::config
