// The extent cache on its own: what stays, what leaves, who fills.
#include "extent_cache.hpp"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

namespace gantry::commitlog {
namespace {

constexpr std::int64_t kBytes = Extent::kBytes;

LogPos nth(std::int64_t i) { return {i * kBytes}; }

ExtentRef put(ExtentCache &cache, std::int64_t i) {
  EXPECT_TRUE(cache.claim(nth(i)));
  auto extent = std::make_shared<Extent>(cache.buffers(), nth(i), kBytes);
  std::memset(extent->data(), static_cast<int>(i % 251), static_cast<std::size_t>(kBytes));
  cache.filled(nth(i), extent);
  return extent;
}

bool has(ExtentCache &cache, std::int64_t i) { return cache.find(nth(i)) != nullptr; }

TEST(ExtentCache, HoldsNoMoreThanItsBytes) {
  for (const std::int64_t capacity : {1, 2, 5, 16}) {
    ExtentCache cache(capacity * kBytes + kBytes / 2);
    for (std::int64_t i = 0; i < 100; ++i) {
      (void)put(cache, i);
      ASSERT_LE(cache.count(), static_cast<std::size_t>(capacity));
      ASSERT_TRUE(has(cache, i)) << "what just came in is wanted now";
    }
    EXPECT_EQ(cache.count(), static_cast<std::size_t>(capacity));
  }
}

TEST(ExtentCache, WhatIsReadAheadFitsTheRoom) {
  for (std::int64_t capacity = 1; capacity <= 400; ++capacity) {
    ExtentCache cache(capacity * kBytes);
    const std::uint32_t one = cache.ahead_count(1), several = cache.ahead_count(100);
    EXPECT_EQ(one, cache.ahead_count());
    EXPECT_GE(one, 1u);
    EXPECT_LE(3 * one - 1, std::max<std::int64_t>(2, capacity / 8)) << "two groups but for the first, and the one being read";
    EXPECT_GE(several, one);
    EXPECT_LE(several, Extent::kMaxTogether);
    EXPECT_LE(several, std::max<std::int64_t>(1, capacity / 8));
  }
  EXPECT_EQ(ExtentCache(64 * kBytes).ahead_count(5), 6u);
}

TEST(ExtentCache, KnowsWhatIsHereAndWhatIsUnderWay) {
  ExtentCache cache(4 * kBytes);
  EXPECT_FALSE(cache.is_known(nth(1)));
  ASSERT_TRUE(cache.claim(nth(1)));
  EXPECT_TRUE(cache.is_known(nth(1)));
  cache.filled(nth(1), nullptr);
  EXPECT_FALSE(cache.is_known(nth(1))) << "it could not be read";
  (void)put(cache, 1);
  EXPECT_TRUE(cache.is_known(nth(1)));
}

TEST(ExtentCache, AScanHoweverOftenItLooksLeavesTheMainListAlone) {
  ExtentCache cache(8 * kBytes);
  for (std::int64_t i = 0; i < 8; ++i) (void)put(cache, i);
  for (std::int64_t i = 100; i < 104; ++i) (void)put(cache, i);  // 0 .. 3 leave and are remembered
  for (std::int64_t i = 0; i < 4; ++i) {
    ASSERT_FALSE(has(cache, i));
    (void)put(cache, i);  // asked for again
  }
  for (std::int64_t i = 200; i < 400; ++i) {
    (void)put(cache, i);
    for (int look = 0; look < 10; ++look) EXPECT_TRUE(has(cache, i));
  }
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_TRUE(has(cache, i)) << i;
}

TEST(ExtentCache, OfTheMainListTheLeastRecentlyUsedLeaves) {
  ExtentCache cache(4 * kBytes);  // one on probation, three in the main list
  const auto make_main = [&](std::int64_t i) {
    (void)put(cache, i);
    for (std::int64_t other = 1000 + 10 * i; has(cache, i); ++other) (void)put(cache, other);
    (void)put(cache, i);
  };
  for (const std::int64_t i : {1, 2, 3}) make_main(i);
  ASSERT_TRUE(has(cache, 2) && has(cache, 3) && has(cache, 1));  // 2 is now the oldest
  make_main(4);
  EXPECT_TRUE(has(cache, 1));
  EXPECT_FALSE(has(cache, 2));
  EXPECT_TRUE(has(cache, 3));
  EXPECT_TRUE(has(cache, 4));
}

TEST(ExtentCache, WhatIsPinnedKeepsItsBytesAfterItLeft) {
  ExtentRef pinned;
  {
    ExtentCache cache(2 * kBytes);
    pinned = put(cache, 7);
    for (std::int64_t i = 20; i < 40; ++i) (void)put(cache, i);
    EXPECT_FALSE(has(cache, 7));
  }
  for (std::int64_t at = 0; at < kBytes; at += 1000) ASSERT_EQ(*pinned->at(nth(7) + at), 7);
}

TEST(ExtentCache, WhatIsDroppedLeavesAndDoesNotComeBack) {
  ExtentCache cache(8 * kBytes);
  for (std::int64_t i = 0; i < 4; ++i) (void)put(cache, i);
  ASSERT_TRUE(cache.claim(nth(10)));
  ASSERT_EQ(cache.find_or_claim(nth(5)), nullptr);
  cache.drop_before(nth(6));
  EXPECT_EQ(cache.count(), 0u);
  EXPECT_FALSE(cache.claim(nth(5))) << "nobody needs to read it ahead";
  cache.filled(nth(5), std::make_shared<Extent>(cache.buffers(), nth(5), kBytes));  // it was under way
  EXPECT_FALSE(has(cache, 5));
  cache.filled(nth(10), std::make_shared<Extent>(cache.buffers(), nth(10), kBytes));
  EXPECT_TRUE(has(cache, 10));
}

TEST(ExtentCache, OneFillsWhileOthersWait) {
  ExtentCache cache(4 * kBytes);
  ASSERT_EQ(cache.find_or_claim(nth(1)), nullptr);
  EXPECT_FALSE(cache.claim(nth(1)));
  std::atomic<int> served{0};
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      const ExtentRef extent = cache.find_or_claim(nth(1));
      if (extent != nullptr && extent->begin() == nth(1)) ++served;
    });
  }
  cache.filled(nth(1), std::make_shared<Extent>(cache.buffers(), nth(1), kBytes));
  for (std::thread &other : others) other.join();
  EXPECT_EQ(served, 3);
}

TEST(ExtentCache, AFillThatFailsPassesTheClaimOn) {
  ExtentCache cache(4 * kBytes);
  ASSERT_EQ(cache.find_or_claim(nth(1)), nullptr);
  std::atomic<bool> claimed{false};
  std::thread other([&] {
    claimed = cache.find_or_claim(nth(1)) == nullptr;
    cache.filled(nth(1), nullptr);
  });
  cache.filled(nth(1), nullptr);
  other.join();
  EXPECT_TRUE(claimed);
  EXPECT_TRUE(cache.claim(nth(1)));
}

TEST(ExtentCache, WhatNobodyAsksForLeavesAfterAWhile) {
  ExtentCache cache(8 * kBytes);
  for (std::int64_t i = 0; i < 4; ++i) (void)put(cache, i);
  const ExtentRef pinned = cache.find(nth(3));
  for (std::uint32_t round = 0; round < ExtentCache::kIdleRounds; ++round) {
    cache.age();
    EXPECT_TRUE(has(cache, 2)) << "asked for in each round";
    EXPECT_EQ(cache.count(), 4u) << "not yet";
  }
  cache.age();
  EXPECT_EQ(cache.count(), 1u);
  EXPECT_TRUE(has(cache, 2));
  EXPECT_EQ(pinned->at(nth(3))[0], 3) << "whoever holds one keeps it";
  for (std::uint32_t round = 0; round <= ExtentCache::kIdleRounds; ++round) cache.age();
  EXPECT_EQ(cache.count(), 0u);
  (void)put(cache, 2);
  EXPECT_TRUE(has(cache, 2)) << "and can come in again";
}

TEST(ExtentCache, OfTheMainListTooWhatNobodyAsksForLeaves) {
  ExtentCache cache(4 * kBytes);
  for (std::int64_t i = 0; i < 6; ++i) (void)put(cache, i);
  (void)put(cache, 1);  // asked for again after it left
  for (std::uint32_t round = 0; round <= ExtentCache::kIdleRounds; ++round) cache.age();
  EXPECT_EQ(cache.count(), 0u);
  EXPECT_TRUE(cache.claim(nth(1)));
}

TEST(ExtentCache, DamagedRecordsAreFoundByPosition) {
  ExtentCache cache(kBytes);
  Extent extent(cache.buffers(), nth(3), kBytes);
  EXPECT_FALSE(extent.is_bad(nth(3)));
  extent.bad = {nth(3) + 10, nth(3) + 500};
  EXPECT_TRUE(extent.is_bad(nth(3) + 10));
  EXPECT_TRUE(extent.is_bad(nth(3) + 500));
  EXPECT_FALSE(extent.is_bad(nth(3) + 499));
  EXPECT_TRUE(extent.ask_ahead());
  EXPECT_FALSE(extent.ask_ahead()) << "once";
}

}  // namespace
}  // namespace gantry::commitlog
