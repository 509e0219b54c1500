// The order of what becomes of log files, read off the trace of a store whose old files go and are used again: no luck with the moment of a crash is needed to see it.
#include "harness.h"

#include "checkpoint.hpp"

#include <atomic>
#include <cstring>
#include <map>
#include <string>

namespace gantry::test {
namespace {

class Order : public CommitlogTest {
 protected:
  static constexpr std::int64_t kSegmentBytes = 1 << 20;

  // Writes until a file has been used again, then stops in order.
  void SetUp() override {
    config["flush_interval"] = "60s";
    config["recycle"] = "1";
    config["checkpoint_every"] = "1 MiB";
    config["retention_bytes"] = "3 MiB";
    disk->claim_direct = true;
    disk->on_open = [this](const std::string &path) { used_again_ = used_again_ || path.find("/commitlog/recycled-") != std::string::npos; };
    disk->trace = std::make_shared<Trace>(dir());
    open();
    const gantry_queue q = queue();
    for (int i = 0; i < 400 && !used_again_; ++i) send(q, 1, 100000);
    wait_for("a file that is used again", [&] { return used_again_.load(); });
    close();
  }

  // Position of the log file of that name; -1 when it is none.
  static std::int64_t base_of(const std::string &path) {
    commitlog::LogPos base;
    return path.starts_with("commitlog/") && commitlog::parse_position(path.substr(std::string("commitlog/").size()), &base) ? base.v : -1;
  }
  [[nodiscard]] const std::vector<Event> &events() const { return disk->trace->events(); }
  [[nodiscard]] std::string what(std::size_t event) const { return disk->trace->describe(event); }

 private:
  std::atomic<bool> used_again_{false};
};

// Else a loss of power could leave records in a file of another name, or none.
TEST_F(Order, ALogFileIsThereForGoodBeforeAnythingElseHappens) {
  std::size_t created = 0, reused = 0;
  std::map<std::uint32_t, bool> size_is_flushed;  // of files that were allocated
  for (std::size_t i = 0; i < events().size(); ++i) {
    const Event &event = events()[i];
    if (event.kind == EventKind::kAllocate) size_is_flushed[event.file] = false;
    if (event.kind == EventKind::kSync && size_is_flushed.contains(event.file)) size_is_flushed[event.file] = true;
    if (event.kind != EventKind::kRename || base_of(event.to) < 0) continue;
    ++(event.path.find("recycled-") != std::string::npos ? reused : created);
    ASSERT_TRUE(size_is_flushed.at(event.file)) << what(i);
    for (std::size_t next = i + 1;; ++next) {
      ASSERT_LT(next, events().size()) << what(i) << " was never flushed";
      const Event &then = events()[next];
      if (then.kind == EventKind::kSyncDir && then.path == "commitlog") break;
      ASSERT_FALSE(then.is_name() && then.path.starts_with("commitlog/")) << what(i) << ", then " << what(next);
      ASSERT_FALSE(then.is_data() && then.file == event.file) << what(i) << ", then " << what(next);
    }
  }
  EXPECT_GT(created, 0u);
  EXPECT_GT(reused, 0u);
}

// Either of them may be the one that a start finds whole.
TEST_F(Order, ALogFileGoesWhenBothCheckpointsLieBehindIt) {
  std::map<std::uint32_t, std::int64_t> written;  // file -> position of the checkpoint in it
  std::map<std::string, std::int64_t> there;      // by name
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < events().size(); ++i) {
    const Event &event = events()[i];
    if (event.kind == EventKind::kWrite && event.offset == 0 && event.data->size() >= sizeof(commitlog::CheckpointHead)) {
      commitlog::CheckpointHead head;
      const commitlog::CheckpointHead expected;
      std::memcpy(&head, event.data->data(), sizeof head);
      if (std::memcmp(head.magic, expected.magic, sizeof head.magic) == 0) written[event.file] = head.pos;
    }
    if (event.kind == EventKind::kRename && written.contains(event.file)) there[event.to] = written.at(event.file);
    const bool goes = event.kind == EventKind::kRemove || (event.kind == EventKind::kRename && event.to.find("/recycled-") != std::string::npos);
    if (!goes || base_of(event.path) < 0) continue;
    ++dropped;
    ASSERT_EQ(there.size(), 2u) << what(i);
    for (const auto &[name, pos] : there) EXPECT_GE(pos, base_of(event.path) + kSegmentBytes) << what(i) << ", and " << name;
  }
  EXPECT_GT(dropped, 0u);
}

}  // namespace
}  // namespace gantry::test
