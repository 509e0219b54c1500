// What a store that keeps things gives back after a stop and after a crash (_exit in a child process, no stop, no destructor).
#include "fixture.h"

#include <sys/wait.h>
#include <unistd.h>

namespace gantry::test {
namespace {

class Persistence : public StoreContract {
 protected:
  void SetUp() override {
    if (!keeps_over_restart()) GTEST_SKIP() << "this store keeps nothing over a restart, and says so";
    StoreContract::SetUp();
  }

  // Runs `work` on a store in dir() in a child process that then ends without stopping it. The messages' places and whatever else
  // is needed afterwards must be known in advance or be written into `shared`, a pipe whose text is returned.
  std::string crash_after(const std::function<std::string(StoreInstance &)> &work) {
    close();
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      FakeHost own;
      own.start_wall_at(kTestWallMs);
      auto victim = make_store(own);
      std::string said = "open failed: ";
      if (victim->open(dir(), default_level()) == GANTRY_OK) {
        said = work(*victim);
      } else {
        said += victim->error().text;
      }
      [[maybe_unused]] const ssize_t n = ::write(ends[1], said.data(), said.size());
      ::_exit(HasFailure() ? 1 : 0);
    }
    ::close(ends[1]);
    std::string said(1 << 16, '\0');
    const ssize_t n = ::read(ends[0], said.data(), said.size());
    said.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    ::close(ends[0]);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "child: status " << status << " " << said;
    return said;
  }

  gantry_queue recovered(const std::string &topic, std::uint32_t queue_no = 0) {
    const auto at = store().recovered_queues().find({topic, queue_no});
    EXPECT_NE(at, store().recovered_queues().end()) << topic;
    return at != store().recovered_queues().end() ? at->second.queue : GANTRY_NO_QUEUE;
  }
};

// Deterministic content of several queues, 1..n records each, large enough to fill segments of 4 MiB several times.
struct Content {
  static constexpr std::size_t kQueues = 7, kRecords = 2000;
  static std::string topic(std::size_t q) { return q == 0 ? "%RETRY%g" : "T" + std::to_string(q); }
  static std::string body(std::size_t i) { return filled(i * 7919 % 16000, i); }
  static std::int64_t tag(std::size_t i) { return static_cast<std::int64_t>(i % 5) - 2; }
  static std::int64_t store_ms(std::size_t i) { return kTestWallMs + static_cast<std::int64_t>(i) * 3; }

  // Keys: one of its own, one shared by every hundredth, and every seventh record has none.
  static std::uint64_t own_key(std::size_t i) { return 0x9E3779B97F4A7C15ull * (i + 1); }
  static std::uint64_t shared_key(std::size_t i) { return 7 + i % 100; }
  static bool has_keys(std::size_t i) { return i % 7 != 3; }

  static void write(StoreInstance &store, std::uint32_t level = GANTRY_DURABILITY_DEFAULT) {
    std::vector<Message> messages;
    std::vector<gantry_queue> queues;
    for (std::size_t q = 0; q < kQueues; ++q) queues.push_back(store.queue(topic(q), static_cast<std::uint32_t>(q)));
    for (std::size_t i = 0; i < kRecords; ++i) {
      messages.push_back(message(queues[i % kQueues], body(i), tag(i)));
      messages.back().store_ms = store_ms(i);
      messages.back().durability = level;
      if (has_keys(i)) messages.back().key_hashes = {own_key(i), shared_key(i)};
    }
    append_all(store, messages, 32);
  }

  static void expect_in(StoreInstance &store) {
    ASSERT_EQ(store.recovered_queues().size(), kQueues);
    for (std::size_t q = 0; q < kQueues; ++q) {
      const auto at = store.recovered_queues().find({topic(q), static_cast<std::uint32_t>(q)});
      ASSERT_NE(at, store.recovered_queues().end());
      const auto count = static_cast<std::int64_t>((kRecords - q + kQueues - 1) / kQueues);
      EXPECT_EQ(at->second.stat.min_off, 0);
      EXPECT_EQ(at->second.stat.max_off, count);
      EXPECT_EQ(at->second.stat.appended_off, count);
      EXPECT_EQ(store.queue(topic(q), static_cast<std::uint32_t>(q)), at->second.queue);
      for (std::int64_t offset = 0; offset < count;) {
        const ReadResult got = store.read(at->second.queue, offset, 64);
        ASSERT_GT(got->n, 0u) << "queue " << q << " offset " << offset << " stop " << got->stop;
        for (std::size_t r = 0; r < got->n; ++r, ++offset) {
          const std::size_t i = static_cast<std::size_t>(offset) * kQueues + q;
          const gantry_record &record = got->records[r];
          ASSERT_EQ(record.queue_off, offset);
          EXPECT_EQ(record.tag, tag(i));
          Message m = message(at->second.queue, body(i));
          ASSERT_EQ(got.bytes(r), with_fixes(m.bytes, offset, record.phys_pos, store_ms(i))) << "queue " << q << " offset " << offset;
          ASSERT_EQ(store.read_at(record.phys_pos).bytes(0), got.bytes(r));
        }
      }
    }
    expect_keys_in(store);
    EXPECT_EQ(store.stats().bad_records_total, 0u);
  }

  static void expect_keys_in(StoreInstance &store) {
    const auto expect_record = [](const gantry_record &record, const std::string &bytes, std::size_t i) {
      Message m = message(0, body(i));
      const auto offset = static_cast<std::int64_t>(i / kQueues);
      ASSERT_EQ(bytes, with_fixes(m.bytes, offset, record.phys_pos, store_ms(i))) << i;
    };
    for (std::size_t i = 0; i < kRecords; ++i) {
      const ReadResult got = store.query_key(own_key(i));
      ASSERT_EQ(got->n, has_keys(i) ? 1u : 0u) << i;
      if (has_keys(i)) expect_record(got->records[0], got.bytes(0), i);
    }
    for (std::size_t k = 0; k < 100; k += 13) {
      std::size_t i = kRecords + k;  // newest first, 3 at a time
      for (std::int64_t before = INT64_MAX; before >= 0;) {
        const ReadResult got = store.query_key(shared_key(k), 3, before);
        for (std::size_t r = 0; r < got->n; ++r) {
          do i -= 100;
          while (!has_keys(i));
          expect_record(got->records[r], got.bytes(r), i);
        }
        before = got->next_off;
      }
      EXPECT_TRUE(i < 100 || (i < 200 && !has_keys(i - 100))) << i;
    }
  }
};

TEST_F(Persistence, AfterACleanStopEverythingIsThere) {
  Content::write(store());
  reopen();
  Content::expect_in(store());
  reopen();
  Content::expect_in(store());
}

TEST_F(Persistence, AfterACrashEverythingAcknowledgedIsThere) {
  (void)crash_after([](StoreInstance &victim) {
    Content::write(victim);
    return std::string("written");
  });
  start();
  Content::expect_in(store());
}

TEST_F(Persistence, AfterACrashWhatSyncPromisedIsThere) {
  if (suite().strongest < GANTRY_DURABILITY_DURABLE) GTEST_SKIP() << "no sync";
  (void)crash_after([](StoreInstance &victim) {
    Content::write(victim, GANTRY_DURABILITY_MEMORY);
    CompletionLog done(victim.host());
    victim.host().on_shard(0, [&] { EXPECT_GE(victim.table().sync(victim.self(), 0, 1, done.id()), 0); });
    const auto cqe = done.wait_for(1);
    EXPECT_TRUE(cqe && cqe->status == GANTRY_OK);
    return std::string("synced");
  });
  start();
  Content::expect_in(store());
}

TEST_F(Persistence, AppendsGoOnWhereTheyStoppedAndPositionsAreNeverUsedTwice) {
  Message last = append_one(store(), message(store().queue("A"), "first"));
  for (int round = 1; round <= 12; ++round) {
    const bool crash = round % 2 == 0;
    const auto work = [&](StoreInstance &s) {
      const Message m = append_one(s, message(s.queue("A"), "round " + std::to_string(round)));
      return std::to_string(m.offsets[0]) + " " + std::to_string(m.phys_pos);
    };
    std::string said;
    if (crash) {
      said = crash_after(work);
      start();
    } else {
      reopen();
      said = work(store());
    }
    const std::int64_t offset = std::stoll(said), pos = std::stoll(said.substr(said.find(' ')));
    EXPECT_EQ(offset, round);
    EXPECT_GE(pos, last.phys_pos + static_cast<std::int64_t>(last.bytes.size())) << "round " << round;
    last.phys_pos = pos;
  }
  start();
  const auto got = read_queue(store(), recovered("A"));
  ASSERT_EQ(got.size(), 13u);
  for (int round = 1; round <= 12; ++round) EXPECT_EQ(body_of(got.at(round)), "round " + std::to_string(round));
}

TEST_F(Persistence, TheFirstOpenOfAnEmptyFolderReportsNothing) {
  EXPECT_TRUE(store().recovered_meta().empty());
  EXPECT_TRUE(store().recovered_queues().empty());
  reopen();
  EXPECT_TRUE(store().recovered_meta().empty());
  EXPECT_TRUE(store().recovered_queues().empty());
}

TEST_F(Persistence, ARecordInSeveralQueuesIsInEachAfterwards) {
  const gantry_queue a = store().queue("A"), b = store().queue("B", 2, GANTRY_QUEUE_LIGHT);
  Message m = message(a, "shared");
  m.links = {{a, 1}, {b, -2}};
  m = append_one(store(), m);
  reopen();
  EXPECT_EQ(store().read(recovered("A"), 0).bytes(0), m.expected());
  const ReadResult got = store().read(recovered("B", 2), 0);
  EXPECT_EQ(got.bytes(0), m.expected());
  EXPECT_EQ(got->records[0].tag, -2);
}

TEST_F(Persistence, MetaRowsOfACrashedStoreAreThere) {
  (void)crash_after([](StoreInstance &victim) {
    CompletionLog done(victim.host());
    for (int i = 0; i < 100; ++i) {
      const std::string key = "k" + std::to_string(i % 30), value = std::to_string(i);
      const gantry_meta_op ops[] = {{GANTRY_META_PUT, 0, str_of(key), str_of(value)}, {GANTRY_META_PUT, 0, str_of("last"), str_of(value)}};
      victim.host().on_shard(0, [&] {
        EXPECT_GE(victim.table().meta_write(victim.self(), ops, 2, GANTRY_DURABILITY_DEFAULT, static_cast<std::uint64_t>(i), done.id()), 0);
      });
      EXPECT_TRUE(done.wait_for(static_cast<std::uint64_t>(i)));
    }
    return std::string("ok");
  });
  start();
  std::map<std::string, std::string> rows{{"last", "99"}};
  for (int i = 0; i < 100; ++i) rows["k" + std::to_string(i % 30)] = std::to_string(i);
  EXPECT_EQ(store().recovered_meta(), rows);
}

TEST_F(Persistence, ADroppedQueueStaysAway) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  std::vector<Message> messages{message(a, "gone"), message(b, "stays")};
  append_all(store(), messages);
  ASSERT_EQ(store().table().queue_drop(store().self(), a), GANTRY_OK);
  (void)append_one(store(), message(b, "later"));
  reopen();
  EXPECT_FALSE(store().recovered_queues().contains({"A", 0}));
  EXPECT_EQ(read_queue(store(), recovered("B")).size(), 2u);
  const gantry_queue fresh = store().queue("A");
  EXPECT_EQ(append_one(store(), message(fresh, "new")).offsets[0], 0);
  reopen();
  const auto got = read_queue(store(), recovered("A"));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(body_of(got.at(0)), "new");
}

TEST_F(Persistence, ManyQueuesAreReportedOnceEachWithTheirBounds) {
  std::vector<Message> messages;
  for (std::uint32_t i = 0; i < 20000; ++i) messages.push_back(message(store().queue("T" + std::to_string(i), i % 8), std::to_string(i)));
  append_all(store(), messages, 256);
  reopen();
  EXPECT_EQ(store().sink_faults(), "");
  ASSERT_EQ(store().recovered_queues().size(), 20000u);
  for (const auto &[name, queue] : store().recovered_queues()) ASSERT_EQ(queue.stat.max_off, 1) << name.first;
  for (std::uint32_t i = 0; i < 20000; i += 777) {
    EXPECT_EQ(body_of(store().read(recovered("T" + std::to_string(i), i % 8), 0).bytes(0)), std::to_string(i));
  }
}

TEST_F(Persistence, SeekWorksOnRecoveredData) {
  Content::write(store());
  reopen();
  const gantry_queue queue = recovered(Content::topic(3), 3);
  CompletionLog done(host());
  ASSERT_GE(store().table().seek_time(store().self(), 0, queue, Content::store_ms(3 + 7 * 100), 1, done.id()), 0);
  const auto cqe = done.wait_for(1);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->result, 100);
}

TEST_F(Persistence, AFolderThatIsNotThereIsNamedInTheError) {
  FakeHost other;
  const auto lost = make_store(other);
  const std::string missing = dir() + "/no/such/folder";
  EXPECT_NE(lost->open(missing), GANTRY_OK);
  EXPECT_NE(std::string(lost->error().text).find("no/such/folder"), std::string::npos) << lost->error().text;
}

}  // namespace
}  // namespace gantry::test
