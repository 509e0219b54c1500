#include "semantics_fixture.hpp"

#include "kernel/semantics/timers.hpp"

#include <map>
#include <set>

namespace gantry::test {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

class Timers : public HoldingTest<semantics::Timers> {
 protected:
  gantry_cqe timed(const std::string &body, const std::string &property, std::int64_t value, std::int32_t queue_no = 0) {
    return produce(topic("T"), body, property + '\1' + std::to_string(value) + "\2UNIQ_KEY\1" + body, queue_no);
  }
  gantry_cqe recall(std::int64_t phys_pos, const std::string &topic, const std::string &key) {
    gantry_recall req{};
    req.user_data = ++next_user_data_;
    req.topic = str(topic);
    req.uniq_key = str(key);
    req.phys_pos = phys_pos;
    host_.on_shard(0, [&] { EXPECT_EQ(part_->recall(req, done_->id()), GANTRY_OK); });
    return done_->wait_for(req.user_data).value_or(gantry_cqe{0, 0, 0, 1, 0});
  }
  static std::int64_t position(const gantry_cqe &sent) { return static_cast<std::int64_t>(sent.aux); }
};

TEST_F(Timers, EachPropertyMeansItsTime) {
  EXPECT_EQ(timed("at", "TIMER_DELIVER_MS", kStart + 4000, 2).flags, 2u | GANTRY_PRODUCED_TIMED);
  EXPECT_EQ(timed("seconds", "TIMER_DELAY_SEC", 3).status, GANTRY_OK);
  EXPECT_EQ(timed("milliseconds", "TIMER_DELAY_MS", 2500).status, GANTRY_OK);
  EXPECT_EQ(timed("cloud", "__STARTDELIVERTIME", kStart + 1500).status, GANTRY_OK);
  gantry_produce req = message(topic("T"), "field");
  req.deliver_at_ms = kStart + 500;
  EXPECT_EQ(produce(req).flags, GANTRY_PRODUCED_TIMED);
  EXPECT_TRUE(bodies().empty());
  using Bodies = std::vector<std::string>;
  pass_ms(450);
  EXPECT_TRUE(bodies().empty());
  pass_ms(100);
  EXPECT_EQ(bodies(), (Bodies{"field"}));
  pass_ms(1000);
  EXPECT_EQ(bodies(), (Bodies{"field", "cloud"}));
  pass_ms(1000);
  EXPECT_EQ(bodies(), (Bodies{"field", "cloud", "milliseconds"}));
  pass_ms(500);
  EXPECT_EQ(bodies(), (Bodies{"field", "cloud", "milliseconds", "seconds"}));
  pass_ms(1000);
  EXPECT_EQ(bodies("T", 2), (Bodies{"at"}));
  pass_ms(10'000);
  EXPECT_EQ(bodies().size() + bodies("T", 2).size(), 5u) << "each once";
  const auto got = messages("T", 2);
  EXPECT_EQ(got[0]->m.store_ms, kStart + 4000);
  EXPECT_EQ(got[0]->m.born_ms, 1'699'999'999'000);
  EXPECT_EQ(got[0]->m.topic, "T");
  EXPECT_EQ(got[0]->m.queue_no, 2u);
  EXPECT_EQ(got[0]->property("UNIQ_KEY"), "at");
  EXPECT_EQ(got[0]->property("TIMER_ENQUEUE_MS"), std::to_string(kStart));
  EXPECT_EQ(got[0]->property("TIMER_DEQUEUE_MS"), std::to_string(kStart + 4000));
}

TEST_F(Timers, ToTheMillisecond) {
  (void)timed("x", "TIMER_DELAY_MS", 777);
  host_.advance_ms(776);
  turns();
  EXPECT_TRUE(bodies().empty());
  host_.advance_ms(1);
  turns();
  EXPECT_EQ(bodies().size(), 1u);
}

TEST_F(Timers, WhatIsPastOrWasDeliveredBeforeComesAtOnce) {
  EXPECT_EQ(timed("past", "TIMER_DELIVER_MS", kStart - 1).flags, 0u);
  EXPECT_EQ(timed("zero", "TIMER_DELAY_MS", 0).flags, 0u);
  EXPECT_EQ(timed("negative", "TIMER_DELAY_SEC", -5).flags, 0u);
  EXPECT_EQ(produce(topic("T"), "again", "TIMER_DELAY_SEC\x01" "5\x02TIMER_OUT_MS\x01" "1\x02").flags, 0u);
  EXPECT_EQ(bodies().size(), 4u);
}

TEST_F(Timers, TheHighestPropertyCountsAndALevelBeforeAll) {
  (void)produce(topic("T"), "a", "TIMER_DELIVER_MS\x01" "1800000000000\x02TIMER_DELAY_SEC\x01" "2\x02TIMER_DELAY_MS\x01" "90000");
  (void)produce(topic("T"), "b", "DELAY\x01" "1\x02TIMER_DELAY_SEC\x01" "90");
  pass_ms(1000);
  EXPECT_EQ(bodies(), std::vector<std::string>{"b"});
  pass_ms(1000);
  EXPECT_EQ(bodies(), (std::vector<std::string>{"b", "a"}));
}

TEST_F(Timers, Refusals) {
  const auto refused = [&](const std::string &property, const std::string &value, std::int32_t status) {
    const gantry_cqe cqe = produce(topic("T"), "x", property + '\1' + value);
    EXPECT_EQ(cqe.status, status) << property << " " << value;
    EXPECT_EQ(cqe.flags, GANTRY_SUBJECT_PROPERTIES);
  };
  refused("TIMER_DELIVER_MS", "tomorrow", GANTRY_E_INVALID);
  refused("TIMER_DELAY_MS", "", GANTRY_E_INVALID);
  refused("TIMER_DELIVER_MS", std::to_string(kStart + options_.max_timer_delay_ms + 1), GANTRY_E_RANGE);
  refused("TIMER_DELAY_SEC", "9223372036854775807", GANTRY_E_RANGE);
  refused("TIMER_DELIVER_MS", "9223372036854775807", GANTRY_E_RANGE);
  refused("TIMER_DELAY_SEC", "1\x02TIMER_DEL_UNIQKEY\x01u", GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(timed("limit", "TIMER_DELAY_MS", options_.max_timer_delay_ms).status, GANTRY_OK);
  EXPECT_TRUE(bodies().empty());
}

TEST_F(Timers, ARecalledMessageIsNotDelivered) {
  const gantry_cqe kept = timed("kept", "TIMER_DELAY_MS", 2000);
  const gantry_cqe back = timed("back", "TIMER_DELAY_MS", 1000);
  EXPECT_EQ(recall(position(back), "T", "back").status, GANTRY_OK);
  EXPECT_EQ(recall(position(back), "T", "back").status, GANTRY_OK) << "twice is once";
  pass_ms(3000);
  EXPECT_EQ(bodies(), std::vector<std::string>{"kept"});
  EXPECT_EQ(recall(position(kept), "T", "kept").status, GANTRY_E_STALE) << "it is delivered";
  EXPECT_EQ(waiting(), 0);
}

TEST_F(Timers, Gauges) {
  const gantry_cqe back = timed("back", "TIMER_DELAY_MS", 1000);
  for (int i = 0; i < 300; ++i) (void)timed("a" + std::to_string(i), "TIMER_DELAY_MS", 1000);
  pass_ms(100);
  EXPECT_EQ(host_.metric("timers_waiting"), 301u);
  EXPECT_EQ(host_.metric("timers_lag_ms"), 0u);
  EXPECT_EQ(recall(position(back), "T", "back").status, GANTRY_OK);
  host_.advance_ms(3000);  // as if the broker had been away meanwhile
  host_.turn();
  EXPECT_GE(host_.metric("timers_lag_ms"), 2000u);
  pass_ms(1000);
  EXPECT_EQ(host_.metric("timers_waiting"), 0u);
  EXPECT_EQ(host_.metric("timers_lag_ms"), 0u) << "nothing is late any more";
  EXPECT_EQ(host_.metric("timers_delivered_total"), 300u);
  EXPECT_EQ(host_.metric("timers_recalled_total"), 1u);
  EXPECT_EQ(host_.metric("timers_undeliverable_total"), 0u);
}

// Live traffic has its turns however much is due.
TEST_F(Timers, ATurnDeliversASliceOfWhatIsDue) {
  for (int i = 0; i < 500; ++i) (void)produce(topic("T"), std::to_string(i), "TIMER_DELAY_MS\x01" "1000", 0);
  pass_ms(500);
  host_.advance_ms(500);
  std::uint64_t before = host_.metric("timers_delivered_total");
  for (int turn = 0; before < 500; ++turn) {
    ASSERT_LT(turn, 1000);
    host_.advance_ms(1);
    host_.turn();
    const std::uint64_t now = host_.metric("timers_delivered_total");
    EXPECT_LE(now - before, 64u);
    before = now;
  }
}

TEST_F(Timers, RecallsThatMeanNothing) {
  const gantry_cqe sent = timed("x", "TIMER_DELAY_MS", 1000);
  const gantry_cqe plain = produce(topic("T"), "plain", "UNIQ_KEY\x01plain");
  EXPECT_EQ(recall(position(sent), "T", "y").status, GANTRY_E_NOT_FOUND) << "another id";
  EXPECT_EQ(recall(position(sent), "U", "x").status, GANTRY_E_NOT_FOUND) << "another topic";
  EXPECT_EQ(recall(position(plain), "T", "plain").status, GANTRY_E_NOT_FOUND) << "it never waited";
  EXPECT_EQ(recall(1'000'000'000, "T", "x").status, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(recall(-1, "T", "x").status, GANTRY_E_NOT_FOUND);
  pass_ms(1000);
  EXPECT_EQ(bodies().size(), 2u);
}

// What is delivered, recalled and waiting is known from the log alone, and from a checkpoint with what came after it.
TEST_F(Timers, ANewOneGoesOnWhereTheLastOneStopped) {
  for (int i = 0; i < 20; ++i) (void)timed("a" + std::to_string(i), "TIMER_DELAY_MS", 1000 + (i * 7) % 20);
  const gantry_cqe back = timed("back", "TIMER_DELAY_MS", 5000);
  (void)timed("late", "TIMER_DELAY_MS", 5000);
  pass_ms(1000 + 10);
  const std::size_t before = bodies().size();
  EXPECT_GT(before, 0u);
  EXPECT_LT(before, 20u);
  EXPECT_EQ(recall(position(back), "T", "back").status, GANTRY_OK);
  turns();
  stop();
  pass_ms(100);
  EXPECT_EQ(bodies().size(), before) << "nobody delivers now";
  part_ = start();
  pass_ms(500);
  EXPECT_EQ(bodies().size(), 20u);
  pass_ms(5000);
  EXPECT_EQ(bodies().size(), 21u);
  EXPECT_EQ(bodies().back(), "late");
}

TEST_F(Timers, ATopicThatIsGoneCostsAnErrorAndNothingElse) {
  gantry_produce req = message(topic("T", 8), "x", "TIMER_DELAY_MS\x01" "100", 7);
  ASSERT_EQ(produce(req).status, GANTRY_OK);
  // A second one for a topic that does not exist.
  const auto held = messages("rmq_sys_wheel_timer");
  ASSERT_EQ(held.size(), 1u);
  broker::RelayItem item;
  item.message = &held[0]->m;
  item.topic = broker_->core().timer_topic;
  item.props = "REAL_TOPIC\1gone\2REAL_QID\1" "0\2";
  item.tag = kStart + 200;
  item.store_ms = kStart;
  item.done = [](void *, std::uint64_t, const gantry_cqe &) {};
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->relay().store(item), GANTRY_OK); });
  pass_ms(1000);
  EXPECT_EQ(bodies("T", 7).size(), 1u);
  EXPECT_TRUE(host_.logged("'gone', which does not exist"));
  EXPECT_EQ(host_.metric("timers_undeliverable_total"), 1u);
  EXPECT_EQ(waiting(), 0) << "it is not tried for ever";
}

TEST_F(Timers, ManyAtOnceWithASmallHeapComeEachOnce) {
  stop();
  part_ = start({.near_max = 100, .horizon_ms = 500, .load_ahead_ms = 50});
  const gantry_topic t = topic("T", 1);
  constexpr int kCount = 3000;
  for (int i = 0; i < kCount; ++i) (void)produce(t, std::to_string(i), "TIMER_DELAY_MS\x01" + std::to_string(1000 + i * 37 % 2000));
  pass_ms(5000);
  std::set<std::string> seen;
  std::int64_t offset = 0;
  while (offset < kCount) {
    const Fetched got = fetch(pull(t, group("g"), offset));
    if (got.records.empty()) break;
    for (const std::string &record : got.records) {
      broker::StoredMessage m;
      ASSERT_TRUE(broker::parse_record(record, &m));
      EXPECT_TRUE(seen.insert(std::string(m.body)).second) << m.body;
    }
    offset = got.next_off;
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kCount));
  pass_ms(1000);
  EXPECT_EQ(fetch(pull(t, group("g"), offset)).records.size(), 0u);
  EXPECT_LE(part_->queue().set().near_count(), 100u);
}

class TimersAYearAhead : public Timers {
 protected:
  static constexpr std::int64_t kDayMs = 86'400'000;
  void SetUp() override {
    options_.max_timer_delay_ms = 366 * kDayMs;
    Timers::SetUp();
  }
};

TEST_F(TimersAYearAhead, NotAMillisecondEarly) {
  EXPECT_EQ(timed("year", "TIMER_DELIVER_MS", kStart + 365 * kDayMs).status, GANTRY_OK);
  EXPECT_EQ(timed("later", "TIMER_DELIVER_MS", kStart + 366 * kDayMs + 1).status, GANTRY_E_RANGE);
  host_.advance_ms(365 * kDayMs - 1);
  turns();
  EXPECT_TRUE(bodies().empty());
  pass_ms(1000);
  EXPECT_EQ(bodies(), std::vector<std::string>{"year"});
}

// The store keeps its rows in memory only, so the test hands them on; and it watches from where the op queue is read.
class TimersCheckpoint : public Timers {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    rows_.clear();
    patched_ = *real;
    patched_.meta_write = [](void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
      for (std::uint32_t i = 0; i < n; ++i) {
        if (ops[i].op == GANTRY_META_PUT)
          rows_[std::string(view(ops[i].key))] = view(ops[i].value);
        else
          rows_.erase(std::string(view(ops[i].key)));
      }
      return real_->meta_write(self, ops, n, durability, user_data, cq);
    };
    patched_.read = [](void *self, std::uint32_t shard, const gantry_read *reqs, std::uint32_t n, const gantry_read_result **out, gantry_cq cq) noexcept {
      for (std::uint32_t i = 0; i < n; ++i)
        if ((reqs[i].flags & GANTRY_READ_INDEX_ONLY) != 0) lowest_read_[reqs[i].queue] = std::min(lowest_read_.try_emplace(reqs[i].queue, INT64_MAX).first->second, reqs[i].offset);
      return real_->read(self, shard, reqs, n, out, cq);
    };
    patched_.retain_from = [](void *self, std::int64_t phys_pos) noexcept {
      retained_from_ = phys_pos;
      return real_->retain_from(self, phys_pos);
    };
    return &patched_;
  }
  static gantry_queue queue_of(const broker::Topic &topic) { return topic.queues[0].store_queue.load(); }
  void restart() {
    stop();
    broker_->core().restored_rows.clear();
    for (const auto &[key, value] : rows_)
      if (key.starts_with("held/")) broker_->core().restored_rows.emplace(key, value);
    lowest_read_.clear();
    part_ = start();
  }

  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::map<std::string, std::string> rows_;
  static inline std::int64_t retained_from_ = 0;
  static inline std::map<gantry_queue, std::int64_t> lowest_read_;  // by queue, of reads of the index
};

TEST_F(TimersCheckpoint, AStartReadsOnlyWhatCameAfterIt) {
  (void)timed("first", "TIMER_DELAY_MS", 90'000);
  for (int i = 0; i < 100; ++i) (void)timed("a" + std::to_string(i), "TIMER_DELAY_MS", 1000);
  pass_ms(2000);
  ASSERT_EQ(bodies().size(), 32u) << "of 100, in one fetch";
  restart();
  ASSERT_TRUE(rows_.contains("held/rmq_sys_wheel_timer/0"));
  ASSERT_TRUE(rows_.contains("held/rmq_sys_wheel_timer/0/0000000000000000"));
  EXPECT_TRUE(broker_->core().restored_rows.empty()) << "taken";
  EXPECT_FALSE(lowest_read_.contains(queue_of(*broker_->core().timer_op_topic))) << "all of it is in the checkpoint";
  EXPECT_EQ(lowest_read_[queue_of(*broker_->core().timer_topic)], 0) << "the first one waits still";
  EXPECT_EQ(waiting(), 1);

  (void)timed("second", "TIMER_DELAY_MS", 1000);
  pass_ms(100'000);
  EXPECT_EQ(waiting(), 0);
  gantry_queue_stat stat{};
  (void)broker_->core().store.table->queue_stat(broker_->core().store.self, queue_of(*broker_->core().topics.find("T")), &stat);
  EXPECT_EQ(stat.max_off, 102) << "each once";
  restart();
  EXPECT_FALSE(lowest_read_.contains(queue_of(*broker_->core().timer_topic))) << "nothing waits below its end";
}

TEST_F(TimersCheckpoint, IsWrittenWhileTheBrokerRuns) {
  (void)timed("stays", "TIMER_DELAY_MS", 200'000);
  for (int i = 0; i < 3; ++i) (void)timed("a" + std::to_string(i), "TIMER_DELAY_MS", 1000);
  pass_ms(2000);
  EXPECT_FALSE(rows_.contains("held/rmq_sys_wheel_timer/0"));
  pass_ms(60'000);
  EXPECT_TRUE(rows_.contains("held/rmq_sys_wheel_timer/0"));
}

TEST_F(TimersCheckpoint, TheLogIsHeldForWhatWaitsAndLetGoAfterIt) {
  (void)produce(topic("T"), "before");
  const gantry_cqe first = timed("first", "TIMER_DELAY_MS", 100'000);
  const gantry_cqe second = timed("second", "TIMER_DELAY_MS", 300'000);
  pass_ms(1000);
  EXPECT_LE(retained_from_, position(first));
  pass_ms(99'000);
  ASSERT_EQ(bodies(), (std::vector<std::string>{"before", "first"}));
  EXPECT_LE(retained_from_, position(second));
  pass_ms(70'000);
  EXPECT_LE(retained_from_, position(second)) << "a checkpoint later the second one waits still";
  pass_ms(130'000);
  ASSERT_EQ(bodies().size(), 3u);
  pass_ms(70'000);
  EXPECT_GT(retained_from_, position(second)) << "delivered, and in the checkpoint";
}

TEST_F(TimersCheckpoint, DamagedRowsStopTheStart) {
  stop();
  for (const auto &[key, value] : {std::pair{"held/rmq_sys_wheel_timer/0", "\2"}, {"held/rmq_sys_wheel_timer/0/0000000000000000", "short"}, {"held/rmq_sys_wheel_timer/0/zz", ""}}) {
    broker_->core().restored_rows = {{key, value}};
    semantics::Timers refused(broker_->core(), broker_->relay(), broker_->retention_hold());
    const auto started = refused.start();
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().text.find(key), std::string::npos) << started.error().text;
  }
  broker_->core().restored_rows.clear();
  part_ = start();
}

}  // namespace
}  // namespace gantry::test
