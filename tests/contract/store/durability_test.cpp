// Durability levels: each offered one is acknowledged, each other one is refused by name, sync raises what came before.
#include "fixture.h"

namespace gantry::test {
namespace {

using Durability = StoreContract;

constexpr std::uint32_t kLevels[] = {GANTRY_DURABILITY_MEMORY, GANTRY_DURABILITY_WRITTEN, GANTRY_DURABILITY_DURABLE};

TEST_F(Durability, EachOfferedLevelIsAcknowledgedAndEachOtherRefused) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  std::int64_t accepted = 0;
  for (const std::uint32_t level : kLevels) {
    Message m = message(queue, "body");
    m.durability = level;
    const std::int32_t rc = try_append(m, done.id(), level);
    if (level > suite().strongest) {
      EXPECT_EQ(rc, GANTRY_E_UNSUPPORTED) << level;
      continue;
    }
    ASSERT_EQ(rc, 1) << level;
    const auto cqe = done.wait_for(level);
    ASSERT_TRUE(cqe);
    EXPECT_EQ(cqe->status, GANTRY_OK);
    EXPECT_EQ(store().stat(queue).max_off, ++accepted);
  }
  EXPECT_EQ(store().stat(queue).appended_off, accepted);
}

TEST_F(Durability, LevelsMixedInOneBatchCompleteEachOnce) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 120; ++i) {
    messages.push_back(message(queue, filled(700, i)));
    messages.back().durability = std::min(kLevels[i % 3], suite().strongest);
  }
  append_all(store(), messages, 10);
  const auto got = read_queue(store(), queue);
  ASSERT_EQ(got.size(), 120u);
  for (std::size_t i = 0; i < 120; ++i) EXPECT_EQ(got.at(static_cast<std::int64_t>(i)), messages[i].expected());
}

TEST_F(Durability, OpeningWithADefaultThatIsNotOfferedIsRefusedWithARemedy) {
  if (suite().strongest == GANTRY_DURABILITY_DURABLE) GTEST_SKIP() << "this store offers every level";
  FakeHost other;
  const auto refused = make_store(other);
  const TempDir elsewhere;
  EXPECT_EQ(refused->open(elsewhere.str(), GANTRY_DURABILITY_DURABLE), GANTRY_E_CONFIG);
  EXPECT_NE(std::string(refused->error().text).find("memory"), std::string::npos) << refused->error().text;
}

TEST_F(Durability, SyncMakesEverythingAcceptedDurable) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  std::vector<Message> messages(20, message(queue, filled(5000, 2)));
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].durability = GANTRY_DURABILITY_MEMORY;
    ASSERT_EQ(try_append(messages[i], done.id(), i), 1);
  }
  std::int32_t rc = 0;
  host().on_shard(0, [&] { rc = store().table().sync(store().self(), 0, 1000, done.id()); });
  EXPECT_EQ(done.count(), 0u);
  if (suite().strongest < GANTRY_DURABILITY_DURABLE) {
    EXPECT_EQ(rc, GANTRY_E_UNSUPPORTED);
    return;
  }
  ASSERT_GE(rc, 0);
  const auto cqe = done.wait_for(1000);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  ASSERT_TRUE(done.wait_count(21));
  std::int64_t end = 0;
  for (const gantry_cqe &each : done.all()) {
    if (each.user_data != 1000) end = std::max(end, each.result + static_cast<std::int64_t>(messages[0].bytes.size()));
  }
  EXPECT_GE(store().stats().durable_pos, end);
}

TEST_F(Durability, SyncOfAnIdleStoreCompletes) {
  if (suite().strongest < GANTRY_DURABILITY_DURABLE) GTEST_SKIP() << "this store offers no sync";
  CompletionLog done(host());
  for (std::uint64_t i = 0; i < 3; ++i) {
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().sync(store().self(), 0, i, done.id()); });
    ASSERT_GE(rc, 0);
    const auto cqe = done.wait_for(i);
    ASSERT_TRUE(cqe);
    EXPECT_EQ(cqe->status, GANTRY_OK);
  }
}

TEST_F(Durability, StatsNameTheEngineAndGrowWithTheLog) {
  const gantry_queue queue = store().queue("A");
  const gantry_store_stats before = store().stats();
  EXPECT_NE(before.engine[0], '\0');
  std::vector<Message> messages(100, message(queue, filled(1000, 4)));
  append_all(store(), messages);
  const gantry_store_stats after = store().stats();
  EXPECT_EQ(after.size, sizeof(gantry_store_stats));
  EXPECT_GE(after.log_end_pos, before.log_end_pos + 100 * 1000);
  EXPECT_GE(after.bytes_written_total, before.bytes_written_total + 100 * 1000);
  EXPECT_EQ(after.queues, before.queues);
  EXPECT_GT(after.free_bytes, 0u);
  EXPECT_EQ(after.bad_records_total, 0u);
}

}  // namespace
}  // namespace gantry::test
