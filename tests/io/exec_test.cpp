// Posts, turn ends, watches, the blocking pool, the clock.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

class Exec : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    f.start();
    exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
    host = &f.protocol.host.abi;
  }
  // Runs `what` on a shard and waits for it.
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
  const gantry_exec_v1 *exec = nullptr;
  const gantry_host *host = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Shards, Exec, testing::Values(1u, 4u));

TEST_P(Exec, ShardsKnowWhoTheyAre) {
  EXPECT_EQ(exec->shard_count(host), GetParam());
  EXPECT_EQ(exec->this_shard(host), GANTRY_NO_SHARD);
  for (std::uint32_t i = 0; i < GetParam(); ++i) on_shard(i, [&] { EXPECT_EQ(exec->this_shard(host), i); });
  EXPECT_EQ(exec->post(host, GetParam(), [](void *) noexcept {}, nullptr), GANTRY_E_INVALID);
}

struct Received {
  std::uint32_t from;
  std::uint32_t n;
  std::vector<std::vector<std::uint32_t>> *log;  // per producer; written by one shard only
  std::atomic<std::uint32_t> *count;
};

TEST_P(Exec, PostsFromManyThreadsArriveOnceAndInOrder) {
  constexpr std::uint32_t kThreads = 3, kPosts = 20'000;
  std::vector<std::vector<std::uint32_t>> log(kThreads);
  std::atomic<std::uint32_t> count{0};
  std::vector<std::vector<Received>> items(kThreads);
  std::vector<std::thread> producers;
  const std::uint32_t target = GetParam() - 1;
  for (std::uint32_t t = 0; t < kThreads; ++t)
    for (std::uint32_t n = 0; n < kPosts; ++n) items[t].push_back({t, n, &log, &count});
  for (std::uint32_t t = 0; t < kThreads; ++t)
    producers.emplace_back([&, t] {
      for (auto &item : items[t])
        EXPECT_EQ(exec->post(host, target, [](void *arg) noexcept {
          auto *r = static_cast<Received *>(arg);
          (*r->log)[r->from].push_back(r->n);
          r->count->fetch_add(1);
        }, &item), GANTRY_OK);
    });
  for (auto &p : producers) p.join();
  ASSERT_TRUE(eventually([&] { return count == kThreads * kPosts; }));
  for (const auto &seen : log) {
    ASSERT_EQ(seen.size(), kPosts);
    for (std::uint32_t n = 0; n < kPosts; ++n) ASSERT_EQ(seen[n], n);
  }
}

TEST_P(Exec, PostFromTheShardItselfRunsLaterNotInside) {
  std::atomic<int> step{0};
  on_shard(0, [&] {
    EXPECT_EQ(exec->post(host, 0, [](void *arg) noexcept { *static_cast<std::atomic<int> *>(arg) += 10; }, &step), GANTRY_OK);
    EXPECT_EQ(step.load(), 0);
    step = 1;
  });
  EXPECT_TRUE(eventually([&] { return step == 11; }));
}

TEST_P(Exec, TurnEndRunsOnceInTheSameTurn) {
  static std::atomic<int> hooks;
  hooks = 0;
  std::atomic<int> seen_by_next{-1};
  EXPECT_EQ(exec->at_turn_end(host, [](void *) noexcept {}, nullptr), GANTRY_E_INVALID);
  on_shard(0, [&] {
    EXPECT_EQ(exec->at_turn_end(host, [](void *) noexcept { ++hooks; }, nullptr), GANTRY_OK);
    EXPECT_EQ(hooks, 0);
    EXPECT_EQ(exec->post(host, 0, [](void *arg) noexcept { static_cast<std::atomic<int> *>(arg)->store(hooks); }, &seen_by_next), GANTRY_OK);
  });
  EXPECT_TRUE(eventually([&] { return seen_by_next >= 0; }));
  EXPECT_EQ(seen_by_next, 1);
  EXPECT_EQ(hooks, 1);
}

TEST_P(Exec, WatchedDescriptorRunsEachTimeUntilUnwatched) {
  struct State {
    int fd;
    std::atomic<std::uint64_t> sum{0};
    std::atomic<int> calls{0};
  } state{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), {}, {}};
  const std::uint32_t shard = GetParam() - 1;
  const std::uint64_t watch = exec->fd_watch(host, shard, state.fd, [](void *arg) noexcept {
    auto *s = static_cast<State *>(arg);
    std::uint64_t n = 0;
    if (::read(s->fd, &n, sizeof n) == sizeof n) s->sum += n;
    s->calls += 1;
  }, &state);
  ASSERT_NE(watch, 0u);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(state.fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    ASSERT_TRUE(eventually([&] { return state.sum == i; }));
  }
  on_shard(shard, [&] { exec->fd_unwatch(host, watch); });
  const int calls = state.calls;
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(state.fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  for (int i = 0; i < 10; ++i) on_shard(shard, [] {});
  EXPECT_EQ(state.calls, calls);
  ::close(state.fd);
  EXPECT_EQ(exec->fd_watch(host, shard, -1, [](void *) noexcept {}, nullptr), 0u);
}

TEST_P(Exec, OffloadRunsElsewhereAndSaysAgainWhenFull) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
    std::atomic<int> ran{0};
    static void wait(void *arg) noexcept {
      auto *self = static_cast<Gate *>(arg);
      std::unique_lock lock(self->mutex);
      self->opened.wait(lock, [&] { return self->open; });
      self->ran += 1;
    }
  } gate;
  int taken = 0;
  std::int32_t code = GANTRY_OK;
  while ((code = exec->offload(host, &Gate::wait, &gate)) == GANTRY_OK) ASSERT_LT(++taken, 10'000);
  EXPECT_EQ(code, GANTRY_E_AGAIN);
  EXPECT_GE(taken, static_cast<int>(f.options.blocking_queue));
  {
    const std::lock_guard lock(gate.mutex);
    gate.open = true;
  }
  gate.opened.notify_all();
  EXPECT_TRUE(eventually([&] { return gate.ran == taken; }));
}

TEST_P(Exec, ClockIsCoarseOnShardsAndFreshElsewhere) {
  const auto *clock = table_of<gantry_clock_v1>(f.protocol.host, GANTRY_CLOCK_ID);
  const auto wall = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  const std::int64_t before = wall();
  const std::int64_t here = clock->coarse_ms(host);
  EXPECT_GE(here, before);
  std::int64_t first = 0, second = 0;
  on_shard(0, [&] {
    first = clock->coarse_ms(host);
    const std::int64_t start = clock->now_ns(host);
    while (clock->now_ns(host) - start < 5'000'000) {
    }
    second = clock->coarse_ms(host);
  });
  EXPECT_EQ(first, second);
  EXPECT_NEAR(static_cast<double>(first), static_cast<double>(before), 1000);
}

TEST_P(Exec, AfterStopEverythingIsRefused) {
  std::atomic<int> ran{0};
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(exec->post(host, 0, [](void *arg) noexcept { *static_cast<std::atomic<int> *>(arg) += 1; }, &ran), GANTRY_OK);
  f.set->stop();
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(exec->post(host, 0, [](void *) noexcept {}, nullptr), GANTRY_E_CLOSED);
  EXPECT_EQ(exec->offload(host, [](void *) noexcept {}, nullptr), GANTRY_E_CLOSED);
  f.set->stop();
}

TEST(ShardSetLife, StopsWithoutHavingStarted) {
  auto set = ShardSet::create({});
  ASSERT_TRUE(set.ok());
  (*set)->stop();
  EXPECT_FALSE((*set)->start().ok());
}

}  // namespace
}  // namespace gantry::io::test
