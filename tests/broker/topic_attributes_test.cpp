// Attributes of topics: what 5.5.0 takes and refuses.
#include "kernel/broker/registry/topic_attributes.hpp"

#include <gtest/gtest.h>

namespace gantry::broker {
namespace {

void refused(std::string_view current, std::string_view changes, bool create, std::string_view why) {
  const auto out = change_attributes(current, changes, create);
  ASSERT_FALSE(out.ok()) << changes;
  EXPECT_EQ(out.error().code, GANTRY_E_INVALID);
  EXPECT_NE(out.error().text.find(why), std::string::npos) << out.error().text;
}
std::string changed(std::string_view current, std::string_view changes, bool create = false) {
  const auto out = change_attributes(current, changes, create);
  EXPECT_TRUE(out.ok()) << out.error().text;
  return out.ok() ? *out : std::string();
}

TEST(TopicAttributes, ANewTopicMaySetAll) {
  EXPECT_EQ(changed("", "", true), "");
  EXPECT_EQ(changed("", "+message.type=FIFO", true), "message.type=FIFO");
  EXPECT_EQ(changed("", "+reserve.time=60000,+queue.type=BatchCQ,+cleanup.policy=DELETE,+lite.topic.expiration=43200", true),
            "cleanup.policy=DELETE,lite.topic.expiration=43200,queue.type=BatchCQ,reserve.time=60000");
  for (const char *type : {"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY", "LITE"}) EXPECT_EQ(changed("", "+message.type=" + std::string(type), true), "message.type=" + std::string(type));
  refused("", "-message.type", true, "only being made");
}

TEST(TopicAttributes, AnExistingTopicKeepsWhatIsNotNamed) {
  const std::string had = "message.type=FIFO,queue.type=SimpleCQ";
  EXPECT_EQ(changed(had, ""), had);
  EXPECT_EQ(changed(had, "+message.type=DELAY"), "message.type=DELAY,queue.type=SimpleCQ");
  EXPECT_EQ(changed(had, "+reserve.time=-1"), had + ",reserve.time=-1");
  EXPECT_EQ(changed(had, "-message.type"), "queue.type=SimpleCQ");
  refused(had, "+queue.type=BatchCQ", false, "can only be set when the topic is made");
  refused(had, "-queue.type", false, "can only be set when the topic is made");
  refused(had, "-reserve.time", false, "the topic does not have it");
}

TEST(TopicAttributes, WhatCannotBeReadOrIsUnknownIsRefused) {
  refused("", "+colour=red", true, "unsupported key: there is no topic attribute \"colour\"");
  refused("", "+message.type=fifo", true, "found \"fifo\", wanted one of");
  refused("", "+message.type=MIXED", true, "MIXED is not supported");
  refused("", "+cleanup.policy=COMPACTION", true, "COMPACTION is not offered");
  refused("", "+message.type=", true, "found \"\"");
  for (const char *number : {"x", "-2", "1.5", "9223372036854775808", ""}) refused("", "+reserve.time=" + std::string(number), true, "wanted a number from -1");
  refused("", "+lite.topic.expiration=43201", true, "to 43200");
  for (const char *text : {"message.type=FIFO", "message.type", "+message.type", "-message.type=FIFO", "=", ",", "+message.type=FIFO,,+reserve.time=1"}) refused("", text, true, "cannot be read");
  refused("", "+message.type=FIFO,+message.type=DELAY", true, "changed twice");
}

TEST(TopicAttributes, OneIsFoundByItsWholeName) {
  EXPECT_EQ(attribute("message.type=FIFO,reserve.time=5", "reserve.time"), "5");
  EXPECT_EQ(attribute("message.type=FIFO", "message"), "");
  EXPECT_EQ(attribute("", "message.type"), "");
}

}  // namespace
}  // namespace gantry::broker
