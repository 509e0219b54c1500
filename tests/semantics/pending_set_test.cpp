#include "kernel/semantics/pending_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace gantry::semantics {
namespace {

constexpr std::int64_t kChunk = PendingSet::kChunk;
constexpr std::int64_t kNever = PendingSet::kNever;

// A hidden queue as the log has it, and what an owner of a set does with it.
struct World {
  explicit World(PendingLimits limits = {}) : set(limits) {}

  void hold(std::int64_t due_ms) {
    dues.push_back(due_ms);
    set.on_held(static_cast<std::int64_t>(dues.size()) - 1, due_ms, static_cast<std::int64_t>(dues.size()) * 100, now_ms);
  }
  // Loads whatever the set asks for; the number of chunks read.
  int load() {
    int chunks = 0;
    for (;; ++chunks) {
      const PendingSet::Load wanted = set.begin_load(now_ms);
      if (wanted.begin == wanted.end) return chunks;
      for (std::int64_t off = wanted.begin; off < wanted.end; ++off) set.on_loaded(off, dues[static_cast<std::size_t>(off)]);
      set.end_load();
    }
  }
  // Everything that is due, loading what that needs, in the order of queue offsets.
  std::vector<std::int64_t> take_all() {
    std::vector<std::int64_t> all;
    for (;;) {
      (void)load();
      const std::vector<std::int64_t> some = take();
      if (some.empty()) break;
      all.insert(all.end(), some.begin(), some.end());
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  std::vector<std::int64_t> take(std::size_t max = SIZE_MAX) {
    std::vector<PendingSet::Entry> out;
    set.take_due(now_ms, max, out);
    std::vector<std::int64_t> offsets;
    for (const PendingSet::Entry &entry : out) offsets.push_back(entry.queue_off);
    return offsets;
  }

  PendingSet set;
  std::vector<std::int64_t> dues;  // by queue offset
  std::int64_t now_ms = 0;
};

using Offsets = std::vector<std::int64_t>;

TEST(PendingSet, GivesOutByDueTimeEachOnce) {
  World w;
  for (const std::int64_t due : {30, 10, 20, 10}) w.hold(due);
  EXPECT_TRUE(w.take().empty());
  EXPECT_EQ(w.set.next_ms(), 10);
  w.now_ms = 20;
  EXPECT_EQ(w.take(2), (Offsets{1, 3}));
  EXPECT_EQ(w.take(), (Offsets{2}));
  EXPECT_TRUE(w.take().empty()) << "claimed";
  EXPECT_FALSE(w.set.is_open(1));
  EXPECT_FALSE(w.set.is_settled(1));
  w.set.on_settled(1);
  EXPECT_TRUE(w.set.is_settled(1));
  EXPECT_EQ(w.set.waiting(), 3);
  w.now_ms = 1000;
  EXPECT_EQ(w.take(), (Offsets{0}));
  EXPECT_EQ(w.set.next_ms(), kNever);
}

TEST(PendingSet, OnlyOneClaims) {
  World w;
  w.hold(10);
  w.hold(10);
  w.now_ms = 10;
  EXPECT_TRUE(w.set.claim(0));
  EXPECT_FALSE(w.set.claim(0));
  EXPECT_EQ(w.take(), (Offsets{1})) << "0 is claimed";
  EXPECT_FALSE(w.set.claim(1));
  w.set.on_settled(0);
  EXPECT_FALSE(w.set.claim(0)) << "settled";
  w.set.release(0, 20);
  w.now_ms = 100;
  EXPECT_TRUE(w.take().empty()) << "what is settled is not released";
}

TEST(PendingSet, AReleasedEntryIsDueAgainAtItsNewTime) {
  World w;
  w.hold(10);
  w.now_ms = 10;
  EXPECT_EQ(w.take().size(), 1u);
  w.set.release(0, 50);
  EXPECT_TRUE(w.set.is_open(0));
  EXPECT_EQ(w.set.next_ms(), 50);
  w.now_ms = 49;
  EXPECT_TRUE(w.take().empty());
  w.now_ms = 50;
  EXPECT_EQ(w.take(), (Offsets{0}));
}

TEST(PendingSet, AnEntryMayBeClaimedOrSettledBeforeItIsSeen) {
  World w;
  EXPECT_TRUE(w.set.claim(0));
  w.set.on_settled(1);
  w.hold(0);
  w.hold(0);
  w.hold(0);
  EXPECT_EQ(w.take(), (Offsets{2}));
  w.set.release(0, 0);
  EXPECT_EQ(w.take(), (Offsets{0}));
  EXPECT_EQ(w.set.waiting(), 2);
}

TEST(PendingSet, FarEntriesAreReadAgainWhenTheirTimeComesNear) {
  World w({.near_max = 1000, .horizon_ms = 1000, .load_ahead_ms = 100});
  w.hold(500);
  w.hold(5000);
  w.hold(7000);
  EXPECT_EQ(w.set.near_count(), 1u);
  w.now_ms = 500;
  EXPECT_EQ(w.load(), 0);
  EXPECT_EQ(w.take(), (Offsets{0}));
  EXPECT_EQ(w.set.next_ms(), 4900);
  w.now_ms = 4900;
  EXPECT_EQ(w.load(), 1);
  EXPECT_EQ(w.set.near_count(), 1u) << "7000 is behind the horizon still, 0 is not read into the heap again";
  w.now_ms = 5000;
  EXPECT_EQ(w.take(), (Offsets{1}));
  w.now_ms = 7000;
  EXPECT_EQ(w.load(), 1);
  EXPECT_EQ(w.take(), (Offsets{2}));
  EXPECT_EQ(w.load(), 0);
}

// A queue with few messages, each due soon, need not be read again and again.
TEST(PendingSet, ShortTimersNeverCauseALoad) {
  World w({.near_max = 1000, .horizon_ms = 1000, .load_ahead_ms = 100});
  for (int i = 0; i < 100; ++i) {
    w.now_ms += 700;
    w.hold(w.now_ms + 600);
    EXPECT_EQ(w.load(), 0);
    w.now_ms += 600;
    EXPECT_EQ(w.take(), (Offsets{i}));
    w.set.on_settled(i);
  }
}

TEST(PendingSet, EntriesThatArriveWhileTheirChunkIsReadAreNotLost) {
  World w({.near_max = 1000, .horizon_ms = 1000, .load_ahead_ms = 100});
  w.hold(5000);
  w.hold(90'000);
  w.now_ms = 4950;
  const PendingSet::Load wanted = w.set.begin_load(w.now_ms);
  EXPECT_EQ(wanted.begin, 0);
  EXPECT_EQ(wanted.end, 2);
  EXPECT_EQ(w.set.begin_load(w.now_ms).end, 0) << "one at a time";
  w.hold(5100);
  w.hold(50'000);
  w.set.on_loaded(0, 5000);
  w.set.on_loaded(1, 90'000);
  w.set.end_load();
  w.now_ms = 5100;
  EXPECT_EQ(w.take(), (Offsets{0, 2}));
  w.now_ms = 49'950;
  EXPECT_EQ(w.load(), 1);
  w.now_ms = 50'000;
  EXPECT_EQ(w.take(), (Offsets{3}));
}

TEST(PendingSet, TheHeapIsBounded) {
  World w({.near_max = 100, .horizon_ms = 1'000'000, .load_ahead_ms = 1000});
  std::mt19937 rng(1);
  for (int i = 0; i < 20'000; ++i) {
    w.hold(1 + static_cast<std::int64_t>(rng() % 50'000));
    ASSERT_LE(w.set.near_count(), 100u);
  }
  std::set<std::int64_t> got;
  std::int64_t last_due = 0;
  for (w.now_ms = 0; got.size() < 20'000 && w.now_ms < 60'000; w.now_ms += 7) {
    for (int rounds = 0; rounds < 1000; ++rounds) {
      (void)w.load();
      const Offsets some = w.take(16);
      if (some.empty()) break;
      for (const std::int64_t off : some) {
        const std::int64_t due = w.dues[static_cast<std::size_t>(off)];
        ASSERT_LE(due, w.now_ms);
        ASSERT_GE(due, last_due) << "order";
        last_due = due;
        ASSERT_TRUE(got.insert(off).second) << "twice";
        w.set.on_settled(off);
      }
    }
  }
  EXPECT_EQ(got.size(), 20'000u);
}

TEST(PendingSet, TellsFromWhereTheLogIsNeeded) {
  World w;
  EXPECT_EQ(w.set.hold_pos(), kNever);
  for (int i = 0; i < 3000; ++i) w.hold(10'000'000);
  EXPECT_EQ(w.set.hold_pos(), 100);
  for (int i = 0; i < 1500; ++i) w.set.on_settled(i);
  EXPECT_EQ(w.set.open_from(), 1500);
  EXPECT_EQ(w.set.hold_pos(), 1025 * 100) << "to 1024 entries exactly";
  for (int i = 1500; i < 3000; ++i) w.set.on_settled(i);
  EXPECT_EQ(w.set.hold_pos(), kNever);
  EXPECT_EQ(w.set.open_from(), 3000);
  EXPECT_EQ(w.set.waiting(), 0);
}

TEST(PendingSet, WhereTheFirstOneLiesIsBelievedWhenItIsTold) {
  World w;
  for (int i = 0; i < 10; ++i) w.hold(1000);
  for (int i = 0; i < 8; ++i) w.set.on_settled(i);
  EXPECT_EQ(w.set.hold_pos(), 100) << "by itself it knows no better";
  w.set.on_first(900);
  EXPECT_EQ(w.set.hold_pos(), 900);
  w.set.on_first(500);
  EXPECT_EQ(w.set.hold_pos(), 900) << "it does not go back";
  w.set.on_settled(8);
  w.set.on_settled(9);
  EXPECT_EQ(w.set.hold_pos(), kNever);
}

// As what is copied forward does, when it fails.
TEST(PendingSet, AClaimGivenUpBeforeItsTimeIsNotForgottenWhateverHappenedMeanwhile) {
  World w({.near_max = 4, .horizon_ms = 1000, .load_ahead_ms = 10});
  w.hold(500);                            // in the heap
  w.hold(5000);                           // beyond the horizon
  ASSERT_TRUE(w.set.claim(0));
  ASSERT_TRUE(w.set.claim(1));
  for (int i = 0; i < 6; ++i) w.hold(i);  // moves it out of the heap
  w.now_ms = 20;
  EXPECT_EQ(w.take_all(), (Offsets{2, 3, 4, 5, 6, 7}));
  w.set.release(0, kNever);
  w.now_ms = 600;
  EXPECT_EQ(w.take_all(), (Offsets{0}));
  w.now_ms = 4995;
  (void)w.load();
  w.set.release(1, kNever);
  w.now_ms = 6000;
  EXPECT_EQ(w.take_all(), (Offsets{1}));
}

TEST(PendingSet, LostEntriesAreNotWaitedFor) {
  World w;
  w.hold(10);
  w.set.on_held(5, 10, 600, 0);
  EXPECT_EQ(w.set.waiting(), 2);
  EXPECT_TRUE(w.set.is_settled(3));
  w.set.settle_before(5);
  EXPECT_EQ(w.set.waiting(), 1);
  EXPECT_EQ(w.set.open_from(), 5);
  w.now_ms = 10;
  EXPECT_EQ(w.take(), (Offsets{5}));
}

// Keeps rows as a checkpoint does.
void save(PendingSet &set, std::map<std::int64_t, std::string> &rows) {
  set.begin_save();
  for (auto some = set.take_rows(3); !some.empty(); some = set.take_rows(3))
    for (const PendingSet::ChunkRow &row : some) rows[row.chunk] = row.bitmap;
  for (const std::int64_t chunk : set.take_removed_rows()) rows.erase(chunk);
  EXPECT_FALSE(set.has_changes());
}

TEST(PendingSet, ACheckpointBringsBackWhatIsSettled) {
  World w;
  for (std::int64_t i = 0; i < 4 * kChunk; ++i) w.hold(1000);
  std::map<std::int64_t, std::string> rows;
  // Chunk 0 whole, chunk 1 but one, chunk 2 whole, chunk 3 one.
  for (std::int64_t i = 0; i < kChunk; ++i) w.set.on_settled(i);
  w.set.on_settled(kChunk + 1);
  save(w.set, rows);
  EXPECT_EQ(rows.size(), 1u) << "what lies below the first open entry needs no row";
  for (std::int64_t i = kChunk + 1; i < 3 * kChunk; ++i) w.set.on_settled(i);
  w.set.on_settled(3 * kChunk + 7);
  save(w.set, rows);
  EXPECT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[2], "") << "all";

  PendingSet again;
  again.settle_before(w.set.open_from());
  EXPECT_EQ(again.open_from(), kChunk);
  for (const auto &[chunk, bitmap] : rows) ASSERT_TRUE(again.restore_chunk(chunk, bitmap));
  for (std::int64_t i = again.end(); i < 4 * kChunk; ++i) again.on_held(i, 1000, i * 100, 0);
  EXPECT_EQ(again.waiting(), w.set.waiting());
  EXPECT_EQ(again.waiting(), 1 + kChunk - 1);
  std::vector<PendingSet::Entry> due;
  again.take_due(1000, SIZE_MAX, due);
  EXPECT_EQ(due.size(), static_cast<std::size_t>(kChunk));
  for (std::int64_t i = 0; i < 4 * kChunk; ++i) ASSERT_EQ(again.is_settled(i), w.set.is_settled(i)) << i;

  again.on_settled(kChunk);
  EXPECT_EQ(again.open_from(), 3 * kChunk) << "chunks 1 and 2 are whole now";
  save(again, rows);
  EXPECT_EQ(rows.size(), 1u);
}

TEST(PendingSet, ARowThatCouldNotBeWrittenIsTakenAgain) {
  World w;
  w.hold(0);
  w.hold(0);
  w.set.on_settled(1);
  w.set.begin_save();
  ASSERT_EQ(w.set.take_rows(10).size(), 1u);
  w.set.put_back_row(0);
  EXPECT_TRUE(w.set.take_rows(10).empty()) << "not in this save";
  w.set.begin_save();
  EXPECT_EQ(w.set.take_rows(10).size(), 1u);
  EXPECT_FALSE(w.set.has_changes());
}

TEST(PendingSet, ADamagedRowIsRefused) {
  PendingSet set;
  EXPECT_FALSE(set.restore_chunk(0, "short"));
  EXPECT_FALSE(set.restore_chunk(-1, ""));
}

// A beginning within a chunk: what lies before it in the chunk counts as settled, so the chunk can become whole.
TEST(PendingSet, AChunkThatBeginsInItsMiddleBecomesWhole) {
  PendingSet set;
  set.settle_before(kChunk - 10);
  for (std::int64_t i = kChunk - 10; i < kChunk + 5; ++i) set.on_held(i, 0, i, 0);
  for (std::int64_t i = kChunk - 10; i < kChunk; ++i) {
    EXPECT_EQ(set.open_from(), i);
    set.on_settled(i);
  }
  EXPECT_EQ(set.open_from(), kChunk);
  EXPECT_EQ(set.waiting(), 5);
}

// Everything at once against a model that keeps all entries.
TEST(PendingSet, AgreesWithASimpleModel) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 rng(seed);
    World w({.near_max = 64, .horizon_ms = 500, .load_ahead_ms = 50});
    w.set.settle_before(kChunk - 300);  // so that a border of chunks is crossed
    w.dues.resize(kChunk - 300);
    std::map<std::int64_t, std::int64_t> open;  // offset -> due
    std::set<std::int64_t> settled;
    std::map<std::int64_t, std::string> rows;
    for (int step = 0; step < 3000; ++step) {
      w.now_ms += rng() % 3;
      if (rng() % 3 != 0) {
        open[static_cast<std::int64_t>(w.dues.size())] = w.now_ms + static_cast<std::int64_t>(rng() % 2000);
        w.hold(open[static_cast<std::int64_t>(w.dues.size())]);
      }
      (void)w.load();
      for (const std::int64_t off : w.take(rng() % 8)) {
        ASSERT_TRUE(open.contains(off)) << "seed " << seed;
        ASSERT_LE(open[off], w.now_ms);
        if (rng() % 4 == 0) {
          open[off] = w.now_ms + 1 + static_cast<std::int64_t>(rng() % 100);
          w.set.release(off, open[off]);
        } else {
          open.erase(off);
          settled.insert(off);
          w.set.on_settled(off);
        }
      }
      if (!open.empty() && rng() % 10 == 0) {  // a recall
        const auto it = std::next(open.begin(), static_cast<std::ptrdiff_t>(rng() % open.size()));
        ASSERT_TRUE(w.set.claim(it->first));
        w.set.on_settled(it->first);
        settled.insert(it->first);
        open.erase(it);
      }
      ASSERT_EQ(w.set.waiting(), static_cast<std::int64_t>(open.size()));
      const std::int64_t first_open = open.empty() ? static_cast<std::int64_t>(w.dues.size()) : open.begin()->first;
      ASSERT_EQ(w.set.open_from(), first_open);
      if (rng() % 500 == 0) save(w.set, rows);
    }
    w.now_ms += 10'000;
    for (std::size_t before = SIZE_MAX; open.size() < before;) {
      before = open.size();
      (void)w.load();
      for (const std::int64_t off : w.take()) ASSERT_EQ(open.erase(off), 1u);
    }
    EXPECT_TRUE(open.empty()) << "seed " << seed << ": " << open.size() << " were never given out";
    for (const std::int64_t off : settled) ASSERT_TRUE(w.set.is_settled(off));
  }
}

}  // namespace
}  // namespace gantry::semantics
