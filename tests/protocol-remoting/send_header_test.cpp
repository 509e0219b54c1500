#include "codec/pull_header.hpp"
#include "codec/send_header.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

using test::Fields;

const Fields kLetters = {{"a", "g"}, {"b", "T"}, {"c", "TBW102"}, {"d", "4"},    {"e", "-1"},     {"f", "1"},    {"g", "1700000000000"},
                         {"h", "9"}, {"i", "K\1V"}, {"j", "3"},   {"k", "true"}, {"l", "16"}, {"m", "FALSE"}, {"n", "broker-a"}};
const Fields kLong = {{"producerGroup", "g"}, {"topic", "T"}, {"defaultTopic", "TBW102"}, {"defaultTopicQueueNums", "4"}, {"queueId", "-1"},
                      {"sysFlag", "1"}, {"bornTimestamp", "1700000000000"}, {"flag", "9"}, {"properties", "K\1V"}, {"reconsumeTimes", "3"},
                      {"unitMode", "true"}, {"maxReconsumeTimes", "16"}, {"batch", "FALSE"}, {"bname", "broker-a"}};
const Fields kPull = {{"consumerGroup", "G"}, {"topic", "T"}, {"queueId", "3"}, {"queueOffset", "77"}, {"maxMsgNums", "32"}, {"sysFlag", "3"},
                      {"commitOffset", "70"}, {"suspendTimeoutMillis", "15000"}, {"subscription", "A||B"}, {"subVersion", "1700000000001"},
                      {"expressionType", "TAG"}, {"bname", "b"}};

// The result has views into `fields`.
Header header(std::int32_t code, const Fields &fields) {
  Header h;
  h.clear();
  h.code = code;
  for (const auto &[key, value] : fields) EXPECT_TRUE(h.add(key, value));
  return h;
}

Fields without(Fields fields, std::size_t i) {
  fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(i));
  return fields;
}

TEST(SendHeader, BothNameSetsOnEveryCode) {
  for (const std::int32_t code : {10, 310, 324, 325})
    for (const Fields *fields : {&kLetters, &kLong}) {
      const Header h = header(code, *fields);
      SendHeader s;
      ASSERT_EQ(decode_send_header(h, s), nullptr);
      EXPECT_EQ(s.producer_group, "g");
      EXPECT_EQ(s.topic, "T");
      EXPECT_EQ(s.default_topic, "TBW102");
      EXPECT_EQ(s.default_topic_queues, 4);
      EXPECT_EQ(s.queue_id, -1);
      EXPECT_EQ(s.sys_flag, 1);
      EXPECT_EQ(s.born_ms, 1700000000000);
      EXPECT_EQ(s.flag, 9);
      EXPECT_EQ(s.properties, "K\1V");
      EXPECT_EQ(s.reconsume_times, 3);
      EXPECT_TRUE(s.unit_mode);
      EXPECT_FALSE(s.batch);
    }
}

TEST(SendHeader, BatchByCodeOrByField) {
  SendHeader s;
  const Header by_code = header(320, kLong);
  ASSERT_EQ(decode_send_header(by_code, s), nullptr);
  EXPECT_TRUE(s.batch);
  Fields fields = kLetters;
  fields[12].second = "True";
  const Header by_field = header(310, fields);
  ASSERT_EQ(decode_send_header(by_field, s), nullptr);
  EXPECT_TRUE(s.batch);
}

TEST(SendHeader, MandatoryAndOptionalFields) {
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    const Fields letters = without(kLetters, i), longs = without(kLong, i);
    SendHeader s;
    EXPECT_EQ(decode_send_header(header(310, letters), s) == nullptr, i >= 8) << i;
    EXPECT_EQ(decode_send_header(header(10, longs), s) == nullptr, i >= 8) << i;
  }
  SendHeader s;
  EXPECT_STREQ(decode_send_header(header(310, {}), s), "field producerGroup is missing");
}

TEST(SendHeader, NumbersMustBeNumbers) {
  for (const std::size_t i : {3u, 4u, 5u, 6u, 7u, 9u})
    for (const char *value : {"", "x", "1.0", " 1", "1 ", "99999999999999999999"}) {
      Fields fields = kLetters;
      fields[i].second = value;
      SendHeader s;
      const Header h = header(310, fields);
      EXPECT_NE(decode_send_header(h, s), nullptr) << i << " " << value;
    }
}

TEST(PullHeader, AllFields) {
  const Header h = header(11, kPull);
  PullHeader p;
  ASSERT_EQ(decode_pull_header(h, p), nullptr);
  EXPECT_EQ(p.consumer_group, "G");
  EXPECT_EQ(p.topic, "T");
  EXPECT_EQ(p.queue_id, 3);
  EXPECT_EQ(p.queue_offset, 77);
  EXPECT_EQ(p.max_msg_nums, 32);
  EXPECT_EQ(p.sys_flag, 3);
  EXPECT_EQ(p.commit_offset, 70);
  EXPECT_EQ(p.suspend_timeout_ms, 15000);
  EXPECT_EQ(p.subscription, "A||B");
  EXPECT_EQ(p.sub_version, 1700000000001);
  EXPECT_EQ(p.expression_type, "TAG");
  EXPECT_EQ(p.max_msg_bytes, 0);
}

TEST(PullHeader, MandatoryFieldsAndNumbers) {
  for (std::size_t i = 0; i < kPull.size(); ++i) {
    PullHeader p;
    const Fields rest = without(kPull, i);
    const std::string name = kPull[i].first;
    EXPECT_EQ(decode_pull_header(header(11, rest), p) == nullptr, name == "subscription" || i >= 10) << name;
    if (i < 2 || i >= 10 || name == "subscription") continue;
    Fields fields = kPull;
    fields[i].second = "1x";
    EXPECT_NE(decode_pull_header(header(11, fields), p), nullptr) << name;
  }
}

}  // namespace
}  // namespace gantry::remoting
