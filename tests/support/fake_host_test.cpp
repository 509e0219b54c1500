// The fake host itself: what every other test relies on.
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "support/test_util.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

namespace gantry::test {
namespace {

template <typename Table>
const Table &table(FakeHost &host, const char *id) {
  return *static_cast<const Table *>(host.abi()->query(host.abi(), id));
}

struct Recorder {
  std::vector<int> order;
  struct Step {
    Recorder *to;
    int value;
  };
  std::array<Step, 8> steps;
  Recorder() {
    for (int i = 0; i < 8; ++i) steps[static_cast<std::size_t>(i)] = {this, i};
  }
  static void run(void *arg) noexcept {
    auto *step = static_cast<Step *>(arg);
    step->to->order.push_back(step->value);
  }
};

TEST(FakeHost, ATurnRunsPostsTimersDescriptorsCompletionsAndTurnEndInThatOrder) {
  FakeHost host;
  host.freeze_clock(1000);
  const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
  const auto &cq = table<gantry_cq_v1>(host, GANTRY_CQ_ID);
  Recorder rec;
  const int fd = ::eventfd(1, EFD_NONBLOCK);
  ASSERT_EQ(exec.at_turn_end(host.abi(), Recorder::run, &rec.steps[5]), GANTRY_OK);
  const auto queue = cq.create(
      host.abi(), 0, [](void *arg, const gantry_cqe *, std::uint32_t) noexcept { Recorder::run(arg); }, &rec.steps[4]);
  const gantry_cqe cqe{};
  ASSERT_EQ(cq.push(host.abi(), queue, &cqe, 1), GANTRY_OK);
  const auto watch = exec.fd_watch(host.abi(), 0, fd, Recorder::run, &rec.steps[3]);
  ASSERT_NE(exec.timer_arm(host.abi(), 0, 10, Recorder::run, &rec.steps[2]), 0u);
  ASSERT_EQ(exec.post(host.abi(), 0, Recorder::run, &rec.steps[1]), GANTRY_OK);
  host.advance_ms(10);
  EXPECT_TRUE(host.turn());
  EXPECT_EQ(rec.order, (std::vector<int>{1, 2, 3, 4, 5}));
  exec.fd_unwatch(host.abi(), watch);
  EXPECT_FALSE(host.turn());
  cq.close(host.abi(), queue);
  ::close(fd);
}

TEST(FakeHost, ATimerWaitsForTheFrozenClockAndACancelledOneNeverRuns) {
  FakeHost host;
  host.freeze_clock(1000);
  const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
  Recorder rec;
  ASSERT_NE(exec.timer_arm(host.abi(), 0, 20, Recorder::run, &rec.steps[2]), 0u);
  ASSERT_NE(exec.timer_arm(host.abi(), 0, 10, Recorder::run, &rec.steps[1]), 0u);
  const auto gone = exec.timer_arm(host.abi(), 0, 5, Recorder::run, &rec.steps[0]);
  EXPECT_EQ(exec.timer_cancel(host.abi(), gone), GANTRY_OK);
  EXPECT_EQ(exec.timer_cancel(host.abi(), gone), GANTRY_E_NOT_FOUND);
  host.turn();
  EXPECT_TRUE(rec.order.empty());
  host.advance_ms(30);
  EXPECT_EQ(table<gantry_clock_v1>(host, GANTRY_CLOCK_ID).coarse_ms(host.abi()), 1030);
  host.turn();
  EXPECT_EQ(rec.order, (std::vector<int>{1, 2}));
}

TEST(FakeHost, PushingToAClosedQueueIsRefusedAndNothingIsDelivered) {
  FakeHost host;
  const auto &cq = table<gantry_cq_v1>(host, GANTRY_CQ_ID);
  int delivered = 0;
  const auto queue = cq.create(
      host.abi(), 0, [](void *arg, const gantry_cqe *, std::uint32_t n) noexcept { *static_cast<int *>(arg) += static_cast<int>(n); },
      &delivered);
  const gantry_cqe cqe{};
  ASSERT_EQ(cq.push(host.abi(), queue, &cqe, 1), GANTRY_OK);
  cq.close(host.abi(), queue);
  EXPECT_EQ(cq.push(host.abi(), queue, &cqe, 1), GANTRY_E_CLOSED);
  EXPECT_EQ(cq.push(host.abi(), 0, &cqe, 1), GANTRY_E_CLOSED);
  host.turn();
  EXPECT_EQ(delivered, 0);
}

TEST(FakeHost, ControlWorkMayWaitForAShardInManualMode) {
  FakeHost host(2);
  const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
  struct State {
    const gantry_exec_v1 &exec;
    FakeHost &host;
    std::atomic<std::uint32_t> ran_on{99};
  } state{exec, host};
  host.on_control([&] {
    EXPECT_EQ(exec.this_shard(host.abi()), GANTRY_NO_SHARD);
    EXPECT_EQ(exec.post(
                  host.abi(), 1,
                  [](void *arg) noexcept {
                    auto *s = static_cast<State *>(arg);
                    s->ran_on = s->exec.this_shard(s->host.abi());
                  },
                  &state),
              GANTRY_OK);
    EXPECT_TRUE(poll_until([&] { return state.ran_on != 99; }));
  });
  EXPECT_EQ(state.ran_on, 1u);
}

TEST(FakeHost, ThreadModeRunsPostsOnTheirShardAndRefusesThemOnceStopped) {
  FakeHost host(3, LoopMode::kThreads);
  const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    std::uint32_t seen = 99;
    host.on_shard(shard, [&] { seen = exec.this_shard(host.abi()); });
    EXPECT_EQ(seen, shard);
  }
  EXPECT_EQ(exec.this_shard(host.abi()), GANTRY_NO_SHARD);
  host.stop_shards();
  Recorder rec;
  EXPECT_EQ(exec.post(host.abi(), 0, Recorder::run, &rec.steps[0]), GANTRY_E_CLOSED);
}

TEST(FakeHost, OffloadedWorkRunsOffTheShards) {
  for (const LoopMode mode : {LoopMode::kManual, LoopMode::kThreads}) {
    FakeHost host(1, mode);
    const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
    struct State {
      const gantry_exec_v1 &exec;
      FakeHost &host;
      std::atomic<std::uint32_t> shard{5};
    } state{exec, host};
    ASSERT_EQ(exec.offload(
                  host.abi(),
                  [](void *arg) noexcept {
                    auto *s = static_cast<State *>(arg);
                    s->shard = s->exec.this_shard(s->host.abi());
                  },
                  &state),
              GANTRY_OK);
    EXPECT_TRUE(host.wait_until([&] { return state.shard != 5; }));
    EXPECT_EQ(state.shard, GANTRY_NO_SHARD);
  }
}

TEST(FakeHostDeathTest, AtTurnEndOffAShardStopsTheTest) {
  FakeHost host;
  const auto &exec = table<gantry_exec_v1>(host, GANTRY_EXEC_ID);
  Recorder rec;
  EXPECT_DEATH(std::thread([&] { (void)exec.at_turn_end(host.abi(), Recorder::run, &rec.steps[0]); }).join(), "at_turn_end was called off a shard");
}

TEST(FakeConfig, TakesDefaultsAndTextsWithUnits) {
  static constexpr gantry_config_key kKeys[] = {
      {"size", GANTRY_KEY_SIZE, 0, "64 MiB", 1, 1LL << 40, nullptr, ""},  {"keep", GANTRY_KEY_DURATION, 0, "72h", 0, 0, nullptr, ""},
      {"on", GANTRY_KEY_BOOL, 0, "true", 0, 0, nullptr, ""},              {"engine", GANTRY_KEY_ENUM, 0, "auto", 0, 0, "auto pwrite", ""},
      {"names", GANTRY_KEY_LIST, 0, "[\"a\", \"b\"]", 0, 0, nullptr, ""}, {"empty", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr, ""}};
  gantry_component component{};
  component.name = "thing";
  component.keys = kKeys;
  component.n_keys = 6;
  const FakeConfig config(component, {{"engine", "pwrite"}, {"keep", "500ms"}});
  const gantry_config *c = config.abi();
  EXPECT_EQ(c->get_int(c, "size"), 64 << 20);
  EXPECT_EQ(c->get_int(c, "keep"), 500);
  EXPECT_EQ(c->get_int(c, "on"), 1);
  EXPECT_EQ(std::string(c->get_text(c, "engine").p, c->get_text(c, "engine").n), "pwrite");
  ASSERT_EQ(c->list_size(c, "names"), 2u);
  EXPECT_EQ(std::string(c->list_at(c, "names", 1).p, c->list_at(c, "names", 1).n), "b");
  EXPECT_EQ(c->get_text(c, "empty").n, 0u);
  EXPECT_DEATH(FakeConfig(component, {{"engine", "other"}}), "not one of");
  EXPECT_DEATH(FakeConfig(component, {{"nosuch", "1"}}), "declares no key nosuch");
  EXPECT_DEATH((void)c->get_int(c, "nosuch"), "undeclared key nosuch");
}

TEST(TempDir, IsGoneAfterwardsAndDifferentEachTime) {
  std::filesystem::path where;
  {
    const TempDir a, b;
    EXPECT_NE(a.path(), b.path());
    where = a.path();
    EXPECT_TRUE(std::filesystem::is_directory(where));
  }
  EXPECT_FALSE(std::filesystem::exists(where));
}

}  // namespace
}  // namespace gantry::test
