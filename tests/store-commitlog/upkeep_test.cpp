// Sealing, checkpoints, retention, restarts.
#include "harness.h"

#include <chrono>

namespace gantry::test {
namespace {

using Upkeep = CommitlogTest;

TEST_F(Upkeep, SealedSegmentsGetRunsAndReadTheSameFromThere) {
  open();
  const gantry_queue a = queue("A"), b = queue("B");
  for (int i = 0; i < 40; ++i) {
    send(a, 10, 3000, 10);
    send(b, 10, 7000, 10);
  }
  wait_for("runs", [&] { return runs().size() >= 3; });
  expect_all(a);
  expect_all(b);
  EXPECT_EQ(store().read_at(sent[0].phys_pos).bytes(0), sent[0].expected());
  std::int32_t status = GANTRY_OK;
  const ReadResult none = store().read_at(sent[0].phys_pos + 1, &status);
  EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
  reopen();
  expect_all(recovered("A"));
  expect_all(recovered("B"));
}

TEST_F(Upkeep, TagsAreFilteredInRunsAsInMemory) {
  open();
  const gantry_queue q = queue();
  for (int i = 0; i < 40; ++i) send(q, 20, 5000, 20);
  wait_for("runs", [&] { return runs().size() >= 3; });
  const std::int64_t wanted = 2;
  gantry_read request{};
  request.queue = q;
  request.tags = &wanted;
  request.n_tags = 1;
  request.max_records = 50;
  request.max_bytes = 1u << 30;
  std::size_t found = 0;
  for (request.offset = 0; request.offset < 800;) {
    const ReadResult got = store().read(request);
    for (const gantry_record &record : got.records()) {
      EXPECT_EQ(record.tag, 2);
      EXPECT_EQ(record.queue_off, sent[static_cast<std::size_t>(record.queue_off)].offsets[0]);
      ++found;
    }
    ASSERT_GT(got->next_off, request.offset);
    request.offset = got->next_off;
  }
  EXPECT_EQ(found, static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [](const Message &m) { return m.links[0].tag == 2; })));
}

TEST_F(Upkeep, WideTagsSurviveTheRun) {
  open();
  const gantry_queue q = queue();
  std::vector<Message> messages;
  for (std::int64_t i = 0; i < 400; ++i) messages.push_back(message(q, filled(5000, static_cast<std::uint64_t>(i)), (std::int64_t{1} << 40) + i));
  append_all(store(), messages, 20);
  wait_for("a run", [&] { return !runs().empty(); });
  reopen();
  const ReadResult got = store().read(recovered(), 0, 10);
  ASSERT_EQ(got->n, 10u);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(got->records[i].tag, (std::int64_t{1} << 40) + static_cast<std::int64_t>(i));
}

TEST_F(Upkeep, RetentionByBytesDropsWholeFilesFromTheOldEnd) {
  config["retention_bytes"] = "3 MiB";
  config["checkpoint_every"] = "1 MiB";
  open();
  const gantry_queue q = queue(), idle = queue("idle");
  send(idle, 3);
  for (int i = 0; i < 80; ++i) send(q, 20, 5000, 20);
  wait_for("old files go", [&] { return store().stats().log_begin_pos > 3 << 20; });
  const gantry_queue_stat stat = store().stat(q);
  EXPECT_GT(stat.min_off, 0);
  EXPECT_EQ(stat.max_off, 1600);
  EXPECT_EQ(store().read(q, 0)->stop, GANTRY_STOP_RANGE);
  EXPECT_EQ(store().read(q, stat.min_off, 1).bytes(0), sent[3 + static_cast<std::size_t>(stat.min_off)].expected());
  EXPECT_EQ(store().stat(idle).min_off, 3) << "an empty queue keeps counting where it was";
  EXPECT_EQ(store().stat(idle).max_off, 3);
  EXPECT_TRUE(host().logged("retention: dropped"));
  reopen();
  EXPECT_GE(store().stat(recovered()).min_off, stat.min_off);
  EXPECT_EQ(store().stat(recovered("idle")).max_off, 3);
  EXPECT_EQ(append_one(store(), message(recovered("idle"), "next")).offsets[0], 3);
}

TEST_F(Upkeep, RetentionByTimeWaitsForTheNewestRecordOfAFile) {
  config["retention"] = "1h";
  config["checkpoint_every"] = "1 MiB";
  open();
  const std::int64_t now = host().wall_ms();
  host().freeze_clock(now);
  const gantry_queue q = queue();
  for (int i = 0; i < 40; ++i) send(q, 20, 5000, 20);
  wait_for("runs", [&] { return runs().size() >= 3; });
  EXPECT_EQ(store().stats().log_begin_pos, 0);
  host().advance_ms(3600 * 1000 + 1);
  wait_for("old files go", [&] {
    host().advance_ms(1000);
    return store().stats().segments == 1;
  });
  EXPECT_GT(store().stat(q).min_off, 0) << "all but the open segment";
}

TEST_F(Upkeep, WhatRetentionWouldDropButForAHoldIsTold) {
  config["retention_bytes"] = "3 MiB";
  config["checkpoint_every"] = "1 MiB";
  open();
  store().table().retain_from(store().self(), 100);
  EXPECT_EQ(store().stats().held_end_pos, 0);
  send(queue(), 1600, 5000);  // 8 MiB
  wait_for("told", [&] { return store().stats().held_end_pos >= 4 << 20; });
  gantry_store_stats stats = store().stats();
  EXPECT_EQ(stats.held_begin_pos, 0);
  EXPECT_EQ(stats.held_file_end_pos, 1 << 20);
  EXPECT_EQ(stats.held_end_pos % (1 << 20), 0) << "whole files";
  EXPECT_LE(stats.held_end_pos, stats.log_end_pos - (2 << 20)) << "three of the files are kept";
  EXPECT_EQ(store().stat(queue()).min_off, 0);

  store().table().retain_from(store().self(), stats.held_file_end_pos);
  wait_for("the oldest goes", [&] { return store().stats().log_begin_pos == stats.held_file_end_pos; });
  wait_for("the next is the oldest now", [&] { return store().stats().held_begin_pos == stats.held_file_end_pos; });
  EXPECT_EQ(store().stats().held_file_end_pos, 2 << 20);
  store().table().retain_from(store().self(), INT64_MAX);
  wait_for("all of it goes", [&] { return store().stats().log_begin_pos >= stats.held_end_pos; });
  wait_for("nothing is held", [&] { return store().stats().held_end_pos == 0; });
}

TEST_F(Upkeep, DroppedFilesAreReusedAndNoMoreThanAsked) {
  config["retention_bytes"] = "2 MiB";
  config["checkpoint_every"] = "1 MiB";
  config["recycle"] = "2";
  open();
  const gantry_queue q = queue();
  for (int i = 0; i < 150; ++i) send(q, 20, 5000, 20);
  wait_for("old files go", [&] { return store().stats().log_begin_pos > 8 << 20; });
  std::size_t recycled = 0;
  for (const auto &entry : std::filesystem::directory_iterator(dir() + "/commitlog")) {
    recycled += entry.path().filename().string().rfind("recycled-", 0) == 0 ? 1 : 0;
  }
  EXPECT_LE(recycled, 2u);
  const auto got = read_queue(store(), q);
  for (const auto &[offset, bytes] : got) ASSERT_EQ(bytes, sent[static_cast<std::size_t>(offset)].expected());
}

TEST_F(Upkeep, ACheckpointBoundsWhatTheNextStartScans) {
  config["checkpoint_every"] = "2 MiB";
  config["segment_size"] = "16 MiB";
  open();
  const gantry_queue q = queue();
  for (int i = 0; i < 120; ++i) {
    send(q, 20, 5000, 20);
    if (i % 10 == 0) wait_for("a checkpoint", [&] { return i < 30 || std::filesystem::exists(dir() + "/checkpoint.1"); });
  }
  wait_for("both checkpoints", [&] { return std::filesystem::exists(dir() + "/checkpoint.0"); });
  crash();
  open();
  EXPECT_LT(store().stats().recovered_bytes_scanned, 10u << 20);
  expect_all(recovered());
  EXPECT_EQ(store().stats().recovered_bytes_cut, 0u);
}

TEST_F(Upkeep, AfterACleanStopNothingIsScanned) {
  open();
  send(queue(), 100, 1000);
  close();
  open();
  EXPECT_LE(store().stats().recovered_bytes_scanned, 64u << 10);
  expect_all(recovered());
}

TEST_F(Upkeep, AMillionQueuesWouldBeKeptButTenThousandMustCostLittle) {
  config["hot_cache"] = "4 MiB";
  open();
  std::vector<Message> messages;
  for (std::uint32_t i = 0; i < 10000; ++i) messages.push_back(message(queue("T" + std::to_string(i), i % 4), std::to_string(i)));
  append_all(store(), messages, 256);
  reopen();
  EXPECT_EQ(store().recovered_queues().size(), 10000u);
  for (std::uint32_t i = 0; i < 10000; i += 499) {
    const gantry_queue q = recovered("T" + std::to_string(i), i % 4);
    EXPECT_EQ(body_of(store().read(q, 0).bytes(0)), std::to_string(i));
    EXPECT_EQ(store().queue("T" + std::to_string(i), i % 4), q) << "the same handle as before";
  }
}

TEST_F(Upkeep, SeekFindsTimesInRunsAndInMemory) {
  open();
  const gantry_queue q = queue();
  std::vector<Message> messages;
  for (std::int64_t i = 0; i < 900; ++i) {
    messages.push_back(message(q, filled(5000, static_cast<std::uint64_t>(i))));
    messages.back().store_ms = 1000000 + i * 10;
  }
  append_all(store(), messages, 20);
  wait_for("runs", [&] { return runs().size() >= 3; });
  for (const std::int64_t i : {0, 1, 50, 333, 500, 899}) {
    for (const std::int64_t delta : {-9, 0}) {
      CompletionLog done(host());
      host().on_shard(0, [&] { EXPECT_EQ(store().table().seek_time(store().self(), 0, q, 1000000 + i * 10 + delta, 1, done.id()), GANTRY_OK); });
      const auto cqe = done.wait_for(1);
      ASSERT_TRUE(cqe);
      EXPECT_EQ(cqe->result, i);
    }
  }
  EXPECT_EQ(store().stat(q).first_store_ms, 1000000);
}

TEST_F(Upkeep, OptionsThatMakeNoSenseAreRefusedByName) {
  for (const auto &[key, value] : {std::pair{"segment_size", "1500000"}, std::pair{"hot_cache", "3 MiB"}}) {
    config = {{key, value}};
    FakeHost own;
    const gantry_component &component = component_over(disk);
    const FakeConfig texts(component, config);
    void *self = nullptr;
    gantry_error error{};
    EXPECT_EQ(component.create(own.abi(), texts.abi(), &self, &error), GANTRY_E_CONFIG);
    EXPECT_NE(std::string(error.text).find(key), std::string::npos) << error.text;
  }
}

}  // namespace
}  // namespace gantry::test
