#include "codec/batch.hpp"
#include "codec/properties.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

using test::be;

std::string item(std::string_view body, std::string_view properties, std::uint32_t flag = 0) {
  return be(22 + body.size() + properties.size(), 4) + be(0, 8) + be(flag, 4) + be(body.size(), 4) + std::string(body) +
         be(properties.size(), 2) + std::string(properties);
}

TEST(Batch, ItemsInOrder) {
  const std::string body = item("one", "K\1V\2", 7) + item("", "") + item("three", "");
  EXPECT_EQ(count_batch(body), 3);
  BatchReader in(body);
  BatchItem i;
  ASSERT_TRUE(in.next(i));
  EXPECT_EQ(i.body, "one");
  EXPECT_EQ(i.properties, "K\1V\2");
  EXPECT_EQ(i.flag, 7);
  ASSERT_TRUE(in.next(i));
  EXPECT_EQ(i.body, "");
  ASSERT_TRUE(in.next(i));
  EXPECT_EQ(i.body, "three");
  EXPECT_TRUE(in.at_end());
}

TEST(Batch, DamageIsRefused) {
  const std::string good = item("one", "K\1V\2") + item("two", "");
  EXPECT_EQ(count_batch(""), 0);
  for (std::size_t n = 1; n < good.size(); ++n)
    EXPECT_EQ(count_batch(std::string_view(good).substr(0, n)), n == item("one", "K\1V\2").size() ? 1 : -1) << n;
  std::string lying = good;
  lying[3] = static_cast<char>(lying[3] + 1);  // total size
  EXPECT_EQ(count_batch(lying), -1);
  EXPECT_EQ(count_batch(be(22, 4) + be(0, 12) + be(0xFFFFFFFF, 4) + be(0, 2)), -1);
  EXPECT_EQ(count_batch(be(22, 4) + be(0, 12) + be(0, 4) + be(0xFFFF, 2)), -1);
}

TEST(Properties, FactsOfAMessage) {
  const PropertyFacts plain = scan_properties("UNIQ_KEY\1" "ABC\2TAGS\1x\2DELAY\1" "0\2TRAN_MSG\1false");
  EXPECT_FALSE(plain.transaction);
  EXPECT_FALSE(plain.delayed);
  EXPECT_TRUE(plain.wait_stored);
  EXPECT_FALSE(plain.only_wait);
  EXPECT_TRUE(scan_properties("TRAN_MSG\1true\2").transaction);
  EXPECT_TRUE(scan_properties("A\1B\2DELAY\1" "3").delayed);
  EXPECT_TRUE(scan_properties("TIMER_DELAY_SEC\1" "3").timer);
  EXPECT_TRUE(scan_properties("TIMER_DELAY_MS\1" "3").timer);
  EXPECT_TRUE(scan_properties("TIMER_DELIVER_MS\1" "3").timer);
  EXPECT_FALSE(scan_properties("XDELAY\1" "3\2" "DELAYX\1" "3").delayed);
  EXPECT_FALSE(scan_properties("WAIT\1false").wait_stored);
}

TEST(Properties, OddEntriesArePassedOver) {
  PropertyReader in("\2noseparator\2\1nokey\2novalue\1\2k\1v\1w");
  std::string_view key, value, entry;
  ASSERT_TRUE(in.next(key, value, entry));
  EXPECT_EQ(key, "k");
  EXPECT_EQ(value, "v\1w");
  EXPECT_FALSE(in.next(key, value, entry));
}

TEST(Properties, OnlyWait) {
  EXPECT_TRUE(scan_properties("").only_wait);
  EXPECT_TRUE(scan_properties("WAIT\1true\2").only_wait);
  EXPECT_FALSE(scan_properties("WAIT\1true\2KEYS\1k").only_wait);
}

}  // namespace
}  // namespace gantry::remoting
