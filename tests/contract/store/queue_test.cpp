// Queues: handles, names, numbers of them, statistics, dropping.
#include "fixture.h"

#include <set>

namespace gantry::test {
namespace {

using Queues = StoreContract;

TEST_F(Queues, OpeningAgainGivesTheSameHandle) {
  const gantry_queue a = store().queue("A"), a1 = store().queue("A", 1), b = store().queue("B");
  EXPECT_EQ(std::set<gantry_queue>({a, a1, b}).size(), 3u);
  EXPECT_EQ(store().queue("A"), a);
  EXPECT_EQ(store().queue("A", 1), a1);
  EXPECT_EQ(store().queue("B"), b);
  EXPECT_EQ(store().stats().queues, 3u);
}

TEST_F(Queues, NamesMayHoldAnyBytes) {
  const std::string names[] = {"%RETRY%group", "%DLQ%group", "a/b", "..", "a b", "TopicTest", "topictest", "主题", std::string("nul\0inside", 10),
                               "\xff\xfe", std::string(255, 'x'), "a\nb", "SCHEDULE_TOPIC_XXXX", "$SYS/lite/t+#"};
  std::map<gantry_queue, std::string> handles;
  for (const std::string &name : names) {
    const gantry_queue queue = store().queue(name, 4294967295u);
    EXPECT_TRUE(handles.emplace(queue, name).second) << name;
    (void)append_one(store(), message(queue, name));
  }
  for (const auto &[queue, name] : handles) {
    EXPECT_EQ(store().queue(name, 4294967295u), queue);
    EXPECT_EQ(body_of(store().read(queue, 0).bytes(0)), name);
  }
}

TEST_F(Queues, WrongArgumentsAreRefused) {
  gantry_queue out = GANTRY_NO_QUEUE;
  EXPECT_EQ(store().table().queue_open(store().self(), str_of(""), 0, GANTRY_QUEUE_NORMAL, &out), GANTRY_E_INVALID);
  EXPECT_EQ(store().table().queue_open(store().self(), str_of("A"), 0, 2, &out), GANTRY_E_INVALID);
  EXPECT_EQ(store().stats().queues, 0u);
}

TEST_F(Queues, AHundredThousandQueuesWork) {
  std::vector<gantry_queue> queues;
  std::set<gantry_queue> distinct;
  for (std::uint32_t i = 0; i < 100000; ++i) {
    queues.push_back(store().queue("T" + std::to_string(i / 4), i % 4, i % 2 == 0 ? GANTRY_QUEUE_LIGHT : GANTRY_QUEUE_NORMAL));
    if (i % 4096 == 0) host().turn();
    distinct.insert(queues.back());
  }
  ASSERT_EQ(distinct.size(), queues.size());
  EXPECT_EQ(store().stats().queues, 100000u);
  std::vector<Message> messages;
  for (std::size_t i = 0; i < queues.size(); i += 10) messages.push_back(message(queues[i], std::to_string(i)));
  append_all(store(), messages, 256);
  for (std::size_t i = 0; i < queues.size(); i += 1000) {
    EXPECT_EQ(store().queue("T" + std::to_string(i / 4), static_cast<std::uint32_t>(i % 4)), queues[i]);
    const ReadResult got = store().read(queues[i], 0);
    ASSERT_EQ(got->n, 1u);
    EXPECT_EQ(body_of(got.bytes(0)), std::to_string(i));
    EXPECT_EQ(store().stat(queues[i + 1]).max_off, 0);
  }
}

TEST_F(Queues, StatisticsTellBoundsAndTheOldestTime) {
  const gantry_queue queue = store().queue("A");
  gantry_queue_stat stat = store().stat(queue);
  EXPECT_EQ(stat.min_off, 0);
  EXPECT_EQ(stat.max_off, 0);
  EXPECT_EQ(stat.appended_off, 0);
  EXPECT_EQ(stat.first_store_ms, 0);
  std::vector<Message> messages(3, message(queue, "x"));
  messages[0].store_ms = kTestWallMs - 60'000;  // young enough to be kept
  append_all(store(), messages);
  stat = store().stat(queue);
  EXPECT_EQ(stat.min_off, 0);
  EXPECT_EQ(stat.max_off, 3);
  EXPECT_EQ(stat.appended_off, 3);
  EXPECT_TRUE(stat.first_store_ms == messages[0].store_ms || stat.first_store_ms == 0) << stat.first_store_ms;
}

TEST_F(Queues, AHandleNeverGivenIsNotFound) {
  gantry_queue_stat stat{};
  for (const gantry_queue queue : {gantry_queue{0}, gantry_queue{12345678}, gantry_queue{GANTRY_NO_QUEUE}}) {
    EXPECT_EQ(store().table().queue_stat(store().self(), queue, &stat), GANTRY_E_NOT_FOUND);
    EXPECT_EQ(store().table().queue_drop(store().self(), queue), GANTRY_E_NOT_FOUND);
  }
}

TEST_F(Queues, ADroppedQueueIsDeadAndItsNameStartsAfresh) {
  const gantry_queue dead = store().queue("A"), other = store().queue("B");
  std::vector<Message> messages(10, message(dead, "gone"));
  messages[4].links.push_back({other, 9});
  append_all(store(), messages);
  ASSERT_EQ(store().table().queue_drop(store().self(), dead), GANTRY_OK);
  gantry_queue_stat stat{};
  EXPECT_EQ(store().table().queue_stat(store().self(), dead, &stat), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(store().table().queue_drop(store().self(), dead), GANTRY_E_NOT_FOUND);
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store().read(dead, 0, 1, &status));
  EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
  Message late = message(dead, "late");
  CompletionLog done(host());
  EXPECT_EQ(try_append(late, done.id()), GANTRY_E_INVALID);

  const gantry_queue fresh = store().queue("A");
  EXPECT_NE(fresh, dead);
  EXPECT_EQ(store().stat(fresh).max_off, 0);
  EXPECT_EQ(append_one(store(), message(fresh, "new")).offsets[0], 0);
  EXPECT_EQ(store().read(other, 0).bytes(0), messages[4].expected()) << "the record lives on in its other queue";
}

TEST_F(Queues, DroppingWhileAnAppendWaitsStillCompletesIt) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, "in flight");
  CompletionLog done(host());
  ASSERT_EQ(try_append(m, done.id(), 3), 1);
  ASSERT_EQ(store().table().queue_drop(store().self(), queue), GANTRY_OK);
  EXPECT_TRUE(done.wait_for(3));
  for (int i = 0; i < 5; ++i) host().turn(1);
  EXPECT_EQ(done.times(3), 1u);
}

}  // namespace
}  // namespace gantry::test
