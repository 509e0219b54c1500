// Numbers as Java reads them.
#include "value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gantry::sql92 {
namespace {

TEST(Value, IntegersEndWhereJavasDo) {
  EXPECT_EQ(parse_int("2147483647"), 2147483647);
  EXPECT_EQ(parse_int("-2147483648"), -2147483648ll);
  EXPECT_EQ(parse_int("2147483648"), std::nullopt);
  EXPECT_EQ(parse_int("-2147483649"), std::nullopt);
  EXPECT_EQ(parse_long("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_long("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_long("9223372036854775808"), std::nullopt);
  EXPECT_EQ(parse_long("99999999999999999999999"), std::nullopt);
  for (const char *text : {"", "+", "-", " 1", "1 ", "1.0", "0x1", "--1", "1L"}) EXPECT_EQ(parse_long(text), std::nullopt) << text;
  EXPECT_EQ(parse_int("+007"), 7);
}

TEST(Value, FloatingPointNumbersAreReadAsJavaDoes) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(parse_double(" -1.5e3\t"), -1500.0);
  EXPECT_EQ(parse_double("5."), 5.0);
  EXPECT_EQ(parse_double(".5f"), 0.5);
  EXPECT_EQ(parse_double("0x1.8p1"), 3.0);
  EXPECT_EQ(parse_double("0x1p99999"), kInfinity);
  EXPECT_EQ(parse_double("0x1p-99999"), 0.0);
  EXPECT_EQ(parse_double("1e400"), kInfinity);
  EXPECT_EQ(parse_double("-1e400"), -kInfinity);
  EXPECT_EQ(parse_double("1e-400"), 0.0);
  EXPECT_EQ(parse_double("0e99999999999"), 0.0);
  EXPECT_EQ(parse_double("1e99999999999"), kInfinity);
  EXPECT_EQ(parse_double("0." + std::string(500, '0') + "1"), 0.0);
  EXPECT_EQ(parse_double("1" + std::string(500, '0')), kInfinity);
  EXPECT_EQ(parse_double("-Infinity"), -kInfinity);
  EXPECT_TRUE(std::isnan(parse_double("-NaN").value_or(0)));
  for (const char *text : {"", " ", ".", "e5", "1e", "1e+", "0x", "0x1", "nan", "inf", "infinity", "Infinityf", "1_0", "1 2", "1ff", "--1", "+-1", "0x.p1"}) EXPECT_EQ(parse_double(text), std::nullopt) << text;
}

TEST(Value, DoublesHaveJavasOrder) {
  const double nan = std::nan("");
  EXPECT_EQ(compare_doubles(-0.0, 0.0), -1);
  EXPECT_EQ(compare_doubles(0.0, 0.0), 0);
  EXPECT_EQ(compare_doubles(nan, nan), 0);
  EXPECT_EQ(compare_doubles(nan, std::numeric_limits<double>::infinity()), 1);
  EXPECT_EQ(compare_doubles(1, nan), -1);
}

}  // namespace
}  // namespace gantry::sql92
