#include <gantry++/result.hpp>

#include <gtest/gtest.h>

namespace gantry {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{GANTRY_E_INVALID, std::to_string(n) + " is odd"};
  return n / 2;
}

Result<void> check(int n) {
  if (n < 0) return Error{GANTRY_E_RANGE, "below zero"};
  return {};
}

Result<void> check_both(int a, int b) {
  GANTRY_TRY(check(a));
  GANTRY_TRY(check(b));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(*half(4), 2);
  const auto odd = half(3);
  ASSERT_FALSE(odd.ok());
  EXPECT_EQ(odd.error().code, GANTRY_E_INVALID);
  EXPECT_EQ(odd.error().text, "3 is odd");
}

TEST(Result, TryLeavesWithTheFirstError) {
  EXPECT_TRUE(check_both(1, 2).ok());
  EXPECT_EQ(check_both(1, -2).error().code, GANTRY_E_RANGE);
}

TEST(Result, ErrorsGainContextOnTheWayUp) {
  EXPECT_EQ((Error{GANTRY_E_IO, "no such file"}.in("segment 7").in("open store").text), "open store: segment 7: no such file");
}

TEST(Result, LongTextsAreCutToTheAbiStruct) {
  gantry_error out;
  EXPECT_EQ(report(Error{GANTRY_E_IO, std::string(1000, 'x'), 5}, &out), GANTRY_E_IO);
  EXPECT_EQ(std::strlen(out.text), sizeof out.text - 1);
  EXPECT_EQ(out.detail, 5);
  EXPECT_EQ(report(Error{GANTRY_E_IO, "nobody asks"}, nullptr), GANTRY_E_IO);
}

TEST(ResultDeathTest, TheValueOfAnErrorIsNeverTouched) {
  EXPECT_DEATH((void)*half(3), "broken invariant");
}

}  // namespace
}  // namespace gantry
