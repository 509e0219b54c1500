// The scrubber finds rot that nobody has read yet, names it, and nothing else suffers.
#include "harness.h"

#include <algorithm>

namespace gantry::test {
namespace {

class Scrub : public CommitlogTest {
 protected:
  void SetUp() override {
    config["scrub_every"] = "100ms";
    config["scrub_rate"] = "1 GiB";
    config["read_cache"] = "1 MiB";
  }
  // Messages to A until three log files have their runs.
  gantry_queue fill() {
    const gantry_queue q = queue("A", 3);
    for (int i = 0; i < 40; ++i) send(q, 20, 5000, 20);
    wait_for("runs", [this] { return runs().size() >= 3; });
    return q;
  }
  void wait_for_passes(std::uint64_t n) {
    const std::uint64_t wanted = passes() + n;
    wait_for("passes", [&] { return passes() >= wanted; });
  }
  std::uint64_t passes() {
    const auto lines = host().log_lines();
    return static_cast<std::uint64_t>(std::count_if(lines.begin(), lines.end(), [](const std::string &line) { return line.find("compared with their checksums in") != std::string::npos; }));
  }
};

TEST_F(Scrub, AWholeStoreIsReadAndFoundGood) {
  open();
  const gantry_queue q = fill();
  wait_for_passes(2);
  EXPECT_EQ(store().stats().scrub_bad_records_total, 0u);
  EXPECT_GE(store().stats().scrub_total_bytes, 3u << 20);
  EXPECT_GT(store().stats().scrub_last_ms, 0);
  EXPECT_TRUE(host().logged(": 0 damaged records"));
  expect_all(q);
}

TEST_F(Scrub, ABadRecordIsNamedAndCostsItselfAlone) {
  open();
  const gantry_queue q = fill();
  const Message &bad = sent[10];
  flip(segments()[0], bad.phys_pos + 2000);
  wait_for("it is found", [&] { return host().logged("topic A queue 3 offset 10 is damaged"); });
  EXPECT_TRUE(host().logged(segments()[0].string() + " at byte " + std::to_string(bad.phys_pos)));
  EXPECT_FALSE(host().logged("offset 9 is damaged"));
  EXPECT_FALSE(host().logged("offset 11 is damaged"));
  EXPECT_GE(store().stats().scrub_bad_records_total, 1u);
  send(q, 3);
  const ReadResult before = store().read(q, 9, 1);
  EXPECT_EQ(before.bytes(0), sent[9].expected());
  const ReadResult after = store().read(q, 11, 1);
  EXPECT_EQ(after.bytes(0), sent[11].expected());
}

TEST_F(Scrub, ADamagedFrameIsSaidWithWhatCanBeReadThroughTheRun) {
  open();
  const gantry_queue q = fill();
  const FrameAt frame = frames_of(slurp(segments()[0])).at(1);
  flip(segments()[0], frame.offset + 40);
  wait_for("it is found", [&] { return host().logged(std::to_string(frame.header.record_count) + " records there can be read all the same"); });
  EXPECT_EQ(store().stats().scrub_bad_records_total, 0u);
  expect_all(q);
}

TEST_F(Scrub, ARunThatRotsAfterItWasReadIsMadeAgain) {
  open();
  const gantry_queue q = fill();
  wait_for_passes(1);
  expect_all(q);
  const auto run = runs()[0];
  flip(run, 64 + 8);
  wait_for("it is found", [&] { return host().logged("the index run of " + segments()[0].string() + " is damaged"); });
  expect_all(q);
  reopen();
  expect_all(recovered("A", 3));
}

TEST_F(Scrub, ItCanBeTurnedOff) {
  config["scrub_every"] = "0s";
  open();
  const gantry_queue q = fill();
  send(q, 1);
  EXPECT_EQ(store().stats().scrub_total_bytes, 0u);
  EXPECT_EQ(passes(), 0u);
}

}  // namespace
}  // namespace gantry::test
