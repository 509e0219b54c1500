// Parts on their own: arena, queue table, segment index, engines.
#include "arena.hpp"
#include "index_view.hpp"
#include "io_engine.hpp"
#include "queue_table.hpp"
#include "seek.hpp"
#include "segment_index.hpp"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

namespace gantry::commitlog {
namespace {

TEST(Arena, RoomComesOnlyWithWrittenAndUnpinnedChunks) {
  auto made = Arena::create(1 << 20);
  ASSERT_TRUE(made);
  Arena &arena = **made;
  const std::int64_t chunk = (1 << 20) / Arena::kChunks;
  arena.start_at({chunk * 3});
  EXPECT_TRUE(arena.make_room({chunk * 3 + (1 << 20)}, {0}));
  EXPECT_FALSE(arena.make_room({chunk * 3 + (1 << 20) + 1}, {chunk * 3})) << "not written yet";
  EXPECT_TRUE(arena.make_room({chunk * 3 + (1 << 20) + 1}, {chunk * 4}));
  EXPECT_EQ(arena.hot_begin().v, chunk * 4);
  std::uint64_t mask = 0;
  arena.pin({chunk * 4 + 10}, chunk, &mask);  // reaches into the next chunk
  EXPECT_FALSE(arena.make_room({chunk * 5 + (1 << 20)}, {1 << 30}));
  arena.unpin(mask);
  EXPECT_TRUE(arena.make_room({chunk * 5 + (1 << 20)}, {1 << 30}));
  arena.release();
}

// Few and many, spread hashes and equal ones, equal upper halves, in any order before.
TEST(KeyRows, AreSortedByHashThenOffset) {
  std::mt19937_64 random(7);
  const auto before = [](const KeyRow &a, const KeyRow &b) { return a.hash != b.hash ? a.hash < b.hash : a.offset < b.offset; };
  for (const std::size_t n : {0, 1, 255, 256, 257, 20'000}) {
    for (const int kind : {0, 1, 2}) {
      std::vector<KeyRow> keys(n);
      for (KeyRow &key : keys) key = {kind == 0 ? random() : kind == 1 ? random() % 5 : (random() % 3 << 32 | random() % 100), static_cast<std::uint32_t>(random()), 0};
      std::vector<KeyRow> wanted = keys;
      std::sort(wanted.begin(), wanted.end(), before);
      sort_keys(keys);
      ASSERT_EQ(keys.size(), n);
      for (std::size_t i = 0; i < n; ++i) ASSERT_TRUE(keys[i].hash == wanted[i].hash && keys[i].offset == wanted[i].offset) << n << " of kind " << kind << " at " << i;
    }
  }
}

TEST(Queues, HandlesAreDenseNamesUniqueAndDroppedHandlesNeverComeBack) {
  QueueTable queues;
  EXPECT_EQ(queues.add("a", 0, 0), 0u);
  EXPECT_EQ(queues.add("a", 1, 0), 1u);
  EXPECT_EQ(queues.add("b", 0, 1), 2u);
  EXPECT_EQ(queues.find("a", 1), 1u);
  EXPECT_EQ(queues.find("a", 2), GANTRY_NO_QUEUE);
  EXPECT_EQ(queues.find("c", 0), GANTRY_NO_QUEUE);
  queues.drop(1);
  EXPECT_EQ(queues.get(1), nullptr);
  EXPECT_EQ(queues.find("a", 1), GANTRY_NO_QUEUE);
  EXPECT_EQ(queues.add("a", 1, 0), 3u);
  EXPECT_EQ(queues.alive(), 3u);
  EXPECT_FALSE(queues.add_at(2, "z", 0, 0)) << "the handle is taken";
  EXPECT_FALSE(queues.add_at(9, "b", 0, 0)) << "the name is taken";
  EXPECT_TRUE(queues.add_at(5000, "z", 0, 0));
  EXPECT_EQ(queues.size(), 5001u);
  EXPECT_EQ(queues.get(4000), nullptr);
}

TEST(SegmentIndex, EntriesOfManyQueuesComeBackInOrder) {
  SegmentIndex index(0);
  std::vector<QueuePart *> parts;
  for (std::uint32_t q = 0; q < 5; ++q) parts.push_back(index.add_part(q, {static_cast<std::int64_t>(q) * 1000}));
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const std::uint32_t record = index.add_record({i * 100, 90, i, 0});
    index.add_entry(parts[i % 5], record, i);
    index.add_key(i, i * 100);
  }
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const Entry &entry = parts[i % 5]->at(i / 5);
    ASSERT_EQ(entry.record, i);
    ASSERT_EQ(entry.tag, i);
    ASSERT_EQ(index.record(i).crc, i);
    ASSERT_EQ(index.key(i).hash, i);
  }
  EXPECT_EQ(index.find_record(12300), 123u);
  EXPECT_EQ(index.find_record(12301), kNoRecord);
  EXPECT_EQ(index.find_record(2000000), kNoRecord);
}

TEST(Seek, UnknownTimesTakeThatOfTheNextKnownOne) {
  const std::array<std::int64_t, 6> times{10, 0, 20, 0, 0, 0};
  const auto find = [&](std::int64_t ms) { return first_not_before(6, ms, [&](std::uint32_t i) { return times[i]; }); };
  EXPECT_EQ(find(5), 0u);
  EXPECT_EQ(find(10), 0u);
  EXPECT_EQ(find(11), 1u);
  EXPECT_EQ(find(20), 1u);
  EXPECT_EQ(find(21), 3u);
}

class Engines : public ::testing::TestWithParam<bool> {};

TEST_P(Engines, WritesLandWhereToldAndFailuresAreReported) {
  auto made = GetParam() ? make_uring_engine() : make_pwrite_engine("");
  if (!made) GTEST_SKIP() << made.error().text;
  IoEngine &engine = **made;
  const test::TempDir dir;
  const int fd = ::open((dir.str() + "/f").c_str(), O_RDWR | O_CREAT, 0600), read_only = ::open((dir.str() + "/f").c_str(), O_RDONLY);
  const AlignedBuffer data(4 * kBlock);
  for (std::size_t i = 0; i < 4 * kBlock; ++i) data.data()[i] = static_cast<std::uint8_t>(i / kBlock + 1);
  const WriteOp ops[] = {{1, data.data(), 0, kBlock, fd, false},
                         {2, data.data() + kBlock, 8192, kBlock, fd, true},
                         {3, data.data(), 0, kBlock, read_only, false},
                         {4, data.data() + 2 * kBlock, 4096, kBlock, fd, true}};
  engine.submit(ops);
  std::map<std::uint64_t, std::int64_t> results;
  ASSERT_TRUE(test::poll_until([&] {
    std::array<WriteDone, 2> done;
    pollfd wait{engine.event_fd(), POLLIN, 0};
    ::poll(&wait, 1, 10);
    const std::size_t n = engine.reap(done);
    for (std::size_t i = 0; i < n; ++i) EXPECT_TRUE(results.emplace(done[i].cookie, done[i].result).second);
    return results.size() == 4;
  }));
  EXPECT_EQ(results[1], kBlock);
  EXPECT_EQ(results[2], kBlock);
  EXPECT_EQ(results[3], -EBADF);
  EXPECT_EQ(results[4], kBlock);
  const AlignedBuffer back(3 * kBlock);
  ASSERT_EQ(::pread(fd, back.data(), back.size(), 0), 3 * kBlock);
  EXPECT_EQ(back.data()[0], 1);
  EXPECT_EQ(back.data()[kBlock], 3);
  EXPECT_EQ(back.data()[2 * kBlock], 2);
  ::close(fd);
  ::close(read_only);
}
INSTANTIATE_TEST_SUITE_P(Both, Engines, ::testing::Bool(), [](const auto &each) { return each.param ? "io_uring" : "pwrite"; });

}  // namespace
}  // namespace gantry::commitlog
