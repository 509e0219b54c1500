// Completion queues: exactly once, in order, in batches, never from inside push; closing.
#include <gtest/gtest.h>

#include <thread>

#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

struct Sink {
  std::vector<std::uint64_t> seen;  // written by the queue's shard only
  std::atomic<std::uint64_t> count{0};
  std::uint32_t largest = 0;
  static void ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    auto *sink = static_cast<Sink *>(self);
    for (std::uint32_t i = 0; i < n; ++i) sink->seen.push_back(cqes[i].user_data);
    sink->largest = std::max(sink->largest, n);
    sink->count += n;
  }
};

class Cq : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    f.start();
    cq = table_of<gantry_cq_v1>(f.protocol.host, GANTRY_CQ_ID);
    exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
    host = &f.protocol.host.abi;
  }
  void on_shard(std::uint32_t shard, std::function<void()> what) {
    struct Job {
      std::function<void()> what;
      std::atomic<bool> done{false};
    } job{std::move(what), {}};
    ASSERT_EQ(exec->post(host, shard, [](void *arg) noexcept {
      static_cast<Job *>(arg)->what();
      static_cast<Job *>(arg)->done = true;
    }, &job), GANTRY_OK);
    ASSERT_TRUE(eventually([&] { return job.done.load(); }));
  }
  Fixture f{GetParam()};
  const gantry_cq_v1 *cq = nullptr;
  const gantry_exec_v1 *exec = nullptr;
  const gantry_host *host = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Shards, Cq, testing::Values(1u, 4u));

TEST_P(Cq, AMillionFromOtherThreadsArriveExactlyOnceAndInOrder) {
  constexpr std::uint64_t kThreads = 2, kEach = 500'000;
  Sink sink;
  const gantry_cq queue = cq->create(host, GetParam() - 1, &Sink::ready, &sink);
  ASSERT_NE(queue, 0u);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      gantry_cqe batch[64]{};
      for (std::uint64_t n = 0; n < kEach;) {
        std::uint32_t size = 0;
        for (; size < 1 + n % 64 && n < kEach; ++size, ++n) batch[size].user_data = t << 32 | n;
        EXPECT_EQ(cq->push(host, queue, batch, size), GANTRY_OK);
      }
    });
  for (auto &t : threads) t.join();
  ASSERT_TRUE(eventually([&] { return sink.count == kThreads * kEach; }, std::chrono::seconds(60)));
  std::vector<std::uint64_t> next(kThreads);
  for (const std::uint64_t value : sink.seen) ASSERT_EQ(value & 0xFFFFFFFF, next.at(value >> 32)++);
  EXPECT_LE(sink.largest, 256u);
  on_shard(GetParam() - 1, [&] { cq->close(host, queue); });
}

TEST_P(Cq, OnTheSameShardLaterInTheSameTurnNeverInside) {
  Sink sink;
  gantry_cq queue = 0;
  std::atomic<std::uint64_t> next_turn{0};
  struct Look {
    Sink *sink;
    std::atomic<std::uint64_t> *out;
  } look{&sink, &next_turn};
  on_shard(0, [&] {
    queue = cq->create(host, 0, &Sink::ready, &sink);
    gantry_cqe cqes[1000]{};
    for (std::uint64_t i = 0; i < 1000; ++i) cqes[i].user_data = i;
    EXPECT_EQ(cq->push(host, queue, cqes, 1000), GANTRY_OK);
    EXPECT_EQ(sink.count, 0u);
    EXPECT_EQ(exec->post(host, 0, [](void *arg) noexcept { *static_cast<Look *>(arg)->out = static_cast<Look *>(arg)->sink->count.load(); }, &look), GANTRY_OK);
  });
  ASSERT_TRUE(eventually([&] { return next_turn == 1000; }));
  for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(sink.seen[i], i);
  EXPECT_EQ(sink.largest, 256u);
  on_shard(0, [&] { cq->close(host, queue); });
}

struct Chain {  // pushes again from inside its delivery
  const gantry_cq_v1 *cq;
  const gantry_host *host;
  gantry_cq queue = 0;
  std::atomic<int> left{100'000};
  bool inside = false;
  std::atomic<bool> nested{false};
  static void ready(void *self, const gantry_cqe *, std::uint32_t) noexcept {
    auto *c = static_cast<Chain *>(self);
    if (c->inside) c->nested = true;
    c->inside = true;
    const gantry_cqe cqe{};
    if (--c->left > 0) (void)c->cq->push(c->host, c->queue, &cqe, 1);
    c->inside = false;
  }
};

TEST_P(Cq, PushingFromDeliveryDoesNotNestOrStarveTheLoop) {
  Chain chain{cq, host};
  chain.queue = cq->create(host, 0, &Chain::ready, &chain);
  const gantry_cqe cqe{};
  ASSERT_EQ(cq->push(host, chain.queue, &cqe, 1), GANTRY_OK);
  on_shard(0, [] {});  // gets its turn meanwhile
  ASSERT_TRUE(eventually([&] { return chain.left == 0; }));
  EXPECT_FALSE(chain.nested);
  on_shard(0, [&] { cq->close(host, chain.queue); });
}

TEST_P(Cq, ClosedQueuesRefuseAndStaleHandlesStayRefused) {
  Sink sink;
  const gantry_cq queue = cq->create(host, 0, &Sink::ready, &sink);
  const gantry_cqe cqe{};
  on_shard(0, [&] {
    ASSERT_EQ(cq->push(host, queue, &cqe, 1), GANTRY_OK);
    cq->close(host, queue);
    EXPECT_EQ(cq->push(host, queue, &cqe, 1), GANTRY_E_CLOSED);
  });
  const gantry_cq next = cq->create(host, GetParam() - 1, &Sink::ready, &sink);
  EXPECT_NE(next, queue);
  EXPECT_EQ(cq->push(host, queue, &cqe, 1), GANTRY_E_CLOSED);
  EXPECT_EQ(cq->push(host, 0, &cqe, 1), GANTRY_E_CLOSED);
  EXPECT_EQ(cq->push(host, ~std::uint64_t{0}, &cqe, 1), GANTRY_E_CLOSED);
  EXPECT_EQ(sink.count, 0u);
  EXPECT_EQ(cq->push(host, next, &cqe, 1), GANTRY_OK);
  EXPECT_TRUE(eventually([&] { return sink.count == 1; }));
  on_shard(GetParam() - 1, [&] { cq->close(host, next); });
}

TEST_P(Cq, ClosingFromInsideItsDeliveryStopsIt) {
  struct Closer {
    const gantry_cq_v1 *cq;
    const gantry_host *host;
    gantry_cq queue = 0;
    std::atomic<int> calls{0};
    static void ready(void *self, const gantry_cqe *, std::uint32_t) noexcept {
      auto *c = static_cast<Closer *>(self);
      ++c->calls;
      c->cq->close(c->host, c->queue);
    }
  } closer{cq, host};
  closer.queue = cq->create(host, 0, &Closer::ready, &closer);
  std::vector<gantry_cqe> many(1000);
  ASSERT_EQ(cq->push(host, closer.queue, many.data(), 1000), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return closer.calls == 1; }));
  on_shard(0, [] {});
  EXPECT_EQ(closer.calls, 1);
}

TEST_P(Cq, PushWhileClosingOnAnotherThreadIsEitherDeliveredOrRefused) {
  for (int round = 0; round < 50; ++round) {
    Sink sink;
    const gantry_cq queue = cq->create(host, 0, &Sink::ready, &sink);
    std::thread pusher([&] {
      const gantry_cqe cqe{};
      while (cq->push(host, queue, &cqe, 1) == GANTRY_OK) {
      }
    });
    ASSERT_TRUE(eventually([&] { return sink.count > 10; }));
    std::uint64_t at_close = 0;
    on_shard(0, [&] {
      cq->close(host, queue);
      at_close = sink.count;
    });
    pusher.join();
    on_shard(0, [] {});
    EXPECT_EQ(sink.count, at_close);
  }
}

TEST_P(Cq, WhatWasPushedBeforeStopIsDelivered) {
  Sink sink;
  const gantry_cq queue = cq->create(host, GetParam() - 1, &Sink::ready, &sink);
  std::vector<gantry_cqe> many(10'000);
  ASSERT_EQ(cq->push(host, queue, many.data(), 10'000), GANTRY_OK);
  f.set->stop();
  EXPECT_EQ(sink.count, 10'000u);
  EXPECT_EQ(cq->push(host, queue, many.data(), 1), GANTRY_E_CLOSED);
  cq->close(host, queue);
}

}  // namespace
}  // namespace gantry::io::test
