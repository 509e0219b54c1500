// Bytes of another time: behind the end of the log, or in a file that is used again. They must not be taken for a part of the log.
#include "harness.h"

#include <algorithm>
#include <string>

namespace gantry::test {
namespace {

class Stale : public CommitlogTest {
 protected:
  void SetUp() override { config["flush_interval"] = "60s"; }  // no mark of a quiet log comes in between
  // A block of the first log file as it was never written, or as it was before.
  void lose_block(std::int64_t offset) { overwrite(segments().front(), offset, std::string(commitlog::kBlock, '\0')); }
};

// The first write of a log is lost and the second one, which was under way beside it, is there. The next life writes as much as the first write had, so that the
// stale frame stands just where a frame of its own might follow: only its epoch says that it is none.
TEST_F(Stale, AWholeFrameOfALifeOfWhichNothingHeldIsNotTakenForThatOfTheNextLife) {
  open();
  const gantry_queue q = queue();
  disk->hold_writes = true;
  constexpr std::size_t kBodyBytes = 1000;
  Message first = message(q, filled(kBodyBytes, 1)), second = message(q, filled(100000, 2));
  CompletionLog done(host());
  for (Message *each : {&first, &second}) {
    AppendBatch batch(each, 1, 1);
    host().on_shard(0, [&] { ASSERT_EQ(store().table().append(store().self(), 0, batch.data(), 1, done.id()), 1); });
    host().turn();
  }
  done.close();
  crash();
  const auto before = frames_of(slurp(segments().front()));
  ASSERT_EQ(before.size(), 2u);
  ASSERT_EQ(before[1].offset, static_cast<std::int64_t>(commitlog::kBlock)) << "the second frame was under way beside the first";
  lose_block(0);

  open();
  EXPECT_TRUE(store().recovered_queues().empty());
  const auto mark = frames_of(slurp(segments().front()));
  ASSERT_GE(mark.size(), 1u);
  send(queue(), 1, kBodyBytes - mark[0].header.frame_bytes);
  crash();
  const auto after = frames_of(slurp(segments().front()));
  ASSERT_GE(after.size(), 2u);
  ASSERT_EQ(after[1].offset + after[1].header.frame_bytes, before[0].header.frame_bytes) << "the stale frame does not fit behind it";

  open();
  EXPECT_EQ(store().stat(recovered()).max_off, 1);
  expect_all(recovered());
  EXPECT_EQ(store().stats().bad_records_total, 0u);
}

// A file that is used again has whole frames of its first use, perhaps of the same epoch. The first one of a life would vouch for all before it.
TEST_F(Stale, AFrameThatStandsAtAnotherPositionThanItSaysProvesNothing) {
  open();
  send(queue(), 3);
  reopen();
  send(recovered(), 3);
  crash();
  const auto path = segments().front();
  const std::string whole = slurp(path);
  const auto frames = frames_of(whole);
  const auto begin = std::find_if(frames.begin(), frames.end(), [](const FrameAt &each) { return (each.header.flags & commitlog::kFrameEpochStart) != 0; });
  ASSERT_NE(begin, frames.end());
  ASSERT_EQ(begin->header.epoch, frames.back().header.epoch);
  overwrite(path, commitlog::align_up(frames.back().offset + frames.back().header.frame_bytes, commitlog::kBlock) + 16 * std::int64_t{commitlog::kBlock},
            std::string_view(whole).substr(static_cast<std::size_t>(begin->offset), begin->header.frame_bytes));

  for (int round = 0; round < 2; ++round) {
    open();
    EXPECT_EQ(store().stats().bad_records_total, 0u);
    EXPECT_EQ(store().stats().recovered_bytes_cut, 0u);
    expect_all(recovered());
    crash();
  }
}

}  // namespace
}  // namespace gantry::test
