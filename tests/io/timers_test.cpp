// The timer heap alone, then timers through the exec table.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "kernel/io/timers.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

std::vector<std::intptr_t> ran;
void note(void *arg) noexcept { ran.push_back(reinterpret_cast<std::intptr_t>(arg)); }
void *tag(std::intptr_t n) { return reinterpret_cast<void *>(n); }

TEST(Timers, RunInOrderOfDeadlineThenOfArming) {
  ran.clear();
  Timers timers;
  (void)timers.arm(30, note, tag(3));
  (void)timers.arm(10, note, tag(1));
  (void)timers.arm(20, note, tag(21));
  (void)timers.arm(20, note, tag(22));
  EXPECT_EQ(timers.next_deadline_ms(), 10);
  EXPECT_EQ(timers.run_due(9), 0u);
  EXPECT_EQ(timers.run_due(20), 3u);
  EXPECT_EQ(ran, (std::vector<std::intptr_t>{1, 21, 22}));
  EXPECT_EQ(timers.run_due(1000), 1u);
  EXPECT_EQ(timers.next_deadline_ms(), Timers::kNever);
}

TEST(Timers, CancelledOnesDoNotRunAndIdsAreNotReused) {
  ran.clear();
  Timers timers;
  const auto first = timers.arm(10, note, tag(1));
  EXPECT_TRUE(timers.cancel(first));
  EXPECT_FALSE(timers.cancel(first));
  const auto second = timers.arm(10, note, tag(2));
  EXPECT_NE(first, second);
  EXPECT_FALSE(timers.cancel(first));
  EXPECT_EQ(timers.run_due(10), 1u);
  EXPECT_FALSE(timers.cancel(second));
  EXPECT_EQ(ran, (std::vector<std::intptr_t>{2}));
}

TEST(Timers, OneArmedWhileRunningWaitsForTheNextRun) {
  static Timers *timers;
  static int count;
  Timers own;
  timers = &own;
  count = 0;
  struct Again {
    static void run(void *) noexcept {
      ++count;
      (void)timers->arm(0, &run, nullptr);
    }
  };
  (void)own.arm(0, &Again::run, nullptr);
  EXPECT_EQ(own.run_due(5), 1u);
  EXPECT_EQ(own.run_due(5), 1u);
  EXPECT_EQ(count, 2);
}

TEST(Timers, RandomArmingAndCancellingAgreesWithASortedList) {
  ran.clear();
  std::mt19937 random(7);
  Timers timers;
  struct Known {
    std::int64_t deadline;
    std::intptr_t n;
    std::uint64_t id;
  };
  std::vector<Known> known;
  std::vector<std::intptr_t> wanted;
  std::int64_t now = 0;
  for (std::intptr_t n = 1; n < 20000; ++n) {
    const std::int64_t deadline = now + 1 + random() % 500;
    known.push_back({deadline, n, timers.arm(deadline, note, tag(n))});
    if (random() % 3 == 0) {
      const std::size_t at = random() % known.size();
      ASSERT_TRUE(timers.cancel(known[at].id));
      known.erase(known.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (random() % 10 == 0) {
      now += random() % 40;
      std::stable_sort(known.begin(), known.end(), [](const Known &a, const Known &b) { return a.deadline != b.deadline ? a.deadline < b.deadline : a.n < b.n; });
      std::size_t due = 0;
      while (due < known.size() && known[due].deadline <= now) wanted.push_back(known[due++].n);
      known.erase(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(due));
      (void)timers.run_due(now);
      ASSERT_EQ(ran, wanted);
      ASSERT_EQ(timers.size(), known.size());
    }
  }
}

// ---- through the table ------------------------------------------------------------------------------------------------------

struct Armed {
  EchoProtocol *protocol;
  std::uint32_t shard;
  std::int64_t delay_ms;
  std::chrono::steady_clock::time_point armed_at{}, ran_at{};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> id{0};
  std::atomic<std::uint32_t> ran_on{99};

  static void arm(void *arg) noexcept {
    auto *self = static_cast<Armed *>(arg);
    const auto *exec = table_of<gantry_exec_v1>(self->protocol->host, GANTRY_EXEC_ID);
    self->armed_at = std::chrono::steady_clock::now();
    self->id = exec->timer_arm(&self->protocol->host.abi, self->shard, self->delay_ms, &fired, self);
  }
  static void fired(void *arg) noexcept {
    auto *self = static_cast<Armed *>(arg);
    const auto *exec = table_of<gantry_exec_v1>(self->protocol->host, GANTRY_EXEC_ID);
    self->ran_at = std::chrono::steady_clock::now();
    self->ran_on = exec->this_shard(&self->protocol->host.abi);
    self->done = true;
  }
};

class ExecTimers : public testing::TestWithParam<std::uint32_t> {
 protected:
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, ExecTimers, testing::Values(1u, 4u));

TEST_P(ExecTimers, NeverEarlyAndOnTheirShard) {
  f.start();
  const auto *exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
  std::vector<std::unique_ptr<Armed>> all;
  for (const std::int64_t delay : {50, 0, 1, 7, 120})
    for (std::uint32_t shard = 0; shard < GetParam(); ++shard) {
      all.push_back(std::make_unique<Armed>());
      all.back()->protocol = &f.protocol;
      all.back()->shard = shard;
      all.back()->delay_ms = delay;
      ASSERT_EQ(exec->post(&f.protocol.host.abi, shard, &Armed::arm, all.back().get()), GANTRY_OK);
    }
  for (const auto &a : all) {
    ASSERT_TRUE(eventually([&] { return a->done.load(); }));
    EXPECT_EQ(a->ran_on, a->shard);
    EXPECT_GE(a->ran_at - a->armed_at, std::chrono::milliseconds(a->delay_ms));
  }
}

TEST_P(ExecTimers, RefusedFromOtherThreadsAndCancelled) {
  f.start();
  const auto *exec = table_of<gantry_exec_v1>(f.protocol.host, GANTRY_EXEC_ID);
  Armed far{&f.protocol, 0, 60'000};
  EXPECT_EQ(exec->timer_arm(&f.protocol.host.abi, 0, 1, &Armed::fired, &far), 0u);
  ASSERT_EQ(exec->post(&f.protocol.host.abi, 0, &Armed::arm, &far), GANTRY_OK);
  ASSERT_TRUE(eventually([&] { return far.id != 0; }));
  struct Cancel {
    Armed *armed;
    std::atomic<int> codes{0};
    static void run(void *arg) noexcept {
      auto *self = static_cast<Cancel *>(arg);
      auto *host = &self->armed->protocol->host;
      const auto *table = table_of<gantry_exec_v1>(*host, GANTRY_EXEC_ID);
      const int first = table->timer_cancel(&host->abi, self->armed->id);
      const int second = table->timer_cancel(&host->abi, self->armed->id);
      self->codes = first == GANTRY_OK && second == GANTRY_E_NOT_FOUND ? 1 : 2;
    }
  } cancel{&far, {}};
  ASSERT_EQ(exec->post(&f.protocol.host.abi, 0, &Cancel::run, &cancel), GANTRY_OK);
  EXPECT_TRUE(eventually([&] { return cancel.codes != 0; }));
  EXPECT_EQ(cancel.codes, 1);
}

}  // namespace
}  // namespace gantry::io::test
