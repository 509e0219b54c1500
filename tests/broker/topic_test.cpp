#include "broker_fixture.hpp"

#include <set>

namespace gantry::test {
namespace {

class Topics : public BrokerTest {
 protected:
  std::int32_t ensure(const std::string &name, const std::string &origin, std::int32_t queues, gantry_topic_info *out = nullptr) {
    gantry_topic_info info{};
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->topic_ensure(name, origin, queues, 0, &info, &err); });
    if (status != GANTRY_OK) {
      EXPECT_NE(std::string(err.text), "");
    }
    if (out != nullptr) *out = info;
    return status;
  }
};

TEST_F(Topics, AutoCreationTakesTheSmallerQueueCountAndNotTheInheritBit) {
  gantry_topic_info made{};
  ASSERT_EQ(ensure("New", "TBW102", 4, &made), GANTRY_OK);
  EXPECT_EQ(made.write_queues, 4u);
  EXPECT_EQ(made.perm, GANTRY_PERM_READ | GANTRY_PERM_WRITE);
  ASSERT_EQ(ensure("Wide", "TBW102", 100, &made), GANTRY_OK);
  EXPECT_EQ(made.write_queues, 8u);
  EXPECT_EQ(events_.all.size(), 2u);
  EXPECT_EQ(events_.all[0].kind, GANTRY_EVENT_TOPICS_CHANGED);
  const std::int64_t counter = broker_->topics_version().counter;
  ASSERT_EQ(ensure("New", "TBW102", 4), GANTRY_OK);
  EXPECT_EQ(broker_->topics_version().counter, counter);
}

TEST_F(Topics, AutoCreationIsRefusedWithoutAnOriginThatAllowsIt) {
  EXPECT_EQ(ensure("New", "NoSuchTopic", 4), GANTRY_E_NOT_FOUND);
  (void)topic("Plain");
  EXPECT_EQ(ensure("New", "Plain", 4), GANTRY_E_NOT_FOUND);
}

TEST_F(Topics, NamesAreChecked) {
  EXPECT_EQ(ensure("", "TBW102", 4), GANTRY_E_INVALID);
  EXPECT_EQ(ensure("a b", "TBW102", 4), GANTRY_E_INVALID);
  EXPECT_EQ(ensure("../../x", "TBW102", 4), GANTRY_E_INVALID);
  EXPECT_EQ(ensure(std::string(128, 't'), "TBW102", 4), GANTRY_E_INVALID);
  EXPECT_EQ(ensure(std::string(127, 't'), "TBW102", 4), GANTRY_OK);
  EXPECT_EQ(ensure("%RETRY%a_group-1|x", "", 1), GANTRY_OK);
}

TEST_F(Topics, SystemTopicsCannotBeChanged) {
  gantry_topic_info info{};
  info.name = str("SCHEDULE_TOPIC_XXXX");
  info.read_queues = info.write_queues = 4;
  gantry_error err{};
  EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_E_DENIED);
  info.name = str("T");
  info.read_queues = 70'000;
  EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_E_LIMIT);
}

TEST_F(Topics, AttributesAreKeptThroughOtherChanges) {
  gantry_topic_info info{};
  gantry_error err{};
  info.name = str("T");
  info.perm = GANTRY_PERM_READ | GANTRY_PERM_WRITE;
  info.read_queues = info.write_queues = 4;
  info.attributes = str("+message.type=FIFO");
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_OK) << err.text; });
  const std::int64_t counter = broker_->topics_version().counter;
  info.attributes = {};
  info.write_queues = 8;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_OK) << err.text; });
  gantry_topic_info found{};
  ASSERT_EQ(broker_->topic_find("T", &found), GANTRY_OK);
  EXPECT_EQ(view(found.attributes), "message.type=FIFO");
  EXPECT_EQ(found.write_queues, 8u);
  EXPECT_EQ(broker_->topics_version().counter, counter + 1);
  info.attributes = str("+message.type=SQUARE");
  info.write_queues = 2;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->topic_upsert(info, &err), GANTRY_E_INVALID); });
  EXPECT_NE(std::string(err.text).find("topic[T]: attribute message.type"), std::string::npos) << err.text;
  ASSERT_EQ(broker_->topic_find("T", &found), GANTRY_OK);
  EXPECT_EQ(found.write_queues, 8u) << "a refused change changes nothing";
}

TEST_F(Topics, TheBuiltInOnesAreListed) {
  std::set<std::string> names;
  broker_->topic_list([](void *arg, const gantry_topic_info *info) noexcept { static_cast<std::set<std::string> *>(arg)->emplace(view(info->name)); }, &names);
  for (const char *name : {"TBW102", "SELF_TEST_TOPIC", "BenchmarkTest", "DefaultCluster", "broker-a", "SCHEDULE_TOPIC_XXXX"}) EXPECT_TRUE(names.contains(name)) << name;
}

TEST_F(Topics, ShrinkingKeepsTheMessagesOfTheQueuesThatRemain) {
  const gantry_topic t = topic("T", 4);
  (void)produce(t, "a", {}, 3);
  EXPECT_EQ(topic("T", 2), t);
  gantry_fetch req = pull(t, group("G"), 0);
  req.queue_no = 3;
  EXPECT_EQ(fetch(req).status, GANTRY_E_INVALID);
  EXPECT_EQ(topic("T", 4), t);
  req.user_data = ++next_user_data_;
  EXPECT_EQ(fetch(req).offsets.size(), 1u);
}

class ClosedTopics : public Topics {
 protected:
  ClosedTopics() {
    options_.auto_create_topics = false;
    options_.auto_create_groups = false;
  }
};

TEST_F(ClosedTopics, NothingIsMadeByItself) {
  EXPECT_EQ(ensure("New", "TBW102", 4), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(group("G"), 0u);
}

}  // namespace
}  // namespace gantry::test
