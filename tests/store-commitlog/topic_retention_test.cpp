// Topics with a retention of their own.
#include "harness.h"

namespace gantry::test {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kStartMs = 1'700'000'000'000;

class TopicRetentionTest : public CommitlogTest {
 protected:
  void SetUp() override {
    config["checkpoint_every"] = "1 MiB";
    config["scrub_every"] = "0s";
    wall_ms = kStartMs;
  }
  // About a MiB to each of the topics, mixed.
  void fill(const std::vector<std::string> &topics) {
    for (int i = 0; i < 10; ++i)
      for (const std::string &topic : topics) send(queue(topic), 20, 5000, 20);
  }
  void two_hours_later() { host().advance_ms(2 * kHourMs); }
  std::int64_t min_off(const std::string &topic) { return store().stat(queue(topic)).min_off; }
};

TEST_F(TopicRetentionTest, AShortOneEndsWhileTheFileStaysForTheOthers) {
  config["topic_retention"] = "short 1h";
  open();
  fill({"short", "long"});
  two_hours_later();
  fill({"short", "long"});
  wait_for("the short one's old messages end", [&] { return min_off("short") > 0; });
  EXPECT_LE(min_off("short"), 200) << "the new ones stay";
  EXPECT_EQ(min_off("long"), 0);
  EXPECT_EQ(store().stats().log_begin_pos, 0);
  const gantry_queue q = queue("short");
  EXPECT_EQ(store().read(q, 0)->stop, GANTRY_STOP_RANGE);
  EXPECT_EQ(store().read(q, min_off("short"), 1)->n, 1u);
  const std::int64_t before = min_off("short");
  wall_ms = kStartMs + 2 * kHourMs;
  reopen();
  EXPECT_EQ(store().recovered_queues().at({"long", 0}).stat.min_off, 0);
  EXPECT_GE(min_off("short"), before) << "it does not come back with a restart";
  send(recovered("short"), 1);
  expect_all(recovered("long"));
}

TEST_F(TopicRetentionTest, ALongOneKeepsItsFilesButNotTheOtherTopics) {
  config["retention"] = "1h";
  config["topic_retention"] = "audit 0s";
  open();
  fill({"audit", "other"});
  two_hours_later();
  fill({"other"});
  wait_for("the others' old messages end", [&] { return min_off("other") > 0; });
  EXPECT_EQ(min_off("audit"), 0);
  expect_all(queue("audit"));
}

TEST_F(TopicRetentionTest, FilesOfShortOnesAloneGoEarly) {
  config["retention"] = "100h";
  config["topic_retention"] = "logs-* 1h";
  open();
  fill({"logs-a", "logs-b"});
  two_hours_later();
  fill({"logs-a", "logs-b"});
  wait_for("old files go", [&] { return store().stats().log_begin_pos > 0; });
  EXPECT_GT(min_off("logs-a"), 0);
}

TEST_F(TopicRetentionTest, ByBytesTheOldestOfTheTopicEnd) {
  config["topic_retention"] = "big 2MiB";
  open();
  fill({"small"});
  for (int i = 0; i < 6; ++i) fill({"big"});
  two_hours_later();  // so that it looks
  wait_for("the oldest of the big one end", [&] { return min_off("big") > 400; });
  EXPECT_EQ(min_off("small"), 0);
  EXPECT_LT(min_off("big"), 1200 - 300) << "2 MiB are about 400 messages";
}

TEST_F(TopicRetentionTest, WhatAGroupMissesIsSaid) {
  static const gantry_consumption kBehind{nullptr, [](void *, const gantry_queue_name *, std::uint32_t n, gantry_consumed *out) noexcept {
                                            for (std::uint32_t i = 0; i < n; ++i) out[i] = {3, str_of("sleepers")};
                                          }};
  consumption = &kBehind;
  config["topic_retention"] = "short 1h";
  open();
  fill({"short", "long"});
  two_hours_later();
  fill({"short", "long"});
  wait_for("it is said", [&] { return host().logged("the retention of topic short drops"); });
  EXPECT_TRUE(host().logged("short queue 0 offsets 3 to"));
  EXPECT_FALSE(host().logged("long queue 0"));
  EXPECT_GT(store().stats().dropped_unconsumed_total, 0u);
}

TEST_F(TopicRetentionTest, EntriesThatSayNothingAreRefused) {
  for (const char *wrong : {"orders", "* 1h", "orders 1x", "orders 1h 2h", "orders 1GiB 2GiB", "orders 0GiB", "orders  1h", " 1h"}) {
    config["topic_retention"] = wrong;
    FakeHost fresh;
    const FakeConfig texts(component_over(disk), config);
    void *self = nullptr;
    gantry_error err{};
    EXPECT_EQ(component_over(disk).create(fresh.abi(), texts.abi(), &self, &err), GANTRY_E_CONFIG) << wrong;
    EXPECT_NE(std::string(err.text).find("topic_retention"), std::string::npos);
  }
}

}  // namespace
}  // namespace gantry::test
