// Reads by log position: right ones give one record, all others NOT_FOUND.
#include "fixture.h"

#include <random>
#include <set>

namespace gantry::test {
namespace {

using ReadAt = StoreContract;

TEST_F(ReadAt, EveryRecordIsFoundAtItsPosition) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 400; ++i) messages.push_back(message(queue, filled(i * 97 % 20000, i)));
  append_all(store(), messages, 16);
  for (const Message &m : messages) {
    const ReadResult got = store().read_at(m.phys_pos);
    ASSERT_EQ(got->n, 1u);
    EXPECT_EQ(got->records[0].phys_pos, m.phys_pos);
    EXPECT_EQ(got.bytes(0), m.expected());
  }
}

TEST_F(ReadAt, PositionsWhereNoRecordBeginsAreNotFound) {
  const gantry_queue queue = store().queue("A");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < 300; ++i) messages.push_back(message(queue, filled(i * 131 % 30000, i)));
  append_all(store(), messages, 16);
  std::set<std::int64_t> begins;
  for (const Message &m : messages) begins.insert(m.phys_pos);
  const std::int64_t end = store().stats().log_end_pos;
  std::vector<std::int64_t> positions{-1, INT64_MIN, INT64_MAX, INT64_MAX - 7, end, end + 1, end + (1LL << 40), -end};
  for (const Message &m : messages) {
    for (const std::int64_t delta : {-8, -4, -1, 1, 4, 8, 28}) positions.push_back(m.phys_pos + delta);
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 3000; ++i) positions.push_back(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(end + 100000)));
  for (const std::int64_t pos : positions) {
    if (begins.contains(pos)) continue;
    std::int32_t status = GANTRY_OK;
    const ReadResult got = store().read_at(pos, &status);
    EXPECT_EQ(status, GANTRY_E_NOT_FOUND) << "position " << pos;
  }
}

TEST_F(ReadAt, ARecordNotYetAcknowledgedIsNotFound) {
  const gantry_queue queue = store().queue("A");
  const Message first = append_one(store(), message(queue, "first"));
  Message m = message(queue, "second");
  CompletionLog done(host());
  ASSERT_EQ(try_append(m, done.id()), 1);
  // Its position is not known before the completion: try all in reach, without a turn.
  for (std::int64_t pos = first.phys_pos + 1; pos < first.phys_pos + 16384; ++pos) {
    const gantry_read_result *inline_out = nullptr;
    CompletionLog unread(host());
    ASSERT_GE(store().table().read_at(store().self(), 0, pos, 1, &inline_out, unread.id()), 0);
    ASSERT_EQ(inline_out, nullptr) << pos - first.phys_pos;
  }
  ASSERT_TRUE(done.wait_for(0));
}

// A message body is a stranger's bytes: one that looks like a record, even with the right position in it, is none.
TEST_F(ReadAt, ABodyThatLooksLikeARecordIsNotFound) {
  const gantry_queue queue = store().queue("A");
  const std::string inner = make_record("T", 0, "forged");
  bool predicted = false;
  std::int64_t last = append_one(store(), message(queue, inner)).phys_pos, stride = 0;
  for (int attempt = 0; attempt < 50 && !predicted; ++attempt) {
    const std::int64_t guess = last + stride;
    const std::int64_t forged_at = guess + static_cast<std::int64_t>(kRecordHeadBytes);
    const Message m = append_one(store(), message(queue, with_fixes(inner, 0, forged_at, kTestWallMs)));
    predicted = m.phys_pos == guess;
    stride = m.phys_pos - last;
    last = m.phys_pos;
    if (!predicted) continue;
    std::int32_t status = GANTRY_OK;
    const ReadResult got = store().read_at(forged_at, &status);
    EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
  }
  if (!predicted) GTEST_SKIP() << "positions of this store cannot be guessed";
}

}  // namespace
}  // namespace gantry::test
