// Reads of sealed segments: their index comes from run files once, then from windows in memory.
#include "harness.h"

#include "index_windows.hpp"

namespace gantry::test {
namespace {

using commitlog::IndexWindow;
using commitlog::IndexWindowRef;
using commitlog::IndexWindows;

constexpr std::int64_t kWindowBytes = IndexWindow::kEntries * sizeof(IndexWindow::Row);

IndexWindowRef window_from(std::int64_t first) {
  auto window = std::make_shared<IndexWindow>();
  window->first = {first};
  window->rows.resize(IndexWindow::kEntries);
  return window;
}

TEST(IndexWindows, AWindowIsFoundByEachOfItsEntriesAndNoOther) {
  IndexWindows windows(4 * kWindowBytes);
  windows.put(7, 2, 1500, window_from(1024));
  EXPECT_NE(windows.find(7, 2, 1024), nullptr);
  EXPECT_NE(windows.find(7, 2, 2047), nullptr);
  EXPECT_EQ(windows.find(7, 2, 1023), nullptr);
  EXPECT_EQ(windows.find(7, 2, 2048), nullptr);
  EXPECT_EQ(windows.find(8, 2, 1500), nullptr);
  EXPECT_EQ(windows.find(7, 3, 1500), nullptr);
}

TEST(IndexWindows, TheLeastRecentlyUsedLeavesAndStaysWholeForItsReader) {
  IndexWindows windows(2 * kWindowBytes);
  windows.put(1, 0, 0, window_from(0));
  windows.put(2, 0, 0, window_from(0));
  const IndexWindowRef kept = windows.find(2, 0, 0);
  ASSERT_NE(windows.find(1, 0, 0), nullptr);
  windows.put(3, 0, 0, window_from(0));
  EXPECT_NE(windows.find(1, 0, 0), nullptr);
  EXPECT_EQ(windows.find(2, 0, 0), nullptr);
  EXPECT_NE(windows.find(3, 0, 0), nullptr);
  EXPECT_EQ(kept->rows.size(), IndexWindow::kEntries);
}

TEST(IndexWindows, HoldsOneHoweverLittleRoomThereIs) {
  IndexWindows windows(0);
  windows.put(1, 0, 0, window_from(0));
  EXPECT_NE(windows.find(1, 0, 5), nullptr);
}

class SealedRead : public CommitlogTest {
 protected:
  void SetUp() override { config["read_cache"] = "16 MiB"; }
  // Some segments whose index is in run files alone.
  void fill() {
    open();
    for (int i = 0; i < 30; ++i) send(queue(), 300, 700, 60);
    wait_for("runs", [&] { return runs().size() >= 5; });
    wait_for("the first index left memory", [&] { return !inline_read(queue(), 0, IndexWindow::kEntries); });
  }
  // Reads on to that offset; every record must be right. Returns how many reads were not answered at once.
  int scan(std::int64_t from, std::int64_t to) {
    int handed_over = 0;
    for (std::int64_t at = from; at < to;) {
      if (!inline_read(queue(), at)) ++handed_over;
      const ReadResult got = store().read(queue(), at);
      expect_records(got, at);
      if (HasFatalFailure() || got->n == 0) return -1;
      at = got->next_off;
    }
    return handed_over;
  }
};

TEST_F(SealedRead, AfterTheFirstReadTheNextOnesAreAnsweredAtOnce) {
  fill();
  EXPECT_FALSE(inline_read(queue(), 0)) << "neither entries nor records are in memory";
  const ReadResult again = inline_read(queue(), 0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->n, 32u);
  expect_records(again, 0);
  EXPECT_TRUE(inline_read(queue(), 100)) << "the same window and extent";
}

TEST_F(SealedRead, AScanOverManySegmentsIsCompleteAndMostlyAnsweredAtOnce) {
  fill();
  const int handed_over = scan(0, 6000);
  ASSERT_GE(handed_over, 1);
  EXPECT_LT(handed_over, 6000 / 32 / 2);
  EXPECT_EQ(scan(0, 6000), 0) << "everything is in memory now";
}

TEST_F(SealedRead, TagsAreChosenFromAWindowAsFromTheRun) {
  fill();
  const std::int64_t tag = sent[3].links[0].tag;
  std::vector<std::int64_t> want;
  for (std::size_t i = 0; i < 1000; ++i)
    if (sent[i].links[0].tag == tag) want.push_back(static_cast<std::int64_t>(i));
  for (int round = 0; round < 2; ++round) {
    std::vector<std::int64_t> got;
    for (std::int64_t at = 0; at < 1000;) {
      (void)inline_read(queue(), at, 32, {tag});
      const ReadResult some = inline_read(queue(), at, 32, {tag});
      ASSERT_TRUE(some) << "offset " << at;
      for (std::size_t i = 0; i < some->n; ++i)
        if (some->records[i].queue_off < 1000) got.push_back(some->records[i].queue_off);
      ASSERT_GT(some->next_off, at);
      at = some->next_off;
    }
    EXPECT_EQ(got, want);
  }
}

TEST(IndexWindows, WhatNobodyAsksForLeavesAfterAWhile) {
  using commitlog::IndexWindows;
  IndexWindows windows(1 << 20);
  for (std::uint32_t queue = 0; queue < 4; ++queue) windows.put(queue, 0, 0, std::make_shared<commitlog::IndexWindow>());
  for (std::uint32_t round = 0; round <= IndexWindows::kIdleRounds; ++round) {
    EXPECT_EQ(windows.count(), 4u);
    EXPECT_NE(windows.find(2, 0, 17), nullptr);
    windows.age();
  }
  EXPECT_EQ(windows.count(), 1u);
  EXPECT_NE(windows.find(2, 0, 17), nullptr);
  EXPECT_EQ(windows.find(1, 0, 17), nullptr);
}

TEST_F(SealedRead, ADamagedRecordIsSkippedEachTime) {
  fill();
  close();  // what was read before is in memory
  flip(segments().front(), sent[10].phys_pos + 100);
  open();
  const gantry_queue q = recovered();
  for (int round = 0; round < 3; ++round) {
    const ReadResult before = store().read(q, 5);
    EXPECT_EQ(before->n, 5u);
    expect_records(before, 5);
    EXPECT_EQ(before->stop, GANTRY_STOP_BAD);
    expect_records(store().read(q, 11), 11);
  }
  EXPECT_TRUE(inline_read(q, 11));
  EXPECT_EQ(store().stats().bad_records_total, 1u);
}

TEST_F(SealedRead, AfterAStartItIsTheSame) {
  fill();
  reopen();
  const gantry_queue q = recovered();
  for (std::int64_t at = 0; at < 3000;) {
    (void)inline_read(q, at);
    const ReadResult got = inline_read(q, at);
    ASSERT_TRUE(got) << "offset " << at;
    ASSERT_NO_FATAL_FAILURE(expect_records(got, at));
    at = got->next_off;
  }
}

}  // namespace
}  // namespace gantry::test
