// What append promises about offsets, positions and the record's bytes, and what it refuses.
#include "fixture.h"

#include <climits>

namespace gantry::test {
namespace {

using Append = StoreContract;

TEST_F(Append, QueueOffsetsAreDensePerQueueInTheOrderOfSubmission) {
  const gantry_queue queues[] = {store().queue("A"), store().queue("B"), store().queue("A", 1)};
  std::vector<Message> messages;
  for (int i = 0; i < 300; ++i) messages.push_back(message(queues[i % 7 % 3], "body " + std::to_string(i)));
  append_all(store(), messages, 13);

  std::map<gantry_queue, std::int64_t> next;
  for (const Message &m : messages) EXPECT_EQ(m.offsets[0], next[m.links[0].queue]++);
  for (const gantry_queue queue : queues) {
    std::map<std::int64_t, std::string> expected;
    for (const Message &m : messages) {
      if (m.links[0].queue == queue) expected[m.offsets[0]] = m.expected();
    }
    EXPECT_EQ(read_queue(store(), queue), expected);
    EXPECT_EQ(store().stat(queue).max_off, next[queue]);
  }
}

TEST_F(Append, LogPositionsGrowAndRecordsDoNotOverlap) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 200; ++i) messages.push_back(message(queue, filled(i * 17 % 3000, i)));
  append_all(store(), messages, 9);
  for (std::size_t i = 1; i < messages.size(); ++i) {
    EXPECT_GE(messages[i].phys_pos, messages[i - 1].phys_pos + static_cast<std::int64_t>(messages[i - 1].bytes.size()));
  }
  EXPECT_GE(messages[0].phys_pos, 0);
}

TEST_F(Append, ARecordWithSeveralLinksIsInEachQueueUnderItsTag) {
  const gantry_queue a = store().queue("A"), b = store().queue("B"), c = store().queue("C");
  (void)append_one(store(), message(b, "first in B"));
  Message shared = message(a, "shared");
  shared.links = {{a, 11}, {b, 22}, {c, 33}};
  shared = append_one(store(), shared);
  EXPECT_EQ(shared.offsets, (std::vector<std::int64_t>{0, 1, 0}));

  const std::pair<gantry_queue, std::int64_t> places[] = {{a, 11}, {b, 22}, {c, 33}};
  for (std::size_t i = 0; i < 3; ++i) {
    const ReadResult got = store().read(places[i].first, shared.offsets[i]);
    ASSERT_EQ(got->n, 1u);
    EXPECT_EQ(got.bytes(0), shared.expected());
    EXPECT_EQ(got->records[0].tag, places[i].second);
    EXPECT_EQ(got->records[0].queue_off, shared.offsets[i]);
    EXPECT_EQ(got->records[0].phys_pos, shared.phys_pos);
  }
}

TEST_F(Append, FixUpsAreWrittenBigEndianAtTheNamedPositions) {
  const gantry_queue queue = store().queue("A");
  for (int i = 0; i < 3; ++i) (void)append_one(store(), message(queue, "before"));
  Message m = message(queue, "the one");
  m.store_ms = 0x0102030405060708;
  m = append_one(store(), m);
  const ReadResult got = store().read(queue, 3);
  const std::string bytes = got.bytes(0);
  EXPECT_EQ(bytes.substr(kFixQueueOff, 8), std::string("\0\0\0\0\0\0\0\3", 8));
  EXPECT_EQ(bytes.substr(kFixStoreMs, 8), "\1\2\3\4\5\6\7\10");
  std::uint64_t pos = 0;
  for (const char c : bytes.substr(kFixPhysOff, 8)) pos = pos << 8 | static_cast<unsigned char>(c);
  EXPECT_EQ(static_cast<std::int64_t>(pos), m.phys_pos);
  EXPECT_EQ(bytes, m.expected()) << "bytes outside the fix positions changed";
}

TEST_F(Append, WithoutFixPositionsTheBytesStayAsGiven) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, filled(500, 1));
  m.bytes.replace(kFixQueueOff, 16, 16, '\x7e');
  m.fix = false;
  m = append_one(store(), m);
  EXPECT_EQ(store().read(queue, 0).bytes(0), m.bytes);
}

TEST_F(Append, RecordsAreOpaqueBytesOfAnyContentAndLength) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (const std::size_t n : {1u, 2u, 3u, 4u, 7u, 8u, 20u, 55u, 63u, 64u, 4095u, 4096u, 4097u, 65536u}) {
    Message m;
    m.bytes = filled(n, n);
    m.links = {{queue, 0}};
    m.fix = false;
    messages.push_back(m);
    m.bytes.assign(n, '\0');
    messages.push_back(m);
    m.bytes.assign(n, '\xff');
    messages.push_back(m);
  }
  append_all(store(), messages, 5);
  const auto got = read_queue(store(), queue);
  ASSERT_EQ(got.size(), messages.size());
  for (const Message &m : messages) EXPECT_EQ(got.at(m.offsets[0]), m.bytes) << m.bytes.size() << " bytes";
}

TEST_F(Append, SpansAreJoinedAndMayBeOverwrittenAsSoonAsTheCallReturned) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, filled(3000, 5));
  m.cuts = {64, 64, 100, 2000};  // an empty span among them
  const std::string bytes = m.bytes;
  CompletionLog done(host());
  ASSERT_EQ(try_append(m, done.id(), 4), 1);
  std::fill(m.bytes.begin(), m.bytes.end(), '?');
  m.links[0].queue = 12345;
  const auto cqe = done.wait_for(4);
  ASSERT_TRUE(cqe);
  ASSERT_EQ(cqe->status, GANTRY_OK);
  EXPECT_EQ(store().read(queue, 0).bytes(0), with_fixes(bytes, 0, cqe->result, m.store_ms));
}

TEST_F(Append, AnEmptyRecordIsRefused) {
  Message m = message(store().queue("A"), "x");
  m.bytes.clear();
  m.fix = false;
  CompletionLog done(host());
  EXPECT_EQ(try_append(m, done.id()), GANTRY_E_INVALID);
}

TEST_F(Append, ARecordBeyondTheStoresLimitIsRefusedAndTheNextOneIsTaken) {
  const gantry_queue queue = store().queue("A");
  const std::string mib(1 << 20, 'x');
  const std::vector<gantry_span> spans(1024, {reinterpret_cast<const std::uint8_t *>(mib.data()), 1 << 20, 0, nullptr});
  const gantry_link link{queue, 0};
  gantry_append request{};
  request.spans = spans.data();
  request.n_spans = 1024;
  request.links = &link;
  request.n_links = 1;
  request.bytes = 1u << 30;
  request.fix_queue_off = request.fix_phys_off = request.fix_store_ms = GANTRY_NO_FIX;
  CompletionLog done(host());
  const std::int32_t rc = try_request(request, done.id());
  EXPECT_TRUE(rc == GANTRY_E_INVALID || rc == GANTRY_E_LIMIT) << rc;
  EXPECT_EQ(append_one(store(), message(queue, "after")).offsets[0], 0);
  EXPECT_EQ(done.count(), 0u);
}

TEST_F(Append, TheLargestMessagesFitAlsoSideBySide) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  const std::size_t body = suite().max_record - make_record("T", 0, "").size();
  for (std::size_t i = 0; i < 6; ++i) {
    messages.push_back(message(queue, filled(i % 2 == 0 ? body : 100, i)));
    messages.back().durability = suite().strongest;
  }
  append_all(store(), messages, 6);
  const auto got = read_queue(store(), queue);
  for (const Message &m : messages) EXPECT_TRUE(got.at(m.offsets[0]) == m.expected()) << m.bytes.size() << " bytes";
}

TEST_F(Append, WrongRequestsAreRefusedInlineAndLeaveNoTrace) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  const auto refused = [&](const char *what, const std::function<void(gantry_append &)> &spoil) {
    Message m = message(queue, "body");
    AppendBatch batch(&m, 1, 0);
    spoil(*batch.data());
    EXPECT_EQ(try_request(*batch.data(), done.id()), GANTRY_E_INVALID) << what;
  };
  const gantry_link unknown{999999, 0}, none{GANTRY_NO_QUEUE, 0};
  refused("no link", [](gantry_append &a) { a.n_links = 0; });
  refused("a queue never given", [&](gantry_append &a) { a.links = &unknown; });
  refused("no queue", [&](gantry_append &a) { a.links = &none; });
  refused("bytes is not the sum of the spans", [](gantry_append &a) { a.bytes += 1; });
  refused("no spans", [](gantry_append &a) { a.n_spans = 0; });
  refused("fix position past span 0", [](gantry_append &a) { a.fix_queue_off = static_cast<std::uint16_t>(a.bytes - 7); });
  refused("fix position just below none", [](gantry_append &a) { a.fix_phys_off = 0xFFFE; });
  refused("fix position past span 0", [](gantry_append &a) { a.fix_store_ms = static_cast<std::uint16_t>(a.bytes); });
  refused("unknown durability", [](gantry_append &a) { a.durability = 4; });
  refused("flags", [](gantry_append &a) { a.flags = 2; });
  refused("reserved", [](gantry_append &a) { a.reserved[3] = 1; });
  const gantry_queue_stat stat = store().stat(queue);
  EXPECT_EQ(stat.appended_off, 0);
  EXPECT_EQ(append_one(store(), message(queue, "after")).offsets[0], 0);
  EXPECT_EQ(done.count(), 0u);
}

TEST_F(Append, ABaseThatCannotBeHadIsRefusedSoThatTheWholeRecordIsSent) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, "body");
  AppendBatch batch(&m, 1, 0);
  gantry_append request = *batch.data();
  request.base_pos = int64_t{1} << 50;  // no record begins there
  request.base_skip = 10;
  request.base_bytes = 100;
  request.bytes += 100;
  CompletionLog done(host());
  const std::int32_t rc = try_request(request, done.id());
  if (suite().bases) {
    EXPECT_TRUE(rc == GANTRY_E_NOT_FOUND || rc == GANTRY_E_STALE) << rc;
  } else {
    EXPECT_EQ(rc, GANTRY_E_UNSUPPORTED);
  }
  EXPECT_EQ(append_one(store(), message(queue, "whole")).offsets[0], 0);
}

TEST_F(Append, ARefusalWithinABatchKeepsWhatCameBeforeIt) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages{message(queue, "one"), message(queue, "two"), message(queue, "bad"), message(queue, "four")};
  AppendBatch batch(messages.data(), messages.size(), 10);
  batch.data()[2].flags = 2;
  CompletionLog done(host());
  std::int32_t rc = 0;
  host().on_shard(0, [&] { rc = store().table().append(store().self(), 0, batch.data(), 4, done.id()); });
  EXPECT_EQ(rc, 2);
  ASSERT_TRUE(done.wait_count(2));
  for (int i = 0; i < 5; ++i) host().turn(2);
  EXPECT_EQ(done.count(), 2u);
  EXPECT_EQ(read_queue(store(), queue).size(), 2u);
}

TEST_F(Append, WhatSettlesOthersIsTakenAndWhileThereIsSpaceNoRefusalIsExplained) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, "settles");
  AppendBatch batch(&m, 1, 7);
  batch.data()->flags = GANTRY_APPEND_SETTLES;
  CompletionLog done(host());
  ASSERT_EQ(try_request(*batch.data(), done.id()), 1);
  const auto cqe = done.wait_for(7);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->status, GANTRY_OK);
  char text[64];
  EXPECT_EQ(store().table().refusal(store().self(), text, sizeof text), 0u);
  EXPECT_EQ(store().stats().space, GANTRY_SPACE_FINE);
}

TEST_F(Append, KeyHashesAreTakenAlong) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::uint64_t i = 0; i < 50; ++i) {
    messages.push_back(message(queue, "m"));
    messages.back().key_hashes.assign(i % 4, i * 1000003);
  }
  append_all(store(), messages);
  EXPECT_EQ(read_queue(store(), queue).size(), 50u);
}

// Retries, timers and transactions read a record and store it again while they hold it, and try again with a new read when the store is busy. With no other
// traffic they must get on, wherever the record lies: here it falls back one record behind the end with each step.
TEST_F(Append, WhoStoresAgainWhatItJustReadNeverWaitsForItself) {
  const gantry_queue queue = store().queue("A"), again = store().queue("B");
  CompletionLog done(host());
  std::uint64_t taken = 0;
  for (std::int64_t i = 0; i < 700; ++i) {
    (void)append_one(store(), message(queue, filled(20'000, static_cast<std::uint64_t>(i))));
    if (i % 2 != 0) continue;
    std::int32_t rc = 0;
    const bool stored = host().wait_until([&] {
      const ReadResult held = store().read(queue, i / 2, 1);
      Message copy;
      copy.bytes = held.bytes(0);
      copy.links = {{again, 0}};
      copy.fix = false;
      rc = try_append(copy, done.id(), taken);
      return rc != 0 && rc != GANTRY_E_AGAIN;
    }, 20'000);
    ASSERT_TRUE(stored) << "record " << i / 2 << ", " << i - i / 2 << " records behind the end";
    ASSERT_EQ(rc, 1);
    ++taken;
  }
  ASSERT_TRUE(done.wait_count(taken));
  EXPECT_EQ(store().stat(again).max_off, 350);
}

}  // namespace
}  // namespace gantry::test
