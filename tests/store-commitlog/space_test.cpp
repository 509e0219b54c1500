// A disk that is full, or nearly: who is refused, what goes, what is said, and that all goes on by itself.
#include "harness.h"
#include "space.hpp"

#include <atomic>
#include <ctime>
#include <map>
#include <mutex>

namespace gantry::test {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

// Groups and how far they are, by topic.
class Groups {
 public:
  const gantry_consumption *table() const { return &table_; }
  void set(const std::string &topic, std::int64_t offset, const std::string &group = "readers") {
    const std::lock_guard lock(mutex_);
    at_[topic] = {offset, group};
  }

 private:
  static void consumed(void *self, const gantry_queue_name *queues, std::uint32_t n, gantry_consumed *out) noexcept {
    auto &groups = *static_cast<Groups *>(self);
    const std::lock_guard lock(groups.mutex_);
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto at = groups.at_.find(text_of(queues[i].topic));
      out[i] = at == groups.at_.end() ? gantry_consumed{0, {}} : gantry_consumed{at->second.first, str_of(at->second.second)};
    }
  }
  std::mutex mutex_;
  std::map<std::string, std::pair<std::int64_t, std::string>> at_;
  const gantry_consumption table_{this, consumed};
};

class SpaceTest : public CommitlogTest {
 protected:
  void SetUp() override {
    consumption = groups_.table();
    config["recycle"] = "0";
    config["keep_free"] = "2 MiB";
    config["checkpoint_every"] = "1 MiB";
    config["reserve"] = "128 KiB";
    // A disk of 64 MiB on which the log may take `room_` in all.
    disk->on_space = [this](commitlog::DiskSpace *space) {
      std::int64_t log = 0;
      std::error_code gone;
      for (const auto &entry : std::filesystem::directory_iterator(dir() + "/commitlog", gone)) log += entry.is_regular_file(gone) ? static_cast<std::int64_t>(entry.file_size(gone)) : 0;
      space->total = 64 * kMiB;
      space->free = std::max<std::int64_t>(0, room_ + 2 * kMiB - log);
    };
  }
  // Messages to the queue until n were taken; the code of the first refusal that is not AGAIN, else OK.
  std::int32_t fill(gantry_queue q, std::size_t n, std::size_t body_bytes = 20'000) {
    CompletionLog done(host());
    std::size_t taken = 0;
    std::int32_t rc = GANTRY_OK;
    EXPECT_TRUE(host().wait_until([&] {
      while (taken < n) {
        Message m = message(q, filled(body_bytes, ++seed_));
        AppendBatch batch(&m, 1, seed_);
        host().on_shard(0, [&] { rc = store().table().append(store().self(), 0, batch.data(), 1, done.id()); });
        if (rc != 1) return rc != GANTRY_E_AGAIN;
        ++taken;
      }
      return true;
    }));
    EXPECT_TRUE(done.wait_count(taken));
    return taken == n ? GANTRY_OK : rc;
  }
  std::int32_t write_row(const std::string &key, std::size_t bytes = 100) {
    const std::string value(bytes, 'v');
    const gantry_meta_op op{GANTRY_META_PUT, 0, str_of(key), str_of(value)};
    CompletionLog done(host());
    std::int32_t rc = GANTRY_OK;
    EXPECT_TRUE(host().wait_until([&] {
      host().on_shard(0, [&] { rc = store().table().meta_write(store().self(), &op, 1, GANTRY_DURABILITY_DEFAULT, 1, done.id()); });
      return rc != GANTRY_E_AGAIN;
    }));
    if (rc != GANTRY_OK) return rc;
    const auto cqe = done.wait_for(1);
    return cqe ? cqe->status : GANTRY_E_TIMEOUT;
  }
  std::string refusal() {
    char text[1024];
    return {text, store().table().refusal(store().self(), text, sizeof text)};
  }

  Groups groups_;
  std::atomic<std::int64_t> room_{6 * kMiB};
  std::uint64_t seed_ = 0;
};

TEST_F(SpaceTest, BytesAndTimesAreSaidAsPeopleReadThem) {
  EXPECT_EQ(commitlog::bytes_text(0), "0 B");
  EXPECT_EQ(commitlog::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(commitlog::bytes_text(3ll << 40), "3.0 TiB");
  EXPECT_EQ(commitlog::time_text(59'999), "59 s");
  EXPECT_EQ(commitlog::time_text(3 * 3'600'000 + 20 * 60'000), "3 h 20 min");
  EXPECT_EQ(commitlog::time_text(72ll * 3'600'000), "3 days");
}

TEST_F(SpaceTest, ByDefaultRecordsAreRefusedAndToldWhoFillsTheDisk) {
  open();
  EXPECT_EQ(refusal(), "");
  const gantry_queue big = queue("big"), small = queue("small");
  ASSERT_EQ(fill(small, 10), GANTRY_OK);
  ASSERT_EQ(fill(big, 1000), GANTRY_E_NO_SPACE);
  EXPECT_EQ(store().stats().space, GANTRY_SPACE_REFUSING);
  EXPECT_EQ(store().stats().log_begin_pos, 0) << "nothing was dropped";
  wait_for("the topics are counted", [&] { return refusal().find("big 9") != std::string::npos; });
  const std::string text = refusal();
  for (const std::string &part : {std::string("the broker's disk is full"), std::string("64.0 MiB"), dir(), std::string("small"), std::string("free space there")}) EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  EXPECT_EQ(store().read(small, 0, 1)->n, 1u) << "consumers go on";
  EXPECT_EQ(write_row("offset"), GANTRY_OK);

  room_ = 12 * kMiB;
  wait_for("it goes on by itself", [&] { return fill(big, 1) == GANTRY_OK; });
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(store().stats().space, GANTRY_SPACE_FINE);
  reopen();
  EXPECT_EQ(store().recovered_meta().at("offset"), std::string(100, 'v'));
}

TEST_F(SpaceTest, RowsGoOnLongAfterTheReserveOfTheLastFileIsUsedUp) {
  open();
  const gantry_queue q = queue();
  ASSERT_EQ(fill(q, 1000), GANTRY_E_NO_SPACE);
  for (int i = 0; i < 40; ++i) ASSERT_EQ(write_row("row" + std::to_string(i), 10'000), GANTRY_OK) << i << ": far more than the reserve of 128 KiB";
  EXPECT_TRUE(host().logged("follows, for them alone"));
  EXPECT_EQ(fill(q, 1), GANTRY_E_NO_SPACE) << "what was made for rows is not for records";
  const std::int64_t end = store().stat(q).max_off;
  reopen();
  EXPECT_EQ(store().recovered_meta().size(), 40u);
  EXPECT_EQ(store().stat(recovered()).max_off, end);
  room_ = 20 * kMiB;
  wait_for("it goes on by itself", [&] { return fill(recovered(), 1, 200'000) == GANTRY_OK; });
}

TEST_F(SpaceTest, WhatSettlesOlderRecordsIsTakenWhenItIsSmall) {
  open();
  const gantry_queue q = queue();
  ASSERT_EQ(fill(q, 1000), GANTRY_E_NO_SPACE);
  CompletionLog done(host());
  const auto settle = [&](std::size_t bytes, std::uint32_t flags) {
    Message m = message(q, filled(bytes, 1));
    AppendBatch batch(&m, 1, 1);
    batch.data()->flags = flags;
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().append(store().self(), 0, batch.data(), 1, done.id()); });
    return rc;
  };
  EXPECT_EQ(settle(20'000, 0), GANTRY_E_NO_SPACE);
  EXPECT_EQ(settle(20'000, GANTRY_APPEND_SETTLES), GANTRY_E_NO_SPACE);
  EXPECT_EQ(settle(200, GANTRY_APPEND_SETTLES), 1);
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  done.close();
}

TEST_F(SpaceTest, DropOldestMakesRoomAndNamesWhatNobodyHadConsumed) {
  config["disk_full"] = "drop_oldest";
  groups_.set("A", 7);
  open();
  const gantry_queue q = queue();
  ASSERT_EQ(fill(q, 600), GANTRY_OK) << "12 MB through a log of 6 MiB";
  const gantry_queue_stat stat = store().stat(q);
  EXPECT_GT(stat.min_off, 0);
  EXPECT_EQ(stat.max_off, 600);
  EXPECT_TRUE(host().logged("disk_full = drop_oldest drops"));
  EXPECT_TRUE(host().logged("A queue 0 offsets 7 to"));
  EXPECT_TRUE(host().logged("(group readers is at 7)"));
  EXPECT_EQ(store().stats().dropped_unconsumed_total, static_cast<std::uint64_t>(stat.min_off) - 7);
  EXPECT_EQ(store().read(q, stat.min_off, 1)->n, 1u);
}

TEST_F(SpaceTest, DropOldestSparesWhatIsHeld) {
  config["disk_full"] = "drop_oldest";
  open();
  const gantry_queue q = queue();
  ASSERT_EQ(fill(q, 1), GANTRY_OK);
  store().table().retain_from(store().self(), 0);
  ASSERT_EQ(fill(q, 1000), GANTRY_E_NO_SPACE);
  wait_for("the reason", [&] { return refusal().find("held for messages that wait") != std::string::npos; });
  EXPECT_EQ(store().stat(q).min_off, 0);
  store().table().retain_from(store().self(), INT64_MAX);
  wait_for("it goes on", [&] { return fill(q, 1) == GANTRY_OK; });
}

TEST_F(SpaceTest, DropConsumedTakesWhatEveryGroupHasAndRefusesForTheRest) {
  config["disk_full"] = "drop_consumed";
  groups_.set("A", INT64_MAX);
  open();
  const gantry_queue q = queue();
  ASSERT_EQ(fill(q, 600), GANTRY_OK);
  const std::int64_t min_off = store().stat(q).min_off;
  EXPECT_GT(min_off, 0);
  EXPECT_EQ(store().stats().dropped_unconsumed_total, 0u);

  groups_.set("A", 0, "sleepers");
  ASSERT_EQ(fill(q, 1000), GANTRY_E_NO_SPACE);
  wait_for("the reason", [&] { return refusal().find("group sleepers is at") != std::string::npos; });
  const std::int64_t kept = store().stat(q).min_off;
  EXPECT_EQ(store().read(q, kept, 1)->n, 1u);
  EXPECT_EQ(store().stats().dropped_unconsumed_total, 0u);

  groups_.set("A", INT64_MAX);
  wait_for("it goes on when they have consumed", [&] { return fill(q, 1) == GANTRY_OK; });
  EXPECT_GT(store().stat(q).min_off, kept);
}

TEST_F(SpaceTest, DropConsumedSparesTopicsWithoutAGroup) {
  config["disk_full"] = "drop_consumed";
  open();
  ASSERT_EQ(fill(queue("unread"), 1000), GANTRY_E_NO_SPACE);
  wait_for("the reason", [&] { return refusal().find("unread queue 0 offsets 0 to") != std::string::npos; });
  EXPECT_NE(refusal().find("no group is known there"), std::string::npos);
}

TEST_F(SpaceTest, OrdinaryRetentionSaysWhatAGroupMissesAndIsSilentWhereNobodyReads) {
  config["retention_bytes"] = "3 MiB";
  room_ = 40 * kMiB;
  groups_.set("read", 2);
  open();
  ASSERT_EQ(fill(queue("unread"), 200), GANTRY_OK);
  ASSERT_EQ(fill(queue("read"), 400), GANTRY_OK);
  wait_for("old files go", [&] { return store().stat(queue("read")).min_off > 0; });
  wait_for("said", [&] { return host().logged("read queue 0 offsets 2 to"); });
  EXPECT_FALSE(host().logged("unread queue 0"));
  EXPECT_GE(store().stats().dropped_unconsumed_total, static_cast<std::uint64_t>(store().stat(queue("read")).min_off) - 2);
}

TEST_F(SpaceTest, TheEndIsForeseenFromTheRateOfWriting) {
  room_ = 40 * kMiB;
  open();
  EXPECT_EQ(store().stats().full_in_ms, 0) << "nothing is known yet";
  EXPECT_EQ(store().stats().disk_bytes, 64u * kMiB);
  const gantry_queue q = queue();
  wait_for("a forecast", [&] { return fill(q, 1, 2000) == GANTRY_OK && store().stats().full_in_ms > 0; });
  EXPECT_GT(store().stats().write_bytes_per_s, 0u);
  wait_for("said", [&] { return host().logged("is full in"); });
}

TEST_F(SpaceTest, WithAShortRetentionItIsNeverFull) {
  room_ = 40 * kMiB;
  config["retention_bytes"] = "4 MiB";
  open();
  const gantry_queue q = queue();
  wait_for("a rate", [&] { return fill(q, 1, 2000) == GANTRY_OK && store().stats().write_bytes_per_s > 0; });
  EXPECT_EQ(store().stats().full_in_ms, 0);
  EXPECT_FALSE(host().logged("is full in"));
}

// 2026-03-04, that hour, local time.
std::int64_t at_hour(int hour) {
  std::tm tm{};
  tm.tm_year = 126;
  tm.tm_mon = 2;
  tm.tm_mday = 4;
  tm.tm_hour = hour;
  tm.tm_isdst = -1;
  return static_cast<std::int64_t>(std::mktime(&tm)) * 1000;
}

TEST_F(SpaceTest, OldFilesWaitForTheHourOfDeleteWhen) {
  room_ = 40 * kMiB;
  config["retention"] = "1h";
  config["delete_when"] = "04;16";
  config["checkpoint_every"] = "1 MiB";
  wall_ms = at_hour(5);
  open();
  ASSERT_EQ(fill(queue(), 200), GANTRY_OK);
  wait_for("runs", [&] { return runs().size() >= 3; });
  host().freeze_clock(at_hour(15));
  ASSERT_EQ(fill(queue(), 100), GANTRY_OK);  // looks at retention many times
  wait_for("runs", [&] { return runs().size() >= 5; });
  EXPECT_EQ(store().stat(queue()).min_off, 0);
  host().freeze_clock(at_hour(16));
  wait_for("old files go", [&] { return store().stat(queue()).min_off > 0; });
}

TEST_F(SpaceTest, HoursThatThereAreNotAreRefused) {
  for (const char *wrong : {"24", "x", "4;;16", "-1", "123"}) {
    config["delete_when"] = wrong;
    FakeHost fresh;
    const FakeConfig texts(component_over(disk), config);
    void *self = nullptr;
    gantry_error err{};
    EXPECT_EQ(component_over(disk).create(fresh.abi(), texts.abi(), &self, &err), GANTRY_E_CONFIG) << wrong;
    EXPECT_NE(std::string(err.text).find("delete_when"), std::string::npos);
  }
}

}  // namespace
}  // namespace gantry::test
