// Damage in the middle of what is stored: reported with its place, everything else kept, the store stays up.
#include "harness.h"

#include "checkpoint.hpp"
#include "run_file.hpp"

#include <atomic>

namespace gantry::test {
namespace {

using commitlog::FrameHeader;

class Damage : public CommitlogTest {
 protected:
  // Frames of the first segment that carry records.
  std::vector<FrameAt> record_frames() {
    std::vector<FrameAt> out;
    for (const FrameAt &frame : frames_of(slurp(segments().front()))) {
      if (frame.header.record_count > 0) out.push_back(frame);
    }
    return out;
  }
  // Reads all of a queue, passing over damaged places; returns their offsets.
  std::vector<std::int64_t> bad_offsets(gantry_queue q, std::map<std::int64_t, std::string> *good) {
    std::vector<std::int64_t> bad;
    for (std::int64_t at = store().stat(q).min_off; at < store().stat(q).max_off;) {
      const ReadResult got = store().read(q, at, 64);
      for (std::size_t i = 0; i < got->n; ++i) (*good)[got->records[i].queue_off] = got.bytes(i);
      if (got->stop == GANTRY_STOP_BAD) bad.push_back(got->next_off - 1);
      EXPECT_GT(got->next_off, at);
      if (got->next_off <= at) break;
      at = got->next_off;
    }
    return bad;
  }
  void expect_all_but(gantry_queue q, const std::vector<std::int64_t> &lost) {
    std::map<std::int64_t, std::string> good;
    EXPECT_EQ(bad_offsets(q, &good), lost);
    for (const Message &m : sent) {
      if (std::find(lost.begin(), lost.end(), m.offsets[0]) != lost.end()) continue;
      ASSERT_TRUE(good.contains(m.offsets[0])) << m.offsets[0];
      EXPECT_EQ(good[m.offsets[0]], m.expected());
    }
  }
};

TEST_F(Damage, OneBadRecordCostsOneRecord) {
  open();
  for (int i = 0; i < 6; ++i) send(queue(), 4, 300, 4);
  crash();
  const FrameAt frame = record_frames()[2];
  flip(segments().front(), frame.offset + static_cast<std::int64_t>(sizeof(FrameHeader)) + 500);  // in its second record
  open();
  EXPECT_EQ(store().stats().bad_records_total, 1u);
  EXPECT_EQ(store().stats().recovered_bytes_cut, 0u);
  EXPECT_TRUE(host().logged("the log is damaged between positions " + std::to_string(frame.offset)));
  expect_all_but(recovered(), {9});
  std::int32_t status = GANTRY_OK;
  const ReadResult at_position = store().read_at(sent[9].phys_pos, &status);
  EXPECT_EQ(status, GANTRY_E_CORRUPT);
  send(recovered(), 3);
  EXPECT_EQ(sent.back().offsets[0], 26);
}

TEST_F(Damage, ABadHeaderOrTrailerCostsItsFrameAndKeepsTheOffsetsOfTheOthers) {
  for (const bool header : {true, false}) {
    SCOPED_TRACE(header ? "header" : "trailer");
    open();
    const std::string topic = header ? "H" : "T";
    sent.clear();
    for (int i = 0; i < 6; ++i) send(queue(topic), 4, 300, 4);
    crash();
    const auto frames = record_frames();
    const FrameAt frame = frames[frames.size() - 4];  // its third from this round, the last three are whole
    flip(segments().front(), header ? frame.offset + 17 : frame.offset + frame.header.frame_bytes - frame.header.trailer_bytes + 20);
    open();
    EXPECT_GT(store().stats().bad_records_total, 0u);
    EXPECT_EQ(store().stat(recovered(topic)).max_off, 24);
    expect_all_but(recovered(topic), {8, 9, 10, 11});
    crash();
    std::filesystem::remove_all(dir());
    std::filesystem::create_directory(dir());
  }
}

TEST_F(Damage, AWholeLostBlockInTheMiddleIsPassedOver) {
  open();
  for (int i = 0; i < 8; ++i) send(queue(), 8, 2000, 8);
  crash();
  const FrameAt frame = record_frames()[3];
  overwrite(segments().front(), commitlog::align_up(frame.offset, 4096), std::string(8192, '\0'));
  open();
  std::map<std::int64_t, std::string> good;
  const auto bad = bad_offsets(recovered(), &good);
  EXPECT_FALSE(bad.empty());
  EXPECT_EQ(good.size() + bad.size(), 64u);
  for (const auto &[offset, bytes] : good) EXPECT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
}

TEST_F(Damage, ARecordThatRotsInASealedSegmentIsSkippedWhenRead) {
  open();
  for (int i = 0; i < 40; ++i) send(queue(), 20, 5000, 20);
  wait_for("a run", [&] { return runs().size() >= 2; });
  close();
  flip(segments().front(), sent[30].phys_pos + 1000);
  open();
  EXPECT_EQ(store().stats().bad_records_total, 0u) << "sealed segments are not read at the start";
  expect_all_but(recovered(), {30});
  EXPECT_GT(store().stats().bad_records_total, 0u);
  EXPECT_TRUE(host().logged("at log position " + std::to_string(sent[30].phys_pos)));
}

TEST_F(Damage, AReadErrorOfTheDiskIsTriedOnceMore) {
  open();
  for (int i = 0; i < 40; ++i) send(queue(), 20, 5000, 20);
  wait_for("a run", [&] { return runs().size() >= 2; });
  close();
  std::atomic<int> fail = 0, failed = 0;  // how many reads shall fail, have failed
  disk->on_read = [&](std::uint64_t) { return failed < fail && ++failed > 0 ? EIO : 0; };
  open();
  fail = 1;
  EXPECT_EQ(store().read(recovered(), 5, 1).bytes(0), sent[5].expected());
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(store().stats().bad_records_total, 0u);
  fail = 1000;
  const ReadResult got = store().read(recovered(), 300, 1);
  EXPECT_EQ(got->n, 0u);
  EXPECT_EQ(got->stop, GANTRY_STOP_BAD);
  close();
}

// Blocks that cannot be read when the store is opened are damage like any other, not a reason to stay down.
TEST_F(Damage, AnUnreadableBlockOfTheOpenLogCostsWhatLiesInIt) {
  open();
  for (int i = 0; i < 12; ++i) send(queue(), 4, 3000, 4);
  crash();
  const FrameAt frame = record_frames()[5];
  const std::int64_t block = commitlog::align_up(frame.offset, 4096);
  const std::string log = segments().front();
  disk->on_read_of = [&](const std::string &path, std::int64_t offset, std::size_t bytes) {
    return path == log && offset < block + 4096 && block < offset + static_cast<std::int64_t>(bytes) ? EIO : 0;
  };
  open();
  EXPECT_TRUE(host().logged("cannot be read"));
  EXPECT_TRUE(host().logged("topic A, queue 0, offset 2"));
  EXPECT_EQ(store().stat(recovered()).max_off, 48);
  std::map<std::int64_t, std::string> good;
  const auto bad = bad_offsets(recovered(), &good);
  EXPECT_GE(bad.size(), 1u);
  EXPECT_LE(bad.size(), 3u) << "a block holds parts of two records, or of a record and its neighbours";
  EXPECT_EQ(good.size() + bad.size(), 48u);
  for (const auto &[offset, bytes] : good) EXPECT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
  send(recovered(), 1);
  close();
}

// Runs are mapped: what cannot be read must show before the mapping is touched.
TEST_F(Damage, AnUnreadableRunIsRebuiltFromItsSegment) {
  open();
  for (int i = 0; i < 60; ++i) send(queue(), 20, 5000, 20);
  wait_for("runs", [&] { return runs().size() >= 4; });
  close();
  const auto paths = runs();
  const std::string one = paths[1];
  bool broken = true;
  disk->on_read_of = [&](const std::string &path, std::int64_t offset, std::size_t) { return broken && path == one && offset == 0 ? EIO : 0; };
  disk->on_create = [&](const std::string &path) {
    if (path == one + ".tmp") broken = false;  // other blocks
    return 0;
  };
  open();
  EXPECT_TRUE(host().logged("rebuilding"));
  expect_all(recovered());
  EXPECT_EQ(store().stats().bad_records_total, 0u);
  close();
}

TEST_F(Damage, AnIndexReadTouchesNoRecord) {
  open();
  for (int i = 0; i < 40; ++i) send(queue(), 20, 5000, 20);
  wait_for("a run", [&] { return runs().size() >= 2; });
  close();
  std::atomic<bool> fail = false;
  std::atomic<int> failed = 0;
  disk->on_read = [&](std::uint64_t) { return fail && ++failed > 0 ? EIO : 0; };
  open();
  fail = true;
  gantry_read request{};
  request.queue = recovered();
  request.max_records = 1024;
  request.flags = GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY;
  std::size_t i = 0;
  while (i < sent.size()) {
    request.offset = static_cast<std::int64_t>(i);
    const ReadResult got = store().read(request);
    ASSERT_TRUE(got && got->n > 0) << i;
    for (const gantry_record &record : got.records()) EXPECT_EQ(record.phys_pos, sent[i++].phys_pos);
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(store().read(recovered(), 5, 1)->stop, GANTRY_STOP_BAD) << "a whole read needs the disk";
  EXPECT_GT(failed, 0);
  close();
}

TEST_F(Damage, AMissingOrDamagedRunIsRebuiltFromItsSegment) {
  open();
  for (int i = 0; i < 60; ++i) send(queue(), 20, 5000, 20);
  wait_for("runs", [&] { return runs().size() >= 4; });
  close();
  const auto paths = runs();
  std::filesystem::remove(paths[0]);
  flip(paths[1], static_cast<std::int64_t>(std::filesystem::file_size(paths[1])) - 60);  // footer: seen at the open
  const std::string third = slurp(paths[2]);
  flip(paths[2], 100);  // records: seen when first read
  open();
  expect_all(recovered());
  EXPECT_EQ(store().stats().bad_records_total, 0u);
  EXPECT_TRUE(host().logged("rebuilding"));
  EXPECT_TRUE(std::filesystem::exists(paths[0]));
  EXPECT_TRUE(slurp(paths[2]) == third);
}

TEST_F(Damage, ADamagedCheckpointIsReplacedByTheOtherOrByAScan) {
  config["checkpoint_every"] = "1 MiB";
  for (int round = 0; round < 3; ++round) {
    open();
    for (int i = 0; i < 20; ++i) send(queue(), 20, 5000, 20);
    close();
  }
  ASSERT_TRUE(std::filesystem::exists(dir() + "/checkpoint.0") && std::filesystem::exists(dir() + "/checkpoint.1"));
  for (const int damaged : {1, 2}) {
    for (int i = 0; i < damaged; ++i) flip(dir() + "/checkpoint." + std::to_string(i), 60);
    open();
    EXPECT_TRUE(host().logged("is damaged"));
    EXPECT_EQ(store().stat(recovered()).max_off, 1200);
    expect_all(recovered());
    close();
  }
}

TEST_F(Damage, EveryBitOfACheckpointIsUnderItsChecksums) {
  open();
  send(queue(), 50, 100, 10);
  close();
  const std::string path = dir() + "/checkpoint.1";
  const std::string whole = slurp(path);
  std::size_t seen = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    flip(path, static_cast<std::int64_t>(at));
    open();
    seen += host().logged("checkpoint.1 is damaged") ? 1 : 0;
    ASSERT_EQ(store().stat(recovered()).max_off, 50) << at;
    crash();
    std::filesystem::remove(dir() + "/checkpoint.0");
    overwrite(path, 0, whole);
  }
  // Not under a checksum: the zero bytes between sections.
  EXPECT_GT(seen, whole.size() / 3 * 8 / 10);
}

// Some of it is under no other checksum: how far its references reach.
TEST_F(Damage, EveryByteOfTheTailOfACheckpointIsUnderItsChecksum) {
  open();
  send(queue(), 50, 100, 10);
  close();
  const std::string path = dir() + "/checkpoint.1";
  const std::string whole = slurp(path);
  for (std::size_t at = whole.size() - sizeof(commitlog::CheckpointTail); at < whole.size(); ++at) {
    flip(path, static_cast<std::int64_t>(at));
    open();
    ASSERT_TRUE(host().logged("checkpoint.1 is damaged")) << at;
    crash();
    std::filesystem::remove(dir() + "/checkpoint.0");
    overwrite(path, 0, whole);
  }
}

TEST_F(Damage, EveryByteOfTheFooterOfARunIsUnderItsChecksum) {
  open();
  send(queue(), 250, 5000, 20);
  wait_for("a run", [&] { return runs().size() == 1; });
  close();
  const std::string whole = slurp(runs().front());
  for (std::size_t at = whole.size() - sizeof(commitlog::RunFooter); at < whole.size(); ++at) {
    flip(runs().front(), static_cast<std::int64_t>(at));
    open();
    ASSERT_TRUE(host().logged(".run is damaged: rebuilding it")) << at;
    close();
    ASSERT_EQ(slurp(runs().front()), whole) << "it is made again as it was";
  }
}

TEST_F(Damage, WithBothCheckpointsGoneAndTheLogsBeginningDroppedOpeningIsRefusedUntilAccepted) {
  config["retention_bytes"] = "2 MiB";
  config["checkpoint_every"] = "1 MiB";
  open();
  for (int i = 0; i < 60; ++i) send(queue(), 20, 5000, 20);
  wait_for("old segments go", [&] { return store().stat(queue()).min_off > 0; });
  close();
  for (const char *slot : {"/checkpoint.0", "/checkpoint.1"}) flip(dir() + slot, 40);
  open(GANTRY_E_CORRUPT);
  EXPECT_NE(std::string(store().error().text).find("accept_lost_checkpoint"), std::string::npos) << store().error().text;
  close();
  config["accept_lost_checkpoint"] = "true";
  open();
  EXPECT_TRUE(store().recovered_queues().empty()) << "the queue's name was in the part that is gone";
}

TEST_F(Damage, ALostLogFolderIsNotTakenForANewStore) {
  open();
  send(queue(), 5);
  close();
  std::filesystem::remove_all(dir() + "/commitlog");
  open(GANTRY_E_CORRUPT);
  EXPECT_NE(std::string(store().error().text).find("checkpoint."), std::string::npos) << store().error().text;
}

TEST_F(Damage, ALogFileOfTheWrongSizeIsNamed) {
  open();
  for (int i = 0; i < 40; ++i) send(queue(), 20, 5000, 20);
  close();
  std::filesystem::resize_file(segments()[1], 700001);
  open(GANTRY_E_CORRUPT);
  EXPECT_NE(std::string(store().error().text).find(segments()[1].filename()), std::string::npos) << store().error().text;
}

TEST_F(Damage, AMissingFileInTheMiddleCostsItsRecordsOnly) {
  open();
  for (int i = 0; i < 60; ++i) send(queue(), 20, 5000, 20);
  close();
  std::filesystem::remove(segments()[2]);
  open();
  std::map<std::int64_t, std::string> good;
  (void)bad_offsets(recovered(), &good);
  EXPECT_GT(good.size(), 800u);
  EXPECT_LT(good.size(), 1200u);
  for (const auto &[offset, bytes] : good) ASSERT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
  EXPECT_EQ(store().stat(recovered()).max_off, 1200);
}

}  // namespace
}  // namespace gantry::test
