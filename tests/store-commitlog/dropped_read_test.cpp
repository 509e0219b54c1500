// Requests that were taken while a segment was there and are performed when retention has dropped it: as if they came now, and never "damaged".
#include "harness.h"

#include <algorithm>
#include <atomic>
#include <optional>

namespace gantry::test {
namespace {

class DroppedRead : public CommitlogTest {
 protected:
  static constexpr std::uint64_t kFirstKey = 41;
  static constexpr std::int64_t kInRows = 70;  // of a run: its first record's row

  void SetUp() override {
    config["retention_bytes"] = "4 MiB";
    config["checkpoint_every"] = "1 MiB";
    config["scrub_every"] = "0";  // the run is first looked at by who reads
    disk->on_open = [this](const std::string &path) {
      if (armed && path == *drop_before_open_of && armed.exchange(false)) drop_the_oldest();
    };
  }

  // Twice as much as is to be kept, held, the first index no longer in memory and its run not looked at yet.
  void fill() {
    open();
    store().table().retain_from(store().self(), 0);
    sent = {message(queue(), filled(5000, 0), 0)};
    sent[0].key_hashes = {kFirstKey};
    append_all(store(), sent, 1);
    for (int i = 0; i < 80; ++i) send(queue(), 20, 5000, 20);
    wait_until_cold();
  }
  // Indexes leave memory oldest first: when the second one has, the first one has, and nobody looked at its run yet.
  void wait_until_cold() {
    const auto in_second = static_cast<std::int64_t>(std::find_if(sent.begin(), sent.end(), [](const Message &m) { return m.phys_pos >= 1'200'000; }) - sent.begin());
    wait_for("the second run answers", [&] { return !index_in_memory(in_second); });
    run = runs().front();
    segment = segments().front();
  }
  bool index_in_memory(std::int64_t offset) {
    CompletionLog done(host());
    gantry_read request{};
    request.user_data = 1;
    request.queue = queue();
    request.offset = offset;
    request.max_records = 1024;  // leaves nothing for another one
    request.flags = GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY;
    const gantry_read_result *out = nullptr;
    host().on_shard(0, [&] { EXPECT_EQ(store().table().read(store().self(), 0, &request, 1, &out, done.id()), 1); });
    const bool at_once = out != nullptr;
    if (const auto cqe = at_once ? std::nullopt : done.wait_for(1)) out = reinterpret_cast<const gantry_read_result *>(cqe->aux);
    ReadResult(out).reset();
    return at_once;
  }
  // From now on the first open of that file finds retention done with the oldest segments.
  void drop_before(const std::filesystem::path &path) {
    drop_before_open_of = path;
    armed = true;
  }
  void drop_the_oldest() {
    store().table().retain_from(store().self(), INT64_MAX);
    ASSERT_TRUE(host().wait_until([&] { return !std::filesystem::exists(segment) && !std::filesystem::exists(run); }));
  }
  void expect_out_of_range() {
    const ReadResult got = store().read(queue(), 0, 8);
    ASSERT_FALSE(armed) << "the run was not looked at: nothing was tested";
    EXPECT_EQ(got->n, 0u);
    EXPECT_EQ(got->stop, GANTRY_STOP_RANGE);
    EXPECT_GT(got->min_off, 0);
    EXPECT_EQ(got->next_off, got->min_off);
    EXPECT_EQ(got->max_off, static_cast<std::int64_t>(sent.size()));
    EXPECT_EQ(store().stats().bad_records_total, 0u);
  const std::int64_t oldest = store().stat(queue()).min_off;
    expect_records(store().read(queue(), oldest, 8), oldest);
  }

  std::filesystem::path run, segment;
  std::optional<std::string> drop_before_open_of;
  std::atomic<bool> armed{false};
};

TEST_F(DroppedRead, AReadByOffsetIsOutOfRange) {
  fill();
  drop_before(run);
  expect_out_of_range();
  EXPECT_FALSE(host().logged("damaged"));
}

TEST_F(DroppedRead, ARebuildThatFindsNoLogFileAnyMoreIsNoDamage) {
  fill();
  flip(run, kInRows);
  drop_before(segment);
  expect_out_of_range();
}

TEST_F(DroppedRead, ARebuildThatIsOvertakenLeavesNoRunBehind) {
  fill();
  flip(run, kInRows);
  drop_before(run.string() + ".tmp");
  expect_out_of_range();
  EXPECT_FALSE(std::filesystem::exists(run));
}

TEST_F(DroppedRead, AReadByPositionFindsNothing) {
  fill();
  drop_before(run);
  std::int32_t status = GANTRY_OK;
  (void)store().read_at(sent[0].phys_pos, &status);
  ASSERT_FALSE(armed);
  EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
}

TEST_F(DroppedRead, ASearchByKeyLeavesItOut) {
  fill();
  drop_before(run);
  const ReadResult got = store().query_key(kFirstKey);
  ASSERT_FALSE(armed);
  EXPECT_EQ(got->n, 0u);
}

TEST_F(DroppedRead, ASeekByTimeAnswersWhatComesBehind) {
  wall_ms = 1'000'000;
  open();
  store().table().retain_from(store().self(), 0);
  for (int i = 0; i < 80; ++i) {
    host().freeze_clock(wall_ms + i);
    send(queue(), 20, 5000, 20);
  }
  wait_until_cold();
  drop_before(run);
  CompletionLog done(host());
  host().on_shard(0, [&] { EXPECT_EQ(store().table().seek_time(store().self(), 0, queue(), wall_ms + 1, 1, done.id()), GANTRY_OK); });
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  ASSERT_FALSE(armed);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  EXPECT_GT(cqe->result, 20) << "that one was dropped";
  EXPECT_LE(cqe->result, store().stat(queue()).min_off);
}

// What the answers above must not be taken for.
TEST_F(DroppedRead, ALogFileThatIsGoneWithoutRetentionStaysDamage) {
  fill();
  flip(run, kInRows);
  std::filesystem::remove(segment);
  std::int32_t status = GANTRY_OK;
  (void)store().read(queue(), 0, 8, &status);
  EXPECT_EQ(status, GANTRY_E_CORRUPT);
  EXPECT_TRUE(host().logged(segment.filename()));
}

TEST_F(DroppedRead, ARunThatIsGoneWithoutRetentionIsMadeAgain) {
  fill();
  std::filesystem::remove(run);
  expect_records(store().read(queue(), 0, 8), 0);
  EXPECT_TRUE(host().logged("rebuilding"));
  EXPECT_TRUE(std::filesystem::exists(run));
}

}  // namespace
}  // namespace gantry::test
