// Look-ups by key over damage, and while records are on their way to the disk.
#include "harness.h"

namespace gantry::test {
namespace {

using CommitlogKeys = CommitlogTest;

TEST_F(CommitlogKeys, KeysAreFoundWhateverHappenedToTheRuns) {
  open();
  std::vector<Message> messages;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    messages.push_back(message(queue(), filled(5000, i)));
    messages.back().key_hashes = {i << 32, 7};
  }
  append_all(store(), messages, 20);
  wait_for("runs", [&] { return runs().size() >= 4; });
  const auto expect_keys = [&] {
    for (std::uint64_t i = 0; i < messages.size(); ++i) {
      const ReadResult got = store().query_key(i << 32);
      ASSERT_EQ(got->n, 1u) << i;
      ASSERT_EQ(got.bytes(0), messages[i].expected());
    }
    std::size_t found = 0;
    for (std::int64_t before = INT64_MAX; before >= 0;) {
      const ReadResult got = store().query_key(7, 64, before);
      for (std::size_t i = 0; i < got->n; ++i) ASSERT_EQ(got->records[i].phys_pos, messages[messages.size() - ++found].phys_pos);
      before = got->next_off;
    }
    EXPECT_EQ(found, messages.size());
  };
  expect_keys();
  close();
  const auto paths = runs();
  std::filesystem::remove(paths[0]);
  const auto keys_end = [&](std::size_t i) { return static_cast<std::int64_t>(std::filesystem::file_size(paths[i])) - 128; };
  flip(paths[1], keys_end(1) + 60);   // footer: seen at the open
  flip(paths[2], keys_end(2) - 16);   // the hash of the last key: seen when first read
  flip(paths[3], keys_end(3) - 8);    // its record's place
  open();
  expect_keys();
  EXPECT_TRUE(host().logged("rebuilding"));
  EXPECT_EQ(store().stats().bad_records_total, 0u);
  crash();
  open();
  expect_keys();
}

TEST_F(CommitlogKeys, ARecordThatRotsIsLeftOutOfWhatItsKeyFinds) {
  open();
  std::vector<Message> messages;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    messages.push_back(message(queue(), filled(5000, i)));
    messages.back().key_hashes = {i % 50};
  }
  append_all(store(), messages, 20);
  wait_for("a run", [&] { return runs().size() >= 2; });
  close();
  flip(segments().front(), messages[33].phys_pos + 1000);
  open();
  const ReadResult got = store().query_key(33, 64);
  ASSERT_EQ(got->n, 19u);
  EXPECT_EQ(got.bytes(18), messages[83].expected());
  EXPECT_EQ(got->next_off, -1);
  EXPECT_EQ(store().stats().bad_records_total, 1u);
}

TEST_F(CommitlogKeys, AKeyIsFoundBeforeItsRecordIsOnDiskAndOnlyOnceItIsAcknowledged) {
  level = GANTRY_DURABILITY_WRITTEN;
  open();
  const gantry_queue q = queue();
  send(q, 1);
  disk->hold_writes = true;
  Message fast = message(q, "in memory"), slow = message(q, "to be written");
  fast.key_hashes = slow.key_hashes = {42};
  fast.durability = GANTRY_DURABILITY_MEMORY;
  fast = append_one(store(), fast);
  CompletionLog done(host());
  AppendBatch batch(&slow, 1, 0);
  host().on_shard(0, [&] { ASSERT_EQ(store().table().append(store().self(), 0, batch.data(), 1, done.id()), 1); });
  {
    const ReadResult got = store().query_key(42);
    ASSERT_EQ(got->n, 1u);
    EXPECT_EQ(got.bytes(0), fast.expected());
    EXPECT_EQ(got->next_off, -1);
  }
  EXPECT_EQ(done.count(), 0u);
  disk->release_writes();
  ASSERT_TRUE(done.wait_count(1));
  slow.phys_pos = done.all()[0].result;
  const ReadResult got = store().query_key(42);
  ASSERT_EQ(got->n, 2u);
  EXPECT_EQ(got.bytes(0), slow.expected());
  EXPECT_EQ(got.bytes(1), fast.expected());
}

}  // namespace
}  // namespace gantry::test
