// seek_time: the first offset whose store time is not before the wanted one.
#include "fixture.h"

namespace gantry::test {
namespace {

class Seek : public StoreContract {
 protected:
  std::int64_t seek(gantry_queue queue, std::int64_t ms, std::int32_t status = GANTRY_OK) {
    CompletionLog done(host());
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().seek_time(store().self(), 0, queue, ms, 5, done.id()); });
    EXPECT_EQ(done.count(), 0u);
    if (rc < 0) {
      EXPECT_EQ(rc, status);
      return -1;
    }
    const auto cqe = done.wait_for(5);
    EXPECT_TRUE(cqe);
    if (!cqe) return -1;
    EXPECT_EQ(cqe->status, status);
    return cqe->result;
  }

  gantry_queue filled_at(const std::string &topic, const std::vector<std::int64_t> &times, std::size_t body_bytes = 10) {
    const gantry_queue queue = store().queue(topic);
    std::vector<Message> messages;
    for (const std::int64_t ms : times) {
      messages.push_back(message(queue, filled(body_bytes, 1)));
      messages.back().store_ms = ms;
    }
    append_all(store(), messages);
    return queue;
  }
};

TEST_F(Seek, BeforeTheFirstExactlyBetweenAndAfterTheLast) {
  const gantry_queue queue = filled_at("A", {1000, 1010, 1020, 1030});
  EXPECT_EQ(seek(queue, 0), 0);
  EXPECT_EQ(seek(queue, INT64_MIN), 0);
  EXPECT_EQ(seek(queue, 999), 0);
  EXPECT_EQ(seek(queue, 1000), 0);
  EXPECT_EQ(seek(queue, 1001), 1);
  EXPECT_EQ(seek(queue, 1010), 1);
  EXPECT_EQ(seek(queue, 1015), 2);
  EXPECT_EQ(seek(queue, 1030), 3);
  EXPECT_EQ(seek(queue, 1031), 4);
  EXPECT_EQ(seek(queue, INT64_MAX), 4);
}

TEST_F(Seek, AmongEqualTimesTheFirstIsFound) {
  const gantry_queue queue = filled_at("A", {5, 5, 5, 8, 8, 8, 8, 9});
  EXPECT_EQ(seek(queue, 5), 0);
  EXPECT_EQ(seek(queue, 6), 3);
  EXPECT_EQ(seek(queue, 8), 3);
  EXPECT_EQ(seek(queue, 9), 7);
  EXPECT_EQ(seek(queue, 10), 8);
}

TEST_F(Seek, AnEmptyQueueGivesItsEnd) {
  EXPECT_EQ(seek(store().queue("A"), 12345), 0);
}

TEST_F(Seek, OtherQueuesDoNotDisturb) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  std::vector<Message> messages;
  for (int i = 0; i < 100; ++i) {
    messages.push_back(message(i % 2 == 0 ? a : b, "x"));
    messages.back().store_ms = 1000 + i;
  }
  append_all(store(), messages);
  EXPECT_EQ(seek(a, 1050), 25);
  EXPECT_EQ(seek(a, 1051), 26);
  EXPECT_EQ(seek(b, 1051), 25);
  EXPECT_EQ(seek(b, 1052), 26);
}

TEST_F(Seek, OldDataIsSearchedToo) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < 1200; ++i) times.push_back(kTestWallMs + i / 2 * 100);
  const gantry_queue queue = filled_at("A", times, 16000);
  for (const int i : {0, 1, 2, 77, 300, 301, 600, 1000, 1198, 1199}) {
    const std::int64_t ms = times[static_cast<std::size_t>(i)];
    EXPECT_EQ(seek(queue, ms), i / 2 * 2) << i;
    EXPECT_EQ(seek(queue, ms - 1), i / 2 * 2) << i;
    EXPECT_EQ(seek(queue, ms + 1), i / 2 * 2 + 2) << i;
  }
}

TEST_F(Seek, AQueueNeverGivenIsNotFound) { (void)seek(999999, 0, GANTRY_E_NOT_FOUND); }

}  // namespace
}  // namespace gantry::test
