// When things become readable, and completions: exactly once, never inside the call, also under a flood and on stop.
#include "fixture.h"

namespace gantry::test {
namespace {

using Completion = StoreContract;

TEST_F(Completion, NothingIsReadableBeforeItIsAcknowledged) {
  const gantry_queue queue = store().queue("A");
  (void)append_one(store(), message(queue, "earlier"));
  Message m = message(queue, "waiting");
  CompletionLog done(host());
  ASSERT_EQ(try_append(m, done.id()), 1);
  EXPECT_EQ(m.offsets[0], 1) << "link_offsets are filled in before append returns";
  const gantry_queue_stat stat = store().stat(queue);
  EXPECT_EQ(stat.max_off, 1);
  EXPECT_EQ(stat.appended_off, 2);
  const ReadResult before = store().read(queue, 1);
  if (done.count() == 0) {  // the read may have needed turns of its own
    EXPECT_EQ(before->n, 0u);
    EXPECT_EQ(before->stop, GANTRY_STOP_END);
    EXPECT_EQ(before->max_off, 1);
  }
  ASSERT_TRUE(done.wait_for(0));
  EXPECT_EQ(store().stat(queue).max_off, 2);
  EXPECT_EQ(store().read(queue, 1)->n, 1u);
}

// Looks at the queue from inside the delivery.
struct Observer {
  StoreInstance *store;
  gantry_queue queue;
  std::vector<std::int64_t> max_off_seen, acknowledged;

  static void ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    auto *o = static_cast<Observer *>(self);
    for (std::uint32_t i = 0; i < n; ++i) {
      o->acknowledged.push_back(static_cast<std::int64_t>(cqes[i].aux));
      o->max_off_seen.push_back(o->store->stat(o->queue).max_off);
    }
  }
};

TEST_F(Completion, ARecordIsReadableWhenItsCompletionIsDelivered) {
  const auto *cq = static_cast<const gantry_cq_v1 *>(host().abi()->query(host().abi(), GANTRY_CQ_ID));
  Observer seen{&store(), store().queue("A"), {}, {}};
  const gantry_cq id = cq->create(host().abi(), 0, Observer::ready, &seen);
  std::vector<Message> messages(40, message(seen.queue, filled(3000, 1)));
  for (Message &m : messages) {
    ASSERT_EQ(try_append(m, id), 1);
    host().turn();
  }
  ASSERT_TRUE(host().wait_until([&] { return seen.acknowledged.size() == 40; }));
  for (std::size_t i = 0; i < 40; ++i) EXPECT_GT(seen.max_off_seen[i], seen.acknowledged[i]);
  cq->close(host().abi(), id);
}

TEST_F(Completion, EachAcceptedAppendCompletesExactlyOnceAndNeverInsideTheCall) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  std::vector<Message> messages(2000, message(queue, filled(100, 3)));
  std::size_t next = 0;
  while (next < messages.size()) {
    const std::size_t before = done.count();
    AppendBatch batch(&messages[next], std::min<std::size_t>(37, messages.size() - next), next);
    const std::int32_t rc = store().table().append(store().self(), 0, batch.data(), batch.size(), done.id());
    ASSERT_EQ(done.count(), before);
    ASSERT_TRUE(rc > 0 || rc == GANTRY_E_AGAIN) << rc;
    if (rc > 0) next += static_cast<std::size_t>(rc);
    if (rc < 0 || next % 3 == 0) host().turn(1);
  }
  ASSERT_TRUE(done.wait_count(messages.size()));
  for (int i = 0; i < 10; ++i) host().turn(2);
  std::vector<int> times(messages.size());
  for (const gantry_cqe &cqe : done.all()) {
    ASSERT_LT(cqe.user_data, times.size());
    ++times[cqe.user_data];
    EXPECT_EQ(cqe.status, GANTRY_OK);
    EXPECT_EQ(static_cast<std::int64_t>(cqe.aux), messages[cqe.user_data].offsets[0]);
  }
  EXPECT_EQ(times, std::vector<int>(messages.size(), 1));
}

TEST_F(Completion, ACompletionCarriesThePositionUnderWhichTheRecordIsRead) {
  const gantry_queue queue = store().queue("A");
  Message m = message(queue, "here");
  CompletionLog done(host());
  ASSERT_EQ(try_append(m, done.id(), 77), 1);
  const auto cqe = done.wait_for(77);
  ASSERT_TRUE(cqe);
  EXPECT_EQ(cqe->aux, 0u);
  m.phys_pos = cqe->result;
  const ReadResult got = store().read_at(cqe->result);
  ASSERT_EQ(got->n, 1u);
  EXPECT_EQ(got.bytes(0), m.expected());
}

TEST_F(Completion, AFloodIsAnsweredWithAgainThenGoesOnAndNothingIsLost) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  const std::string body = filled(64 << 10, 9);
  std::deque<Message> messages;  // AppendBatch points into them
  std::size_t again = 0;
  // No turn until the buffers are full: far below this bound for any sane store.
  constexpr std::size_t kBound = (1u << 30) / (64 << 10);
  while (again == 0 && messages.size() < kBound) {
    messages.push_back(message(queue, body));
    const std::int32_t rc = try_append(messages.back(), done.id(), messages.size() - 1);
    ASSERT_TRUE(rc == 1 || rc == GANTRY_E_AGAIN) << rc;
    if (rc == 1) continue;
    messages.pop_back();
    ++again;
  }
  ASSERT_EQ(again, 1u) << "1 GiB was taken without a single turn";
  ASSERT_GT(messages.size(), 0u);
  const std::size_t goal = messages.size() + 100;
  ASSERT_TRUE(host().wait_until([&] {
    while (messages.size() < goal) {
      messages.push_back(message(queue, body));
      const std::int32_t rc = try_append(messages.back(), done.id(), messages.size() - 1);
      if (rc == 1) continue;
      messages.pop_back();
      return false;
    }
    return done.count() == goal;
  })) << done.count() << " of " << goal << " completed";
  for (const gantry_cqe &cqe : done.all()) {
    EXPECT_EQ(cqe.status, GANTRY_OK);
    messages[cqe.user_data].phys_pos = cqe.result;
  }
  const auto got = read_queue(store(), queue, 32);
  ASSERT_EQ(got.size(), goal);
  for (std::size_t i = 0; i < goal; ++i) ASSERT_EQ(got.at(static_cast<std::int64_t>(i)), messages[i].expected()) << i;
}

TEST_F(Completion, StopCompletesWhatWasAccepted) {
  const gantry_queue queue = store().queue("A");
  CompletionLog done(host());
  std::vector<Message> messages(50, message(queue, filled(2000, 1)));
  for (std::size_t i = 0; i < messages.size(); ++i) ASSERT_EQ(try_append(messages[i], done.id(), i), 1);
  store().stop();
  ASSERT_TRUE(done.wait_count(50));
  for (int i = 0; i < 5; ++i) host().turn(1);
  EXPECT_EQ(done.count(), 50u);
  std::vector<int> times(50);
  for (const gantry_cqe &cqe : done.all()) ++times[cqe.user_data];
  EXPECT_EQ(times, std::vector<int>(50, 1));
}

TEST_F(Completion, RequestsWhoseCompletionQueueWasClosedDisturbNobody) {
  const gantry_queue queue = store().queue("A");
  {
    CompletionLog gone(host());
    Message m = message(queue, "nobody waits");
    ASSERT_EQ(try_append(m, gone.id()), 1);
    ASSERT_GE(store().table().seek_time(store().self(), 0, queue, 0, 1, gone.id()), 0);
    const gantry_meta_op op{GANTRY_META_PUT, 0, str_of("k"), str_of("v")};
    ASSERT_GE(store().table().meta_write(store().self(), &op, 1, GANTRY_DURABILITY_DEFAULT, 2, gone.id()), 0);
  }
  EXPECT_EQ(append_one(store(), message(queue, "next")).offsets[0], 1);
  EXPECT_EQ(read_queue(store(), queue).size(), 2u);
}

}  // namespace
}  // namespace gantry::test
