// Reads by queue offset: what is in a result, how long it lives, tags, limits, ranges, old data.
#include "fixture.h"

#include <set>

namespace gantry::test {
namespace {

using Read = StoreContract;

TEST_F(Read, AResultNamesEachRecordsPlaceTagAndBounds) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (int i = 0; i < 10; ++i) {
    messages.push_back(message(queue, "body " + std::to_string(i), -i * 1000000007LL));
    messages.back().store_ms = kTestWallMs + i;
  }
  append_all(store(), messages);
  const ReadResult got = store().read(queue, 4);
  EXPECT_EQ(got->size, sizeof(gantry_read_result));
  ASSERT_EQ(got->n, 6u);
  EXPECT_EQ(got->min_off, 0);
  EXPECT_EQ(got->max_off, 10);
  EXPECT_EQ(got->next_off, 10);
  EXPECT_EQ(got->stop, GANTRY_STOP_END);
  for (std::size_t i = 0; i < 6; ++i) {
    const gantry_record &record = got->records[i];
    const Message &m = messages[i + 4];
    EXPECT_EQ(record.queue_off, m.offsets[0]);
    EXPECT_EQ(record.phys_pos, m.phys_pos);
    EXPECT_EQ(record.tag, m.links[0].tag);
    EXPECT_TRUE(record.store_ms == m.store_ms || record.store_ms == 0) << record.store_ms;
    EXPECT_EQ(got.bytes(i), m.expected());
  }
}

// Appends 64 KiB records until `goal` bytes are in, or AGAIN for half a second (a store may wait for a held result).
std::size_t append_while_possible(StoreInstance &store, gantry_queue queue, std::size_t goal) {
  FakeHost &host = store.host();
  CompletionLog done(host);
  std::size_t accepted = 0;
  const std::string body = filled(64 << 10, 77);
  (void)host.wait_until(
      [&] {
        while (accepted * body.size() < goal) {
          Message m = message(queue, body);
          AppendBatch batch(&m, 1, accepted);
          const std::int32_t rc = store.table().append(store.self(), 0, batch.data(), 1, done.id());
          if (rc != 1) return false;
          ++accepted;
        }
        return true;
      },
      500);
  EXPECT_TRUE(done.wait_count(accepted));
  return accepted;
}

TEST_F(Read, AResultStaysAsItWasUntilReleasedWhileTheLogMovesOn) {
  const gantry_queue queue = store().queue("A"), other = store().queue("B");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 20; ++i) messages.push_back(message(queue, filled(4000, i)));
  append_all(store(), messages);
  ReadResult held = store().read(queue, 0);
  ASSERT_EQ(held->n, 20u);
  EXPECT_GT(append_while_possible(store(), other, 8u << 20), 0u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(held.bytes(i), messages[i].expected()) << i;
  held.reset();
  // Room again once nothing is held.
  std::vector<Message> more(64, message(other, filled(64 << 10, 3)));
  append_all(store(), more, 4);
}

TEST_F(Read, AResultOutlivesItsQueue) {
  const gantry_queue queue = store().queue("A");
  const Message m = append_one(store(), message(queue, filled(3000, 1)));
  const ReadResult held = store().read(queue, 0);
  host().on_shard(0, [&] { EXPECT_EQ(store().table().queue_drop(store().self(), queue), GANTRY_OK); });
  for (int i = 0; i < 5; ++i) host().turn(1);
  EXPECT_EQ(held.bytes(0), m.expected());
}

TEST_F(Read, ARetainedOwnerKeepsTheBytesAfterTheFirstRelease) {
  const gantry_queue queue = store().queue("A");
  const Message m = append_one(store(), message(queue, filled(3000, 1)));
  ReadResult first = store().read(queue, 0);
  const gantry_span span = first->records[0].bytes;
  gantry_owner *owner = first->owner;
  owner->retain(owner);
  first.reset();
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(span.p), span.n), m.expected());
  std::thread([&] { owner->release(owner); }).join();  // any thread may
}

TEST_F(Read, OnlyAcceptedTagsAreReturnedAndForeignOnesAreStillPassed) {
  const gantry_queue queue = store().queue("A");
  // 2112 is the hash code of both "Aa" and "BB"; 0 is "no tag"; negative codes are common.
  const std::int64_t tags[] = {2112, 5, 0, -1412718016, 2112, 6, 5, 0};
  std::vector<Message> messages;
  for (const std::int64_t tag : tags) messages.push_back(message(queue, "tagged", tag));
  append_all(store(), messages);
  const auto offsets = [&](std::vector<std::int64_t> wanted, std::uint32_t flags = 0) {
    gantry_read request = read_of(queue, 0);
    request.flags = flags;
    request.tags = wanted.data();
    request.n_tags = static_cast<std::uint32_t>(wanted.size());
    const ReadResult got = store().read(request);
    EXPECT_EQ(got->next_off, 8);
    EXPECT_EQ(got->stop, GANTRY_STOP_END);
    std::vector<std::int64_t> out;
    for (const gantry_record &record : got.records()) out.push_back(record.queue_off);
    return out;
  };
  using Offsets = std::vector<std::int64_t>;
  EXPECT_EQ(offsets({2112}), (Offsets{0, 4}));
  EXPECT_EQ(offsets({5, -1412718016}), (Offsets{1, 3, 6}));
  EXPECT_EQ(offsets({0}), (Offsets{2, 7}));
  EXPECT_EQ(offsets({424242}), Offsets{});
  EXPECT_EQ(offsets({}), Offsets{});
  EXPECT_EQ(offsets({5}, GANTRY_READ_ANY_TAG), (Offsets{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(Read, AWantedRecordBehindManyForeignOnesIsFoundByGoingOn) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages(40000, message(queue, "x", 1));
  messages.push_back(message(queue, "wanted", 2));
  append_all(store(), messages, 1000);
  const std::int64_t tag = 2;
  std::int64_t at = 0;
  int reads = 0;
  for (;; ++reads) {
    gantry_read request = read_of(queue, at);
    request.flags = 0;
    request.tags = &tag;
    request.n_tags = 1;
    const ReadResult got = store().read(request);
    if (got->n > 0) {
      EXPECT_EQ(got->n, 1u);
      EXPECT_EQ(got->records[0].queue_off, 40000);
      EXPECT_EQ(got->next_off, 40001);
      break;
    }
    ASSERT_EQ(got->stop, GANTRY_STOP_LIMIT);
    ASSERT_GT(got->next_off, at);
    at = got->next_off;
  }
  EXPECT_LT(reads, 1000);
}

TEST_F(Read, MaxRecordsIsKept) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages(50, message(queue, "body"));
  append_all(store(), messages);
  for (const std::uint32_t max : {1u, 7u, 32u, 49u}) {
    const ReadResult got = store().read(queue, 0, max);
    EXPECT_EQ(got->n, max);
    EXPECT_EQ(got->stop, GANTRY_STOP_LIMIT);
    EXPECT_EQ(got->next_off, max);
  }
  EXPECT_EQ(read_queue(store(), queue, 7).size(), 50u) << "reading on from next_off passes over nothing";
}

TEST_F(Read, MaxBytesIsKeptButTheFirstRecordAlwaysFits) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 20; ++i) messages.push_back(message(queue, filled(1000, i)));
  append_all(store(), messages);
  const auto each = static_cast<std::uint32_t>(messages[0].bytes.size());
  const auto taken = [&](std::uint32_t max_bytes) {
    gantry_read request = read_of(queue, 3);
    request.max_bytes = max_bytes;
    const ReadResult got = store().read(request);
    EXPECT_EQ(got->next_off, 3 + got->n);
    if (got->n < 17) {
      EXPECT_EQ(got->stop, GANTRY_STOP_LIMIT);
    }
    return got->n;
  };
  EXPECT_EQ(taken(0), 1u);
  EXPECT_EQ(taken(1), 1u);
  EXPECT_EQ(taken(each - 1), 1u);
  EXPECT_EQ(taken(each), 1u);
  EXPECT_EQ(taken(2 * each - 1), 1u);
  EXPECT_EQ(taken(2 * each), 2u);
  EXPECT_EQ(taken(5 * each + 10), 5u);
  EXPECT_EQ(taken(100 * each), 17u);
}

TEST_F(Read, AnOffsetOutsideTheQueueStopsWithRangeAndItsBounds) {
  const gantry_queue queue = store().queue("A"), empty = store().queue("E");
  std::vector<Message> messages(5, message(queue, "body"));
  append_all(store(), messages);
  for (const std::int64_t offset : {std::int64_t{-1}, std::int64_t{6}, INT64_MIN, INT64_MAX}) {
    const ReadResult got = store().read(queue, offset);
    EXPECT_EQ(got->stop, GANTRY_STOP_RANGE) << offset;
    EXPECT_EQ(got->n, 0u);
    EXPECT_EQ(got->min_off, 0);
    EXPECT_EQ(got->max_off, 5);
  }
  for (const auto &[which, end] : {std::pair{queue, 5}, std::pair{empty, 0}}) {
    const ReadResult got = store().read(which, end);
    EXPECT_EQ(got->stop, GANTRY_STOP_END) << "the end itself is where the next record will be";
    EXPECT_EQ(got->n, 0u);
    EXPECT_EQ(got->next_off, end);
  }
  EXPECT_EQ(store().read(empty, 1)->stop, GANTRY_STOP_RANGE);
}

TEST_F(Read, SeveralRequestsInOneCallAreAnsweredEachOnItsOwn) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  std::vector<Message> messages{message(a, "a0"), message(b, "b0"), message(a, "a1")};
  append_all(store(), messages);
  gantry_read requests[4] = {read_of(a, 1), read_of(b, 0), read_of(999999, 0), read_of(a, 7)};
  for (std::uint64_t i = 0; i < 4; ++i) requests[i].user_data = 100 + i;
  const gantry_read_result *inline_out[4] = {};
  CompletionLog done(host());
  ASSERT_EQ(store().table().read(store().self(), 0, requests, 4, inline_out, done.id()), 4);
  std::vector<ReadResult> got(4);
  for (std::size_t i = 0; i < 4; ++i) {
    if (inline_out[i] != nullptr) {
      got[i] = ReadResult(inline_out[i]);
      continue;
    }
    const auto cqe = done.wait_for(100 + i);
    ASSERT_TRUE(cqe) << i;
    EXPECT_EQ(cqe->status, i == 2 ? GANTRY_E_NOT_FOUND : GANTRY_OK);
    if (cqe->status == GANTRY_OK) got[i] = ReadResult(reinterpret_cast<const gantry_read_result *>(cqe->aux));
    EXPECT_EQ(done.times(100 + i), 1u);
  }
  EXPECT_EQ(got[0].bytes(0), messages[2].expected());
  EXPECT_EQ(got[1].bytes(0), messages[1].expected());
  EXPECT_FALSE(got[2]);
  EXPECT_EQ(got[3]->stop, GANTRY_STOP_RANGE);
}

TEST_F(Read, WrongRequestsAreRefusedInline) {
  const gantry_queue queue = store().queue("A");
  (void)append_one(store(), message(queue, "body"));
  const auto code = [&](const std::function<void(gantry_read &)> &spoil) {
    gantry_read request = read_of(queue, 0);
    spoil(request);
    std::int32_t status = 0;
    const ReadResult got = store().read(request, &status);
    EXPECT_FALSE(got);
    return status;
  };
  EXPECT_EQ(code([](gantry_read &r) { r.max_records = 0; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_read &r) { r.max_records = 1025; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_read &r) { r.reserved[1] = 1; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_read &r) { r.flags = 4; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_read &r) { r.queue = GANTRY_NO_QUEUE; }), GANTRY_E_NOT_FOUND);
}

TEST_F(Read, OldRecordsComeBackByteForByteAfterMuchNewerData) {
  const gantry_queue queue = store().queue("A"), other = store().queue("B", 3);
  std::vector<Message> messages;
  std::size_t total = 0;
  for (std::size_t i = 0; total < (20u << 20); ++i) {
    messages.push_back(message(i % 3 == 0 ? other : queue, filled(i * 7919 % 60000, i)));
    total += messages.back().bytes.size();
  }
  append_all(store(), messages, 16);
  std::map<gantry_queue, std::map<std::int64_t, std::string>> got{{queue, read_queue(store(), queue, 64)}, {other, read_queue(store(), other, 64)}};
  for (const Message &m : messages) ASSERT_EQ(got[m.links[0].queue].at(m.offsets[0]), m.expected()) << m.offsets[0];
  EXPECT_EQ(got[queue].size() + got[other].size(), messages.size());
  EXPECT_EQ(store().stats().bad_records_total, 0u);
}

}  // namespace
}  // namespace gantry::test
