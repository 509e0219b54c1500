// query_key: records by the hash of a key, newest first.
#include "fixture.h"

#include <algorithm>

namespace gantry::test {
namespace {

class Keys : public StoreContract {
 protected:
  static Message keyed(gantry_queue queue, std::vector<std::uint64_t> hashes, std::int64_t store_ms, std::size_t bytes = 100) {
    Message m = message(queue, filled(bytes, static_cast<std::uint64_t>(store_ms)), 5);
    m.key_hashes = std::move(hashes);
    m.store_ms = store_ms;
    return m;
  }
  static void expect(const ReadResult &got, const std::vector<const Message *> &newest_first, std::int64_t next_off = -1) {
    ASSERT_EQ(got->n, newest_first.size());
    for (std::size_t i = 0; i < got->n; ++i) {
      EXPECT_EQ(got.bytes(i), newest_first[i]->expected()) << i;
      EXPECT_EQ(got->records[i].phys_pos, newest_first[i]->phys_pos);
      EXPECT_EQ(got->records[i].store_ms, newest_first[i]->store_ms);
      EXPECT_EQ(got->records[i].queue_off, -1);
      EXPECT_EQ(got->records[i].tag, 0);
    }
    EXPECT_EQ(got->next_off, next_off);
  }
};

TEST_F(Keys, FindsEveryRecordWithTheKeyNewestFirst) {
  const gantry_queue a = store().queue("A"), b = store().queue("B");
  std::vector<Message> m{keyed(a, {1}, 1000), keyed(b, {2, 1}, 1010), keyed(a, {3}, 1020), keyed(a, {}, 1030), keyed(b, {1, 9}, 1040)};
  append_all(store(), m);
  expect(store().query_key(1), {&m[4], &m[1], &m[0]});
  expect(store().query_key(2), {&m[1]});
  expect(store().query_key(9), {&m[4]});
  expect(store().query_key(4), {});
  expect(store().query_key(0), {});
}

TEST_F(Keys, AnEmptyStoreFindsNothing) { expect(store().query_key(1), {}); }

TEST_F(Keys, BothEndsOfTheTimeRangeAreIncluded) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> m;
  for (std::int64_t i = 0; i < 5; ++i) m.push_back(keyed(queue, {77}, 1000 + i * 10));
  append_all(store(), m);
  expect(store().query_key(77, 64, INT64_MAX, 1010, 1030), {&m[3], &m[2], &m[1]});
  expect(store().query_key(77, 64, INT64_MAX, 1011, 1029), {&m[2]});
  expect(store().query_key(77, 64, INT64_MAX, 1041, 2000), {});
  expect(store().query_key(77, 64, INT64_MAX, 0, 999), {});
  expect(store().query_key(77, 64, INT64_MAX, 1030, 1010), {});
}

TEST_F(Keys, PagesGoOnBeforeAPosition) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> m;
  for (std::int64_t i = 0; i < 6; ++i) m.push_back(keyed(queue, {77, 78}, 1000 + i));
  append_all(store(), m);
  expect(store().query_key(77, 4), {&m[5], &m[4], &m[3], &m[2]}, m[2].phys_pos);
  expect(store().query_key(77, 4, m[2].phys_pos), {&m[1], &m[0]});
  expect(store().query_key(77, 6), {&m[5], &m[4], &m[3], &m[2], &m[1], &m[0]});
  expect(store().query_key(77, 2, m[2].phys_pos), {&m[1], &m[0]});
  expect(store().query_key(77, 2, m[0].phys_pos), {});
  expect(store().query_key(77, 2, 0), {});
  expect(store().query_key(77, 2, INT64_MIN), {});
}

TEST_F(Keys, ARecordWithTwoKeysOfOneHashIsFoundOnce) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> m{keyed(queue, {5, 5}, 1000), keyed(queue, {5, 6, 5}, 1001)};
  append_all(store(), m);
  expect(store().query_key(5), {&m[1], &m[0]});
}

TEST_F(Keys, AsManyKeysAsARecordMayHave) {
  const gantry_queue queue = store().queue("A");
  std::vector<std::uint64_t> hashes(255);
  for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = UINT64_MAX - i;
  std::vector<Message> m{keyed(queue, hashes, 1000)};
  append_all(store(), m);
  for (const std::uint64_t hash : hashes) expect(store().query_key(hash), {&m[0]});
}

TEST_F(Keys, BigRecordsComeInSeveralPages) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> m;
  for (std::int64_t i = 0; i < 12; ++i) m.push_back(keyed(queue, {77}, kTestWallMs + i, 1000000));
  append_all(store(), m, 1);
  auto expected = m.rbegin();
  for (std::int64_t before = INT64_MAX; before >= 0;) {
    const ReadResult got = store().query_key(77, 1024, before);
    ASSERT_GT(got->n, 0u);
    for (std::size_t i = 0; i < got->n; ++i, ++expected) ASSERT_EQ(got.bytes(i), expected->expected());
    before = got->next_off;
  }
  EXPECT_TRUE(expected == m.rend());
}

TEST_F(Keys, OldRecordsAreFoundLikeNewOnes) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> m;
  for (std::int64_t i = 0; i < 2000; ++i) {
    m.push_back(keyed(queue, {1000 + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(i % 40)}, kTestWallMs + i, 16000));
  }
  append_all(store(), m, 16);
  const auto check = [&] {
    for (std::size_t i = 0; i < m.size(); i += 37) expect(store().query_key(1000 + i), {&m[i]});
    std::vector<const Message *> all;
    for (std::size_t i = 2000; i-- > 0;) {
      if (i % 40 == 17) all.push_back(&m[i]);
    }
    expect(store().query_key(17), all);
    expect(store().query_key(17, 64, INT64_MAX, kTestWallMs + 500, kTestWallMs + 560), {&m[537]});
    for (std::size_t at = 0; at < all.size(); at += 10) {
      const std::int64_t before = at == 0 ? INT64_MAX : all[at - 1]->phys_pos;
      const std::vector<const Message *> page(all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(at + 10));
      expect(store().query_key(17, 10, before), page, at + 10 < all.size() ? page.back()->phys_pos : -1);
    }
  };
  check();
  if (!keeps_over_restart()) return;
  reopen();
  check();
}

TEST_F(Keys, WrongQueriesAreRefusedInline) {
  const auto code = [&](const std::function<void(gantry_key_query &)> &spoil) {
    gantry_key_query query{};
    query.hash = 1;
    query.end_ms = query.before_pos = INT64_MAX;
    query.max_records = 1;
    spoil(query);
    CompletionLog none(host());
    std::int32_t rc = 0;
    host().on_shard(0, [&] { rc = store().table().query_key(store().self(), 0, &query, none.id()); });
    if (rc == GANTRY_OK) {
      const auto cqe = none.wait_for(0);
      if (cqe && cqe->aux != 0) ReadResult(reinterpret_cast<const gantry_read_result *>(cqe->aux)).reset();
    }
    return rc;
  };
  EXPECT_EQ(code([](gantry_key_query &) {}), GANTRY_OK);
  EXPECT_EQ(code([](gantry_key_query &q) { q.max_records = 0; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_key_query &q) { q.max_records = 1025; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_key_query &q) { q.flags = 1; }), GANTRY_E_INVALID);
  EXPECT_EQ(code([](gantry_key_query &q) { q.reserved[1] = 1; }), GANTRY_E_INVALID);
}

}  // namespace
}  // namespace gantry::test
