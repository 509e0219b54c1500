// The end of the log after a crash: what was not completely written is cut, nothing else is, and stale bytes never come back.
#include "harness.h"

namespace gantry::test {
namespace {

using commitlog::FrameHeader;
using Tail = CommitlogTest;

// A small log whose last frame is torn at every byte: from there on the disk holds what was there before (zeros, or garbage).
TEST_F(Tail, ALogTornAtAnyByteOfItsLastFrameKeepsAllFramesBeforeIt) {
  open();
  const gantry_queue q = queue();
  for (int i = 0; i < 5; ++i) send(q, 2, 40, 2);
  crash();
  const auto path = segments().front();
  const std::string whole = slurp(path);
  const auto frames = frames_of(whole);
  ASSERT_GE(frames.size(), 5u);
  const FrameAt last = frames.back();
  const std::int64_t end = last.offset + last.header.frame_bytes;
  ASSERT_EQ(last.header.record_count, 2u);
  for (const char fill : {'\0', '\xa5'}) {
    for (std::int64_t cut = last.offset; cut < end; ++cut) {
      const std::string_view rest(whole.data() + cut, static_cast<std::size_t>(end - cut));
      if (rest.find_first_not_of(fill) == std::string_view::npos) continue;  // the padding at the end: nothing changes
      overwrite(path, 0, whole);
      overwrite(path, cut, std::string(static_cast<std::size_t>(end - cut), fill));
      open();
      ASSERT_EQ(store().stat(recovered()).max_off, 8) << "torn at " << cut - last.offset;
      EXPECT_EQ(store().stats().bad_records_total, 0u);
      EXPECT_EQ(store().stats().recovered_bytes_cut > 0, cut >= last.offset + static_cast<std::int64_t>(sizeof(FrameHeader)));
      crash();
    }
  }
}

// What comes after a cut must not be taken for a continuation of what was there before it.
TEST_F(Tail, FramesBehindACutStayAwayAfterTheNextCrashToo) {
  disk->track_unflushed = true;
  open();
  const gantry_queue q = queue();
  send(q, 3, 40, 3);
  // Several writes in flight; then the first of them is damaged, as if only the later ones had reached the disk.
  disk->hold_writes = true;
  std::vector<Message> lost;
  CompletionLog done(host());
  for (std::size_t i = 0; i < 3; ++i) lost.push_back(message(q, filled(100000, i)));
  for (std::size_t i = 0; i < 3; ++i) {
    AppendBatch batch(&lost[i], 1, i);
    host().on_shard(0, [&] { ASSERT_EQ(store().table().append(store().self(), 0, batch.data(), 1, done.id()), 1); });
    host().turn();
  }
  done.close();
  crash();
  const auto path = segments().front();
  const auto frames = frames_of(slurp(path));
  const auto first = std::find_if(frames.begin(), frames.end(), [](const FrameAt &f) { return f.header.records_bytes > 90000; });
  ASSERT_NE(first, frames.end());
  ASSERT_NE(first + 1, frames.end()) << "two frames were in flight";
  flip(path, first->offset + 20);
  for (int round = 0; round < 3; ++round) {
    open();
    EXPECT_EQ(store().stat(recovered()).max_off, 3 + round);
    if (round == 0) {
      EXPECT_GT(store().stats().recovered_bytes_cut, 90000u);
    }
    send(recovered(), 1, 30);
    expect_all(recovered());
    EXPECT_EQ(store().stats().bad_records_total, 0u);
    crash();
  }
}

TEST_F(Tail, EveryOpenBeginsANewEpoch) {
  std::uint64_t epoch = 0;
  for (int round = 0; round < 4; ++round) {
    open();
    send(queue(), 1, 30);
    round % 2 == 0 ? crash() : close();
    const auto frames = frames_of(slurp(segments().front()));
    EXPECT_GT(frames.back().header.epoch, epoch);
    epoch = frames.back().header.epoch;
  }
}

TEST_F(Tail, ALogThatEndsExactlyAtTheEndOfASegmentGoesOnInTheNext) {
  open();
  // Fill the first segment to its last block, then crash at each of several points around its end.
  for (int step = 0; step < 40; ++step) {
    send(queue(), 12, 5000, 12);
    crash();
    open();
    expect_all(recovered());
  }
  EXPECT_GT(segments().size(), 2u);
}

TEST_F(Tail, ARecycledSegmentsOldFramesAreNeverMetAgain) {
  config["retention_bytes"] = "2 MiB";
  config["checkpoint_every"] = "1 MiB";
  open();
  const gantry_queue q = queue();
  for (int i = 0; i < 60; ++i) send(q, 20, 5000, 20);
  wait_for("old segments go", [&] { return store().stat(q).min_off > 500; });
  const std::int64_t max = store().stat(q).max_off, min = store().stat(q).min_off;
  crash();
  open();
  EXPECT_EQ(store().stat(recovered()).max_off, max);
  EXPECT_GE(store().stat(recovered()).min_off, min);
  const auto got = read_queue(store(), recovered());
  for (const auto &[offset, bytes] : got) ASSERT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
  EXPECT_EQ(store().stats().bad_records_total, 0u);
}

TEST_F(Tail, AQuietLogGetsAMarkSoThatItsEndIsKnownToBeComplete) {
  config["flush_interval"] = "20ms";
  open();
  const gantry_queue q = queue();
  send(q, 3, 60, 3);
  const std::int64_t end = store().stats().log_end_pos;
  wait_for("the mark", [&] { return store().stats().log_end_pos > end && store().stats().durable_pos == store().stats().log_end_pos; });
  crash();
  const auto path = segments().front();
  const auto frames = frames_of(slurp(path));
  ASSERT_EQ(frames.back().header.flags & 3, commitlog::kFrameMark);
  const FrameAt &records = frames[frames.size() - 2];
  ASSERT_EQ(records.header.record_count, 3u);
  // Rot in the very last record: it alone is lost, as the mark says that it had been written.
  flip(path, records.offset + static_cast<std::int64_t>(sizeof(FrameHeader) + records.header.records_bytes) - 5);
  open();
  EXPECT_EQ(store().stat(recovered()).max_off, 3);
  EXPECT_EQ(store().stats().bad_records_total, 1u);
  EXPECT_EQ(store().stats().recovered_bytes_cut, 0u);
  EXPECT_EQ(store().read(recovered(), 0)->n, 2u);
  EXPECT_EQ(store().read(recovered(), 0)->stop, GANTRY_STOP_BAD);
  EXPECT_EQ(store().read(recovered(), 0)->next_off, 3);
}

}  // namespace
}  // namespace gantry::test
