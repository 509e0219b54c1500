// Messages that wait while retention would drop the log from under them. The in-memory store has no log files, so the test says what is held.
#include "semantics_fixture.hpp"

#include "kernel/semantics/timers.hpp"

#include <algorithm>

namespace gantry::test {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;
constexpr std::int64_t kDayMs = 86'400'000;

class CopyForward : public HoldingTest<semantics::Timers> {
 protected:
  void SetUp() override {
    options_.max_timer_delay_ms = 400 * kDayMs;
    held_begin_ = held_file_end_ = held_end_ = gone_before_ = 0;
    append_status_ = GANTRY_OK;
    without_bytes_ = -1;
    HoldingTest::SetUp();
  }
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    patched_ = *real;
    patched_.stats = [](void *self, gantry_store_stats *out) noexcept {
      real_->stats(self, out);
      out->held_begin_pos = held_begin_;
      out->held_file_end_pos = held_file_end_;
      out->held_end_pos = held_end_;
    };
    patched_.retain_from = [](void *self, std::int64_t phys_pos) noexcept {
      retained_from_ = phys_pos;
      real_->retain_from(self, phys_pos);
    };
    patched_.read_at = [](void *self, std::uint32_t shard, std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **out, gantry_cq cq) noexcept {
      return phys_pos < gone_before_ ? GANTRY_E_NOT_FOUND : real_->read_at(self, shard, phys_pos, user_data, out, cq);
    };
    patched_.read = [](void *self, std::uint32_t shard, const gantry_read *reqs, std::uint32_t n, const gantry_read_result **out, gantry_cq cq) noexcept {
      std::vector<gantry_read> changed(reqs, reqs + n);
      for (gantry_read &req : changed)
        if (req.max_records == 1 && req.offset == without_bytes_) req.flags |= GANTRY_READ_INDEX_ONLY;
      return real_->read(self, shard, changed.data(), n, out, cq);
    };
    patched_.append = [](void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept {
      return append_status_ != GANTRY_OK ? append_status_ : real_->append(self, shard, reqs, n, cq);
    };
    return &patched_;
  }

  // Due so long after the beginning. Returns where it is stored.
  std::int64_t timed(const std::string &key, std::int64_t after_ms, std::size_t bytes = 100) {
    return static_cast<std::int64_t>(produce(topic("T"), key + std::string(bytes, '.'), "TIMER_DELIVER_MS\1" + std::to_string(kStart + after_ms) + "\2UNIQ_KEY\1" + key + "\2TAGS\1tag").aux);
  }
  // So many bytes of messages that do not wait; the log is over up to there.
  std::int64_t traffic(std::size_t bytes) {
    for (std::size_t done = 0; done < bytes; done += 1000) (void)produce(topic("U"), std::string(1000, 'u'));
    return static_cast<std::int64_t>(produce(topic("U"), "end").aux);
  }
  // What retention would drop, in one file unless told.
  void over(std::int64_t begin, std::int64_t end, std::int64_t file_end = -1) {
    held_begin_ = begin;
    held_end_ = end;
    held_file_end_ = file_end < 0 ? end : file_end;
  }
  std::int32_t recall(std::int64_t phys_pos, const std::string &key) {
    gantry_recall req{};
    const std::string name = "T";
    req.user_data = ++next_user_data_;
    req.topic = str(name);
    req.uniq_key = str(key);
    req.phys_pos = phys_pos;
    host_.on_shard(0, [&] { EXPECT_EQ(part_->recall(req, done_->id()), GANTRY_OK); });
    return done_->wait_for(req.user_data).value_or(gantry_cqe{0, 0, 0, 1, 0}).status;
  }
  std::uint64_t copied() { return host_.metric("timers_copied_forward_total"); }
  // Without the checkpoint: what the log alone says.
  void restart() {
    stop();
    part_ = start();
    pass_ms(100);
  }
  std::vector<std::string> keys() {
    std::vector<std::string> out;
    for (const auto &got : messages("T")) out.push_back(got->property("UNIQ_KEY"));
    return out;
  }
  using Keys = std::vector<std::string>;

  static inline const gantry_store_v1 *real_ = nullptr;
  static inline gantry_store_v1 patched_{};
  static inline std::int64_t held_begin_ = 0, held_file_end_ = 0, held_end_ = 0, retained_from_ = 0, gone_before_ = 0;
  static inline std::int32_t append_status_ = GANTRY_OK;
  static inline std::int64_t without_bytes_ = -1;  // the record at this queue offset is no message
};

TEST_F(CopyForward, WhatWaitsMovesOnAndIsDeliveredOnceAtItsTime) {
  const std::int64_t pos = timed("year", 365 * kDayMs);
  const std::int64_t end = traffic(10'000);
  pass_ms(3000);
  EXPECT_LE(retained_from_, pos);
  EXPECT_EQ(copied(), 0u) << "nothing is over";
  over(0, end);
  pass_ms(3000);
  EXPECT_EQ(copied(), 1u);
  EXPECT_EQ(waiting(), 1);
  EXPECT_GE(retained_from_, end);
  pass_ms(3000);
  EXPECT_EQ(copied(), 1u) << "once is enough";
  const auto held = messages("rmq_sys_wheel_timer");
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0]->m.body, held[1]->m.body);
  EXPECT_EQ(held[1]->m.born_ms, held[0]->m.born_ms);
  host_.advance_ms(kStart + 365 * kDayMs - 1 - broker_->core().now_ms());
  turns();
  EXPECT_TRUE(bodies().empty()) << "not a millisecond early";
  pass_ms(5000);
  const auto got = messages("T");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->m.body, "year" + std::string(100, '.'));
  EXPECT_EQ(got[0]->property("UNIQ_KEY"), "year");
  EXPECT_EQ(got[0]->property("TAGS"), "tag");
  EXPECT_EQ(got[0]->property("TIMER_ENQUEUE_MS"), std::to_string(kStart)) << "when it came first";
  EXPECT_EQ(got[0]->property("TIMER_DEQUEUE_MS"), std::to_string(got[0]->m.store_ms));
  EXPECT_EQ(got[0]->m.prepared_pos, 0);
  EXPECT_GE(got[0]->m.store_ms, kStart + 365 * kDayMs);
  EXPECT_LE(got[0]->m.store_ms, kStart + 365 * kDayMs + 100);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(CopyForward, AsOftenAsNeeded) {
  const std::int64_t pos = timed("year", 365 * kDayMs);
  std::int64_t begin = 0;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const std::int64_t end = traffic(10'000);
    over(begin, end);
    begin = end;
    pass_ms(3000);
    EXPECT_EQ(copied(), i);
    EXPECT_GE(retained_from_, end) << "the log is bounded";
  }
  gone_before_ = begin;
  EXPECT_EQ(recall(pos, "other"), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(recall(pos + 1, "year"), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(recall(pos, "year"), GANTRY_OK) << "by the handle of the first";
  EXPECT_EQ(recall(pos, "year"), GANTRY_OK) << "twice is once";
  EXPECT_EQ(waiting(), 0);
  host_.advance_ms(366 * kDayMs);
  pass_ms(3000);
  EXPECT_TRUE(bodies().empty());
}

TEST_F(CopyForward, ARecallComesTooLateAfterTheDeliveryOfACopy) {
  const std::int64_t pos = timed("day", kDayMs);
  over(0, traffic(10'000));
  pass_ms(3000);
  ASSERT_EQ(copied(), 1u);
  host_.advance_ms(kDayMs);
  pass_ms(1000);
  ASSERT_EQ(keys(), Keys{"day"});
  EXPECT_EQ(recall(pos, "day"), GANTRY_E_STALE);
  gone_before_ = held_end_;
  EXPECT_EQ(recall(pos, "day"), GANTRY_E_STALE);
}

TEST_F(CopyForward, ARecallAtAnyMomentOfTheCopyTakesBack) {
  for (int moment = 0; moment < 40; ++moment) {
    const std::string key = "k" + std::to_string(moment);
    const std::int64_t begin = static_cast<std::int64_t>(produce(topic("U"), "begin").aux);
    const std::int64_t pos = timed(key, kDayMs);
    pass_ms(1000);
    over(begin, traffic(5000));
    for (int i = 0; i < moment; ++i) {
      host_.advance_ms(moment < 20 ? 100 : 50);
      host_.turn();
    }
    EXPECT_EQ(recall(pos, key), GANTRY_OK) << moment;
    pass_ms(2500);
    EXPECT_EQ(waiting(), 0) << moment;
  }
  EXPECT_GT(copied(), 0u);
  EXPECT_LT(copied(), 40u);
  host_.advance_ms(2 * kDayMs);
  pass_ms(1000);
  EXPECT_TRUE(bodies().empty());
}

TEST_F(CopyForward, ARestartFindsItOnceAndTheHandleStillCounts) {
  const std::int64_t kept = timed("kept", kDayMs), back = timed("back", kDayMs);
  over(0, traffic(10'000));
  pass_ms(3000);
  ASSERT_EQ(copied(), 2u);
  gone_before_ = held_end_;
  restart();
  EXPECT_EQ(waiting(), 2);
  EXPECT_EQ(recall(back, "back"), GANTRY_OK);
  restart();
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(recall(back, "back"), GANTRY_OK);
  host_.advance_ms(kDayMs);
  pass_ms(3000);
  EXPECT_EQ(keys(), Keys{"kept"});
  EXPECT_EQ(recall(kept, "kept"), GANTRY_E_STALE);
}

TEST_F(CopyForward, NotWhenWhatWaitsIsMoreThanHalf) {
  for (int i = 0; i < 20; ++i) (void)timed("a" + std::to_string(i), kDayMs, 1000);
  over(0, traffic(10'000));
  pass_ms(5000);
  EXPECT_EQ(copied(), 0u);
  EXPECT_EQ(retained_from_, 0);
  over(0, traffic(40'000));
  pass_ms(65'000);
  EXPECT_EQ(copied(), 20u) << "now it pays";
  EXPECT_GE(retained_from_, held_end_);
}

TEST_F(CopyForward, TheOldestFileAloneWhenAllTogetherDoesNotPay) {
  (void)timed("sparse", kDayMs);
  const std::int64_t file_end = traffic(10'000);
  for (int i = 0; i < 40; ++i) (void)timed("dense" + std::to_string(i), kDayMs, 1000);
  over(0, traffic(10'000), file_end);
  pass_ms(5000);
  EXPECT_EQ(copied(), 1u);
  EXPECT_GE(retained_from_, file_end);
  EXPECT_LT(retained_from_, held_end_);
}

TEST_F(CopyForward, NotWhileSomebodyElseHoldsTheFile) {
  const std::size_t other = broker_->retention_hold().add();
  (void)timed("day", kDayMs);
  over(0, traffic(10'000));
  pass_ms(5000);
  EXPECT_EQ(copied(), 0u);
  broker_->retention_hold().set(other, INT64_MAX);
  pass_ms(3000);
  EXPECT_EQ(copied(), 1u);
}

TEST_F(CopyForward, WhatIsDueSoonIsLeftToItsDelivery) {
  (void)timed("soon", 4000);
  (void)timed("later", kDayMs);
  over(0, traffic(10'000));
  pass_ms(3000);
  EXPECT_EQ(copied(), 1u);
  pass_ms(3000);
  EXPECT_EQ(keys(), Keys{"soon"});
  EXPECT_GE(retained_from_, held_end_);
}

TEST_F(CopyForward, ARefusalLeavesItWhereItIs) {
  const std::int64_t pos = timed("a", 20'000), back = timed("b", 20'000);
  over(0, traffic(10'000));
  append_status_ = GANTRY_E_NO_SPACE;
  pass_ms(5000);
  EXPECT_EQ(copied(), 0u);
  EXPECT_TRUE(host_.logged("does not take what is copied forward"));
  EXPECT_EQ(waiting(), 2);
  EXPECT_LE(retained_from_, pos);
  append_status_ = GANTRY_OK;
  EXPECT_EQ(recall(back, "b"), GANTRY_OK);
  held_end_ = held_file_end_ = held_begin_ = 0;
  pass_ms(20'000);
  EXPECT_EQ(keys(), Keys{"a"}) << "it is due all the same";
}

TEST_F(CopyForward, WhatCanNeverBeDeliveredDoesNotHoldTheLog) {
  (void)timed("damaged", kDayMs);
  (void)timed("whole", kDayMs);
  without_bytes_ = 0;
  over(0, traffic(10'000));
  pass_ms(5000);
  EXPECT_EQ(copied(), 1u);
  EXPECT_EQ(waiting(), 1);
  EXPECT_TRUE(host_.logged("queue offset 0 of rmq_sys_wheel_timer is no message of format 1"));
  EXPECT_EQ(host_.metric("timers_undeliverable_total"), 1u);
  EXPECT_GE(retained_from_, held_end_);
  host_.advance_ms(kDayMs);
  pass_ms(1000);
  EXPECT_EQ(keys(), Keys{"whole"});
}

TEST_F(CopyForward, MuchIsCopiedInSlices) {
  constexpr int kCount = 3000;
  stop();
  part_ = start({.near_max = 500, .horizon_ms = 1000, .load_ahead_ms = 100});
  for (int i = 0; i < kCount; ++i) (void)timed(std::to_string(i), 3'600'000 + i % 7, 10);
  over(0, traffic(3'000'000));
  std::uint64_t before = 0;
  for (int i = 0; i < 6000 && copied() < kCount; ++i) {
    host_.advance_ms(10);
    host_.turn();
    EXPECT_LE(copied() - before, 16u);
    before = copied();
  }
  EXPECT_EQ(copied(), static_cast<std::uint64_t>(kCount));
  pass_ms(3000);
  EXPECT_GE(retained_from_, held_end_);
  held_begin_ = held_end_ = held_file_end_ = 0;
  host_.advance_ms(3'600'000);
  for (int i = 0; i < 400; ++i) {
    host_.advance_ms(50);
    turns();
  }
  gantry_queue_stat stat{};
  (void)real_->queue_stat(broker_->core().store.self, broker_->core().topics.find("T")->queues[0].store_queue.load(), &stat);
  EXPECT_EQ(stat.max_off, kCount) << "each once";
  EXPECT_EQ(waiting(), 0);
}

}  // namespace
}  // namespace gantry::test
