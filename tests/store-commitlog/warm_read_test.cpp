// Reads of records that left the hot cache: from disk once, then in place from the read cache.
#include "harness.h"

#include "extent_cache.hpp"

#include <algorithm>
#include <atomic>

namespace gantry::test {
namespace {

using commitlog::Extent;

class WarmRead : public CommitlogTest {
 protected:
  void SetUp() override {
    config["segment_size"] = "64 MiB";  // one segment: its index stays in memory
    config["hot_cache"] = "4 MiB";
    config["read_cache"] = "16 MiB";
    disk->on_read = [this](std::uint64_t) {
      ++reads;
      return 0;
    };
  }
  // Enough for some MiB that are no longer hot.
  void fill(std::size_t body_bytes = 1000) {
    open();
    for (int i = 0; i < 20; ++i) send(queue(), std::max<std::size_t>(1, (400 << 10) / body_bytes), body_bytes, 64);
    reads = 0;
  }
  std::int64_t extent_of(std::size_t i) const { return sent[i].phys_pos / Extent::kBytes; }
  // First record from `from` on that lies in two extents.
  std::size_t across(std::size_t from = 0) const {
    while (extent_of(from) == (sent[from].phys_pos + static_cast<std::int64_t>(sent[from].bytes.size()) - 1) / Extent::kBytes) ++from;
    return from;
  }

  std::atomic<int> reads{0};
};

TEST_F(WarmRead, TheSecondReadIsAnsweredAtOnceInPlace) {
  fill();
  EXPECT_FALSE(inline_read(queue(), 0)) << "nobody read it yet";
  const int cold = reads;
  EXPECT_EQ(cold, 1);
  const ReadResult first = inline_read(queue(), 0), second = inline_read(queue(), 0);
  ASSERT_TRUE(first && second);
  expect_records(first, 0);
  EXPECT_EQ(first->n, 32u);
  EXPECT_EQ(first->records[0].bytes.p, second->records[0].bytes.p) << "both show the same bytes";
}

TEST_F(WarmRead, AScanFindsWhatComesNextReadAhead) {
  fill();
  ASSERT_FALSE(inline_read(queue(), 0));
  EXPECT_EQ(reads, 1);
  ASSERT_TRUE(inline_read(queue(), 0));
  wait_for("the second extent, which nobody asked for", [&] { return reads >= 2; });
  std::int64_t at = 0;
  while (extent_of(static_cast<std::size_t>(at)) < 1) {
    const ReadResult got = store().read(queue(), at);
    ASSERT_NO_FATAL_FAILURE(expect_records(got, at));
    at = got->next_off;
  }
  (void)store().read(queue(), at);
  wait_for("two more: this reader goes on", [&] { return reads >= 4; });
  while (extent_of(static_cast<std::size_t>(at)) < 8) {
    const ReadResult got = store().read(queue(), at);
    ASSERT_NO_FATAL_FAILURE(expect_records(got, at));
    at = got->next_off;
  }
  EXPECT_LE(reads, 17) << "every extent is read once: nine, and eight ahead at most";
  EXPECT_LT(disk->calls_of_pieces, reads - 4) << "most of them together";
}

TEST_F(WarmRead, AReadOverSeveralExtentsFindsAsManyReadAhead) {
  fill();
  const auto first_in = [&](std::int64_t extent) {
    return static_cast<std::int64_t>(std::find_if(sent.begin(), sent.end(), [&](const Message &m) { return m.phys_pos >= extent * Extent::kBytes; }) - sent.begin());
  };
  ASSERT_FALSE(inline_read(queue(), 0));
  ASSERT_TRUE(inline_read(queue(), 0));
  wait_for("the second extent", [&] { return reads >= 2; });
  const ReadResult wide = store().read(queue(), first_in(1), 1024);
  expect_records(wide, first_in(1));
  const std::int64_t last = extent_of(static_cast<std::size_t>(wide->next_off) - 1);
  ASSERT_GE(last, 4) << "over more than are read ahead otherwise";
  ASSERT_LE(last, 6);
  EXPECT_LE(disk->calls_of_pieces, 3) << "what it lacked came with one call, and so does what is behind";
  wait_for("one more than it went over", [&] { return reads >= 2 * last + 2; });
  expect_records(store().read(queue(), first_in(2 * last + 1), 1), first_in(2 * last + 1));
  EXPECT_EQ(reads, 2 * last + 2) << "each once";
  EXPECT_TRUE(inline_read(queue(), wide->next_off, 1024)) << "the next one need not wait";
}

// The way with one call for several extents beside the one that reads each alone: faults and damage end in the same.
TEST_F(WarmRead, DamageInWhatIsReadAheadIsFoundOnceAndSkipped) {
  fill();
  const auto bad = static_cast<std::size_t>(std::find_if(sent.begin(), sent.end(), [](const Message &m) { return m.phys_pos > 3 * Extent::kBytes + 5000; }) - sent.begin());
  ASSERT_EQ(extent_of(bad), 3);
  flip(segments().front(), sent[bad].phys_pos + 500);
  ASSERT_FALSE(inline_read(queue(), 0));
  std::vector<std::int64_t> skipped;
  for (std::int64_t at = 0; extent_of(static_cast<std::size_t>(at)) < 8;) {
    const ReadResult got = store().read(queue(), at);
    if (got->n != 0) {
      ASSERT_NO_FATAL_FAILURE(expect_records(got, at));
    }
    if (got->stop == GANTRY_STOP_BAD) skipped.push_back(got->next_off - 1);
    ASSERT_GT(got->next_off, at);
    at = got->next_off;
  }
  EXPECT_EQ(skipped, (std::vector<std::int64_t>{static_cast<std::int64_t>(bad)}));
  EXPECT_GT(disk->calls_of_pieces, 0);
  EXPECT_EQ(store().stats().bad_records_total, 1u);
}

TEST_F(WarmRead, FaultsWhileReadingAheadDoNotReachTheConsumer) {
  std::atomic<int> seen{0};
  disk->on_read = [&](std::uint64_t) {  // fails the first buffer of each call
    const int calls = disk->calls_of_pieces;
    return seen.exchange(calls) != calls ? EIO : 0;
  };
  fill();
  for (std::int64_t at = 0; extent_of(static_cast<std::size_t>(at)) < 12;) {
    const ReadResult got = store().read(queue(), at);
    ASSERT_NO_FATAL_FAILURE(expect_records(got, at));
    ASSERT_NE(got->stop, GANTRY_STOP_BAD);
    ASSERT_GT(got->next_off, at);
    at = got->next_off;
  }
  EXPECT_GT(disk->calls_of_pieces, 0);
  EXPECT_EQ(store().stats().bad_records_total, 0u);
}

TEST_F(WarmRead, ARecordInTwoExtentsComesWhole) {
  fill();
  const std::size_t at = across();
  ASSERT_FALSE(inline_read(queue(), static_cast<std::int64_t>(at) - 3, 8));
  const ReadResult got = inline_read(queue(), static_cast<std::int64_t>(at) - 3, 8);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->n, 8u);
  expect_records(got, static_cast<std::int64_t>(at) - 3);
}

TEST_F(WarmRead, ARecordLargerThanExtentsComesWhole) {
  fill(700'000);
  for (const std::int64_t at : {0, 1, 0, 2}) expect_records(store().read(queue(), at, 1), at);
  expect_records(store().read(queue(), 0, 3), 0);
}

TEST_F(WarmRead, AReadOverMoreExtentsThanMayBePinnedIsCopiedAndComplete) {
  open();
  const gantry_queue rare = queue("Rare");
  std::vector<Message> kept;
  for (int i = 0; i < 40; ++i) {
    send(rare, 1, 1000, 1);
    kept.push_back(sent.back());
    send(queue("Noise"), 300, 1000, 60);
  }
  wait_for("they are cold", [&] { return !inline_read(rare, 0, 24); });
  const ReadResult got = store().read(rare, 0, 24);
  ASSERT_EQ(got->n, 24u);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(got.bytes(i), kept[i].expected());
}

TEST_F(WarmRead, AResultKeepsItsBytesWhenItsExtentLeftTheCacheAndTheStoreIsGone) {
  config["read_cache"] = "1 MiB";
  fill();
  (void)inline_read(queue(), 0);
  const ReadResult kept = inline_read(queue(), 0);
  ASSERT_TRUE(kept);
  for (std::int64_t at = 300; at < 3000; at += 64) (void)store().read(queue(), at, 64);
  EXPECT_FALSE(inline_read(queue(), 0)) << "its extent should have left by now";
  expect_records(kept, 0);
  close();
  expect_records(kept, 0);
}

TEST_F(WarmRead, ADamagedRecordIsFoundOnceAndSkippedEachTime) {
  fill();
  flip(segments().front(), sent[10].phys_pos + 500);
  for (int round = 0; round < 3; ++round) {
    const ReadResult before = store().read(queue(), 5);
    EXPECT_EQ(before->n, 5u);
    expect_records(before, 5);
    EXPECT_EQ(before->stop, GANTRY_STOP_BAD);
    EXPECT_EQ(before->next_off, 11);
    const ReadResult at = store().read(queue(), 10);
    EXPECT_EQ(at->n, 0u);
    EXPECT_EQ(at->stop, GANTRY_STOP_BAD);
    EXPECT_EQ(at->next_off, 11);
    expect_records(store().read(queue(), 11), 11);
    std::int32_t status = GANTRY_OK;
    (void)store().read_at(sent[10].phys_pos, &status);
    EXPECT_EQ(status, GANTRY_E_CORRUPT);
  }
  EXPECT_EQ(store().stats().bad_records_total, 1u);
  EXPECT_TRUE(host().logged("at log position " + std::to_string(sent[10].phys_pos)));
  EXPECT_TRUE(inline_read(queue(), 11));
}

TEST_F(WarmRead, ADamagedRecordInTwoExtentsIsSkippedAlone) {
  fill();
  const std::size_t bad = across();
  flip(segments().front(), sent[bad].phys_pos + 4);
  for (int round = 0; round < 2; ++round) {
    std::map<std::int64_t, std::string> good;
    std::int64_t at = static_cast<std::int64_t>(bad) - 4, skipped = -1;
    while (at < static_cast<std::int64_t>(bad) + 4) {
      const ReadResult got = store().read(queue(), at, 4);
      for (std::size_t i = 0; i < got->n; ++i) good[got->records[i].queue_off] = got.bytes(i);
      if (got->stop == GANTRY_STOP_BAD) skipped = got->next_off - 1;
      ASSERT_GT(got->next_off, at);
      at = got->next_off;
    }
    EXPECT_EQ(skipped, static_cast<std::int64_t>(bad));
    EXPECT_FALSE(good.contains(static_cast<std::int64_t>(bad)));
    for (const auto &[offset, bytes] : good) EXPECT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
    EXPECT_GE(good.size(), 7u);
  }
}

TEST_F(WarmRead, AnExtentThatCannotBeReadCostsOnlyWhatCannotBeReadAlone) {
  std::atomic<int> fail{0};
  disk->on_read = [&](std::uint64_t) { return fail > 0 && fail-- > 0 ? EIO : 0; };
  fill();
  fail = 2;  // both tries of the extent; the record's own blocks can be read
  const ReadResult got = store().read(queue(), 3);
  ASSERT_EQ(got->n, 1u);
  expect_records(got, 3);
  EXPECT_EQ(got->next_off, 4);
  fail = 3;
  const ReadResult lost = store().read(queue(), 4);
  EXPECT_EQ(lost->n, 0u);
  EXPECT_EQ(lost->stop, GANTRY_STOP_BAD);
  EXPECT_EQ(store().stats().bad_records_total, 1u);
  expect_records(store().read(queue(), 4), 4);
}

TEST_F(WarmRead, AfterAStartWhatIsBehindTheLastWriteIsReadToo) {
  open();
  send(queue(), 20, 1000);
  reopen();
  send(recovered(), 20, 1000);
  expect_all(recovered());
  for (int round = 0; round < 2; ++round) expect_records(store().read(recovered(), 0, 20), 0);
}

TEST_F(WarmRead, ReadsAtTheOldestEndGoOnWhileSegmentsAreDropped) {
  config["segment_size"] = "1 MiB";
  config["retention_bytes"] = "8 MiB";
  config["checkpoint_every"] = "1 MiB";
  open();
  // Twice as much as is kept, with a reader at the oldest end all along.
  for (int i = 0; i < 80; ++i) {
    send(queue(), 40, 5000, 20);
    const std::int64_t oldest = store().stat(queue()).min_off;
    const ReadResult got = store().read(queue(), oldest, 8);
    if (got->stop != GANTRY_STOP_RANGE) expect_records(got, oldest);
  }
  wait_for("old segments go", [&] { return store().stat(queue()).min_off > 0; });
  const ReadResult gone = store().read(queue(), 0, 8);
  EXPECT_EQ(gone->n, 0u);
  EXPECT_EQ(gone->stop, GANTRY_STOP_RANGE);
  const std::int64_t oldest = store().stat(queue()).min_off;
  const ReadResult got = store().read(queue(), oldest, 8);
  if (got->stop != GANTRY_STOP_RANGE) expect_records(got, oldest);
}

}  // namespace
}  // namespace gantry::test
