// Disks that fail while the store runs: no acknowledgement that is not true, a clear end, everything already acknowledged kept.
#include "harness.h"

#include <atomic>
#include <cerrno>

namespace gantry::test {
namespace {

class Faults : public CommitlogTest {
 protected:
  // One append without waiting; its inline code.
  std::int32_t try_send(gantry_queue q, CompletionLog &done, std::uint64_t user_data, std::size_t body_bytes = 100) {
    tried_.push_back(message(q, filled(body_bytes, user_data)));
    AppendBatch batch(&tried_.back(), 1, user_data);
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().append(store().self(), 0, batch.data(), 1, done.id()); });
    return rc;
  }
  std::deque<Message> tried_;
};

void expect_fenced(StoreInstance &store, FakeHost &host, gantry_queue q) {
  Message m = message(q, "refused");
  AppendBatch batch(&m, 1, 1);
  CompletionLog done(host);
  EXPECT_EQ(store.table().append(store.self(), 0, batch.data(), 1, done.id()), GANTRY_E_NOT_WRITABLE);
  const gantry_meta_op op{GANTRY_META_PUT, 0, str_of("k"), str_of("v")};
  EXPECT_EQ(store.table().meta_write(store.self(), &op, 1, GANTRY_DURABILITY_DEFAULT, 2, done.id()), GANTRY_E_NOT_WRITABLE);
  EXPECT_EQ(store.table().sync(store.self(), 0, 3, done.id()), GANTRY_E_NOT_WRITABLE);
  gantry_queue fresh;
  EXPECT_EQ(store.table().queue_open(store.self(), str_of("new"), 0, 0, &fresh), GANTRY_E_NOT_WRITABLE);
  EXPECT_TRUE(host.logged("store fenced"));
}

TEST_F(Faults, AFailedOrShortWriteIsNeverAcknowledgedAndFencesTheStore) {
  config["flush_interval"] = "60s";  // no mark of a quiet log may meet the fault first
  for (const int fault : {EIO, ENOSPC, -1}) {
    SCOPED_TRACE(fault);
    open();
    const std::string topic = "T" + std::to_string(fault + 1);
    const gantry_queue q = queue(topic);
    sent.clear();
    send(q, 4);
    const std::uint64_t next = disk->log_writes() + 1;
    disk->on_log_write = [next, fault](std::uint64_t nth) { return nth >= next ? fault : 0; };
    CompletionLog done(host());
    std::size_t accepted = 0;
    for (std::uint64_t i = 0; i < 5; ++i) {
      const std::int32_t rc = try_send(q, done, i);
      if (i <= 2) {
        ASSERT_EQ(rc, 1);
      } else {
        ASSERT_TRUE(rc == 1 || rc == GANTRY_E_NOT_WRITABLE) << rc;
      }
      accepted += rc == 1 ? 1 : 0;
      if (i == 2) host().turn();
    }
    ASSERT_TRUE(done.wait_count(accepted));
    for (const gantry_cqe &cqe : done.all()) EXPECT_EQ(cqe.status, GANTRY_E_IO);
    expect_fenced(store(), host(), q);
    EXPECT_EQ(store().stat(q).max_off, 4);
    expect_all(q);
    done.close();
    crash();
    open();
    EXPECT_EQ(store().stat(recovered(topic)).max_off, 4);
    expect_all(recovered(topic));
    close();
  }
}

TEST_F(Faults, WritesBeforeTheFailedOneAreStillAcknowledged) {
  open();
  const gantry_queue q = queue();
  send(q, 1);
  disk->hold_writes = true;
  const std::uint64_t first = disk->log_writes() + 1;
  disk->on_log_write = [first](std::uint64_t nth) { return nth == first + 1 ? EIO : 0; };
  CompletionLog done(host());
  for (std::uint64_t i = 0; i < 3; ++i) {  // big enough for a write of its own each
    ASSERT_EQ(try_send(q, done, i, 100000), 1);
    host().turn();
  }
  disk->release_writes();
  host().on_shard(0, [&] { (void)store().table().sync(store().self(), 0, 99, done.id()); });
  ASSERT_TRUE(done.wait_count(4));
  std::map<std::uint64_t, std::int32_t> status;
  for (const gantry_cqe &cqe : done.all()) status[cqe.user_data] = cqe.status;
  EXPECT_EQ(status[0], GANTRY_OK);
  EXPECT_EQ(status[1], GANTRY_E_IO);
  EXPECT_EQ(status[2], GANTRY_E_IO);
  EXPECT_EQ(status[99], GANTRY_E_IO);
  EXPECT_EQ(store().stat(q).max_off, 2);
}

TEST_F(Faults, AFailedFlushIsFinal) {
  level = GANTRY_DURABILITY_WRITTEN;
  config["flush_interval"] = "20ms";
  std::atomic<bool> broken = false;
  std::atomic<int> failures = 0;
  // A second attempt would succeed, and mean nothing.
  disk->on_sync = [&](const std::string &path) { return broken && path.ends_with("/00000000000000000000") && ++failures == 1 ? EIO : 0; };
  open();
  const gantry_queue q = queue();
  send(q, 3);
  broken = true;
  wait_for("the fence", [&] {
    CompletionLog done(host());
    const std::int32_t rc = try_send(q, done, 1);
    return rc == GANTRY_E_NOT_WRITABLE;
  });
  expect_fenced(store(), host(), q);
  EXPECT_EQ(failures, 1);
  close();
}

// What a failed flush takes may be the frame that names a queue, while a frame behind it, with a record of that queue, has reached the disk by its own flush.
// Such a queue has no name any more. Its handle must not go to another one, whose records the next open would then find to contradict that one.
TEST_F(Faults, AQueueWhoseNameAFailedFlushTookLendsItsHandleToNoOther) {
  level = GANTRY_DURABILITY_WRITTEN;
  config["flush_interval"] = "60s";
  disk->track_unflushed = true;
  open();
  const gantry_queue lost = queue("lost");
  send(lost, 1, 10000);  // more than the block that the next write repeats
  disk->on_op = [](DiskOp op, std::uint64_t) { return op == DiskOp::kSync ? EIO : 0; };
  Message durable = message(lost, "flushed by its own write");
  durable.durability = GANTRY_DURABILITY_DURABLE;
  AppendBatch batch(&durable, 1, 1);
  CompletionLog done(host());
  host().on_shard(0, [&] { ASSERT_EQ(store().table().append(store().self(), 0, batch.data(), 1, done.id()), 1); });
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_E_IO) << "what was promised to be there before it is not";
  done.close();
  disk->freeze();
  close();
  disk->thaw();
  disk->on_op = [](DiskOp, std::uint64_t) { return 0; };
  sent.clear();

  level = GANTRY_DURABILITY_DURABLE;
  open();
  EXPECT_EQ(store().recovered_queues().count({"lost", 0}), 0u);
  EXPECT_GT(store().stats().bad_records_total, 0u) << "the frame behind it was kept, or this test shows nothing";
  send(queue("next"), 3);
  for (int i = 0; i < 2; ++i) {
    reopen();
    expect_all(recovered("next"));
    EXPECT_EQ(store().stat(recovered("next")).max_off, 3);
  }
}

TEST_F(Faults, SyncIsNotAnsweredBeforeTheFlush) {
  level = GANTRY_DURABILITY_WRITTEN;
  config["flush_interval"] = "60s";
  std::atomic<bool> broken = false;
  disk->on_sync = [&](const std::string &) { return broken ? EIO : 0; };
  open();
  const gantry_queue q = queue();
  send(q, 3);
  EXPECT_LT(store().stats().durable_pos, store().stats().log_end_pos);
  broken = true;
  CompletionLog done(host());
  host().on_shard(0, [&] { ASSERT_EQ(store().table().sync(store().self(), 0, 1, done.id()), GANTRY_OK); });
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_E_IO);
  done.close();
  close();
}

TEST_F(Faults, ADurableRecordBehindWrittenOnesWaitsForTheirFlush) {
  level = GANTRY_DURABILITY_WRITTEN;
  config["flush_interval"] = "60s";
  open();
  const gantry_queue q = queue();
  send(q, 3);
  const std::uint64_t flushes = store().stats().flushes_total;
  Message m = message(q, "durable");
  m.durability = GANTRY_DURABILITY_DURABLE;
  (void)append_one(store(), m);
  EXPECT_EQ(store().stats().durable_pos, store().stats().log_end_pos);
  EXPECT_GE(store().stats().flushes_total, flushes + 2) << "its own write and one for the ones before it";
}

TEST_F(Faults, AFullDiskRefusesRecordsTakesMetaRowsAndRecoversByItself) {
  config["reserve"] = "64 KiB";
  std::atomic<bool> full{false};
  disk->on_allocate = [&](std::int64_t) { return full ? ENOSPC : 0; };
  disk->on_create = [&](const std::string &) { return full ? ENOSPC : 0; };
  open();
  const gantry_queue q = queue();
  send(q, 1);
  full = true;
  std::int32_t rc = 0;
  CompletionLog done(host());
  std::uint64_t n = 0;
  ASSERT_TRUE(host().wait_until([&] {
    while ((rc = try_send(q, done, n, 5000)) == 1) ++n;
    return rc == GANTRY_E_NO_SPACE;
  })) << rc;
  ASSERT_TRUE(done.wait_count(n));
  EXPECT_TRUE(host().logged("no room for the next log file"));
  const gantry_meta_op op{GANTRY_META_PUT, 0, str_of("offset"), str_of("42")};
  CompletionLog meta(host());
  host().on_shard(0, [&] { EXPECT_EQ(store().table().meta_write(store().self(), &op, 1, GANTRY_DURABILITY_DEFAULT, 1, meta.id()), GANTRY_OK); });
  const auto cqe = meta.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  EXPECT_EQ(store().read(q, 0, 1).bytes(0), sent[0].expected());
  full = false;
  ASSERT_TRUE(host().wait_until([&] { return (rc = try_send(q, done, n, 5000)) == 1; }, 10000)) << rc;
  EXPECT_TRUE(host().logged("there is space for the log again"));
  ASSERT_TRUE(done.wait_count(n + 1));
  for (const gantry_cqe &each : done.all()) EXPECT_EQ(each.status, GANTRY_OK);
  done.close();
  meta.close();
  reopen();
  EXPECT_EQ(store().recovered_meta().at("offset"), "42");
  EXPECT_EQ(store().stat(recovered()).max_off, static_cast<std::int64_t>(n) + 2);
  close();
}

TEST_F(Faults, ACleanStopWorksOnAFullDisk) {
  std::atomic<bool> full{false};
  disk->on_allocate = [&](std::int64_t) { return full ? ENOSPC : 0; };
  disk->on_create = [&](const std::string &) { return full ? ENOSPC : 0; };
  open();
  const gantry_queue q = queue();
  send(q, 30);
  full = true;
  close();
  disk = std::make_shared<TwinDisk>();
  open();
  expect_all(recovered());
}

// A run would vouch for records that the failed flush took.
TEST_F(Faults, ASegmentWhoseFlushFailsGetsNoRun) {
  level = GANTRY_DURABILITY_WRITTEN;
  config["flush_interval"] = "60s";
  std::atomic<bool> broken = false;
  disk->on_sync = [&](const std::string &path) { return broken && path.find("/commitlog/0") != std::string::npos && !path.ends_with(".new") ? EIO : 0; };
  open();
  const gantry_queue q = queue();
  send(q, 1);
  broken = true;
  CompletionLog done(host());
  for (std::uint64_t i = 0; i < 12 && !host().logged("store fenced"); ++i) {  // more than one log file
    (void)host().wait_until([&] { return try_send(q, done, i, 100000) != GANTRY_E_AGAIN; });
    host().turn();
  }
  wait_for("the fence", [&] { return host().logged("store fenced"); });
  done.close();
  close();
  EXPECT_TRUE(runs().empty());
}

// A start writes the runs that are missing. One that finds no space stays in memory, and must not hide those that lie before it in the log.
TEST_F(Faults, AStartThatHasNoSpaceForOneRunGivesEveryRecord) {
  open();
  send(queue(), 500, 8000);
  wait_for("runs", [&] { return runs().size() >= 3; });
  crash();
  const std::size_t sealed = runs().size();
  for (const auto &run : runs()) std::filesystem::remove(run);
  std::atomic<int> tried = 0;
  disk->on_create = [&](const std::string &path) { return path.ends_with(".run.tmp") && ++tried == 1 ? ENOSPC : 0; };
  open();
  EXPECT_TRUE(host().logged("stays in memory"));
  EXPECT_EQ(store().stat(recovered()).min_off, 0);
  expect_all(recovered());
  wait_for("the runs after all", [&] { return runs().size() >= sealed; });
  reopen();
  EXPECT_EQ(store().stat(recovered()).min_off, 0);
  expect_all(recovered());
}

TEST_F(Faults, HeldReadsStopTheRingFromOverwritingThemAndOnlyThat) {
  config["hot_cache"] = "4 MiB";
  config["segment_size"] = "16 MiB";
  open();
  const gantry_queue q = queue();
  send(q, 100, 1000, 50);
  ReadResult held = store().read(q, 0, 100);
  ASSERT_EQ(held->n, 100u);
  EXPECT_GT(held->owner->bytes, 100000u);
  CompletionLog done(host());
  std::uint64_t n = 0;
  std::int32_t rc = 0;
  (void)host().wait_until([&] {
    while ((rc = try_send(q, done, n, 50000)) == 1) ++n;
    return false;
  }, 500);
  EXPECT_EQ(rc, GANTRY_E_AGAIN);
  EXPECT_GT(n, 40u) << "the rest of the arena is used";
  for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(held.bytes(i), sent[i].expected());
  held.reset();
  EXPECT_TRUE(host().wait_until([&] { return try_send(q, done, n, 50000) == 1; }));
}

TEST_F(Faults, AHeldReadOutlivesTheStore) {
  open();
  send(queue(), 5, 1000);
  const ReadResult held = store().read(queue(), 0);
  ASSERT_EQ(held->n, 5u);
  close();
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(held.bytes(i), sent[i].expected());
}

TEST_F(Faults, StoppingAfterTheShardsHasTheSameResult) {
  open();
  const gantry_queue q = queue();
  send(q, 3);
  disk->hold_writes = true;
  CompletionLog done(host());
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(try_send(q, done, i, 100000), 1);
    host().turn();
  }
  host().stop_shards();
  while (host().turn()) {  // what was posted before; from now on nothing is
  }
  component_over(disk).stop(store().self());  // on this thread: the loop does not turn any more
  EXPECT_EQ(host().leftovers(), 0u);
  disk->hold_writes = false;
  done.close();
  close();
  open();
  EXPECT_EQ(store().stat(recovered()).max_off, 6);
}

}  // namespace
}  // namespace gantry::test
