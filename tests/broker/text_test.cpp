#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/properties.hpp"
#include "kernel/broker/record/tags.hpp"
#include "kernel/broker/registry/names.hpp"
#include "kernel/broker/registry/offsets.hpp"
#include "kernel/broker/registry/topics.hpp"

#include <gtest/gtest.h>

namespace gantry::broker {
namespace {

// Expected values from java.lang.String.hashCode.
TEST(JavaHash, EqualsStringHashCode) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("TagA"), 2598919);
  EXPECT_EQ(java_hash("polygenelubricants"), -2147483648LL);
  EXPECT_EQ(java_hash("\xe4\xb8\xad\xe6\x96\x87"), 646394);  // two CJK characters
  EXPECT_EQ(java_hash("\xf0\x9f\x98\x80"), 31 * 0xD83D + 0xDE00);  // a surrogate pair
  EXPECT_EQ(java_hash("\xff"), 0xFFFD);
  EXPECT_EQ(java_hash("\xe4\xb8"), 31 * 0xFFFD + 0xFFFD);
}

TEST(Tags, ExpressionsAreSplitAndTrimmed) {
  TagSet tags;
  EXPECT_TRUE(parse_tags("*", tags));
  EXPECT_TRUE(tags.any);
  EXPECT_TRUE(parse_tags("", tags));
  EXPECT_TRUE(tags.any);
  EXPECT_TRUE(parse_tags(" TagA ||TagB|| TagA", tags));
  EXPECT_FALSE(tags.any);
  EXPECT_EQ(tags.codes, (std::vector<std::int64_t>{2598919, 2598920}));
  EXPECT_FALSE(parse_tags(" || ", tags));
}

TEST(Properties, FindsWhatTheBrokerNeeds) {
  const PropertyScan scan = scan_properties("A\x01" "1\x02WAIT\x01" "false\x02TAGS\x01T\x02");
  EXPECT_EQ(scan.tags, "T");
  EXPECT_EQ(scan.before_wait, "A\x01" "1\x02");
  EXPECT_EQ(scan.after_wait, "TAGS\x01T\x02");
  EXPECT_EQ(scan.delay, "");
  EXPECT_EQ(scan_properties("DELAY\x01" "1").delay, "1");
  const PropertyScan half = scan_properties("TRAN_MSG\x01true\x02" "CHECK_IMMUNITY_TIME_IN_SECONDS\x01" "9");
  EXPECT_TRUE(half.transaction);
  EXPECT_EQ(half.check_immunity, "9");
  EXPECT_TRUE(scan_properties("TRAN_MSG\x01TrUE").transaction);
  EXPECT_FALSE(scan_properties("TRAN_MSG\x01yes!\x02TRAN_MSGX\x01true").transaction);
  EXPECT_EQ(scan_properties("UNIQ_KEY\x01u").timer, TimerKind::kNone);
  const PropertyScan timed = scan_properties("TIMER_DELAY_MS\x01" "5\x02TIMER_DELAY_SEC\x01" "7\x02TIMER_DELIVER_MS\x01" "9\x02__STARTDELIVERTIME\x01" "11");
  EXPECT_EQ(timed.timer, TimerKind::kDelaySec);
  EXPECT_EQ(timed.timer_text, "7");
  EXPECT_FALSE(timed.was_timer);
  EXPECT_TRUE(scan_properties("TIMER_OUT_MS\x01" "5").was_timer);
  EXPECT_TRUE(scan_properties("TIMER_DEL_UNIQKEY\x01u").deletes_timer);
  EXPECT_TRUE(scan_properties("\x02\x02junk\x02=\x01\x02").tags.empty());
  EXPECT_EQ(scan_properties("").before_wait, "");
}

TEST(Names, OnlyRocketMqsCharacters) {
  EXPECT_TRUE(valid_name("%RETRY%a-b_c|D9", 127));
  EXPECT_FALSE(valid_name("", 127));
  EXPECT_FALSE(valid_name("a/b", 127));
  EXPECT_FALSE(valid_name("a\n", 127));
  EXPECT_FALSE(valid_name("aaaa", 3));
}

TEST(Rows, TopicSettingsComeBackAndDamageIsNamed) {
  TopicSettings settings{6, 3, 5, 1, 1, {}};
  const auto back = decode_settings(encode_settings(settings));
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(*back == settings);
  EXPECT_EQ(encode_settings(settings).size(), 21u) << "as older versions read it";
  settings.attributes = "message.type=FIFO";
  const std::string row = encode_settings(settings);
  const auto with = decode_settings(row);
  ASSERT_TRUE(with.ok());
  EXPECT_TRUE(*with == settings);
  EXPECT_FALSE(decode_settings("\x01xx").ok());
  EXPECT_FALSE(decode_settings("\x02xx").ok());
  EXPECT_FALSE(decode_settings(std::string(21, '\x07')).ok());
}

TEST(Rows, OffsetsComeBackAndDamageIsNamed) {
  const std::string key = encode_offset_key("group", "topic", 258);
  const auto back = decode_offset(std::string_view(key).substr(7), encode_offset_value(1'000'000'000'000));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->group, "group");
  EXPECT_EQ(back->topic, "topic");
  EXPECT_EQ(back->queue_no, 258u);
  EXPECT_EQ(back->offset, 1'000'000'000'000);
  EXPECT_FALSE(decode_offset("group", "12345678").ok());
  EXPECT_FALSE(decode_offset(std::string_view(key).substr(7), "1234").ok());
}

TEST(Offsets, OnlyChangedRowsAreDirty) {
  Offsets offsets;
  const OffsetKey key{1, 2, 3};
  offsets.restore(key, 5);
  EXPECT_FALSE(offsets.has_dirty());
  offsets.set(key, 5);
  EXPECT_FALSE(offsets.has_dirty());
  offsets.set(key, 6);
  offsets.set(key, 7);
  EXPECT_EQ(offsets.take_dirty().size(), 1u);
  EXPECT_FALSE(offsets.has_dirty());
  offsets.mark_dirty(key);
  EXPECT_TRUE(offsets.has_dirty());
}

}  // namespace
}  // namespace gantry::broker
