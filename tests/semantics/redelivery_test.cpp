#include "semantics_fixture.hpp"

namespace gantry::test {
namespace {

class Redelivery : public SemanticsTest {
 protected:
  gantry_cqe give_back(std::int64_t phys_pos, std::int32_t level, std::int32_t max = -1) {
    gantry_send_back req{};
    req.user_data = ++next_user_data_;
    req.group = group("G");
    req.phys_pos = phys_pos;
    req.delay_level = level;
    req.max_reconsume_times = max;
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->redelivery().send_back(req, done_->id()), GANTRY_OK); });
    return done_->wait_for(req.user_data).value_or(gantry_cqe{});
  }
  static std::int64_t position(const gantry_cqe &sent) { return static_cast<std::int64_t>(sent.aux); }
};

TEST_F(Redelivery, ComesBackAfterItsDelayWithCountAndOrigin) {
  const gantry_cqe sent = produce(topic("T"), "body", "TAGS\x01TagA\x02" "UNIQ_KEY\x01U1");
  ASSERT_EQ(give_back(position(sent), 1).status, GANTRY_OK);
  EXPECT_TRUE(messages("%RETRY%G").empty());
  pass_ms(1000);
  auto again = messages("%RETRY%G");
  ASSERT_EQ(again.size(), 1u);
  const Message &first = *again[0];
  EXPECT_EQ(first.m.body, "body");
  EXPECT_EQ(first.m.reconsume_times, 1u);
  EXPECT_EQ(first.m.born_ms, 1'699'999'999'000);
  EXPECT_EQ(first.property("RETRY_TOPIC"), "T");
  EXPECT_EQ(first.property("TAGS"), "TagA");
  EXPECT_EQ(first.property("UNIQ_KEY"), "U1");
  const std::string id = first.property("ORIGIN_MESSAGE_ID");
  EXPECT_EQ(id.size(), 32u);

  // The second time: origin and first id stay.
  ASSERT_EQ(give_back(first.m.phys_pos, 1).status, GANTRY_OK);
  pass_ms(1000);
  again = messages("%RETRY%G");
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[1]->m.reconsume_times, 2u);
  EXPECT_EQ(again[1]->property("RETRY_TOPIC"), "T");
  EXPECT_EQ(again[1]->property("ORIGIN_MESSAGE_ID"), id);
}

TEST_F(Redelivery, WithoutALevelTheDelayGrows) {
  const gantry_cqe sent = produce(topic("T"), "body");
  ASSERT_EQ(give_back(position(sent), 0).status, GANTRY_OK);
  auto held = messages("SCHEDULE_TOPIC_XXXX", 2);  // level 3
  ASSERT_EQ(held.size(), 1u);
  pass_ms(10'000);
  auto again = messages("%RETRY%G");
  ASSERT_EQ(again.size(), 1u);
  ASSERT_EQ(give_back(again[0]->m.phys_pos, 0).status, GANTRY_OK);
  EXPECT_EQ(messages("SCHEDULE_TOPIC_XXXX", 3).size(), 1u);
}

TEST_F(Redelivery, TooOftenOrANegativeLevelMakesADeadLetter) {
  const gantry_topic t = topic("T");
  ASSERT_EQ(give_back(position(produce(t, "unwanted")), -1).status, GANTRY_OK);
  auto dead = messages("%DLQ%G");
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0]->m.body, "unwanted");
  EXPECT_EQ(dead[0]->property("RETRY_TOPIC"), "T");

  gantry_produce tired = message(t, "tired");
  tired.reconsume_times = 2;
  const gantry_cqe sent = produce(tired);
  ASSERT_EQ(give_back(position(sent), 0, 3).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 1u) << "2 of 3";
  ASSERT_EQ(give_back(position(sent), 0, 2).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 2u) << "2 of 2";
  tired.reconsume_times = 16;
  ASSERT_EQ(give_back(position(produce(tired)), 1).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 3u) << "the group's own limit";
}

TEST_F(Redelivery, ASendToTheRetryTopicIsADeadLetterWhenItWasTooOften) {
  (void)group("G");
  gantry_topic_info info{};
  gantry_error err{};
  host_.on_shard(0, [&] { ASSERT_EQ(broker_->topic_ensure("%RETRY%G", "TBW102", 1, 0, &info, &err), GANTRY_OK); });
  gantry_produce req = message(info.topic, "x");
  req.reconsume_times = 3;
  req.max_reconsume_times = 4;
  EXPECT_EQ(produce(req).status, GANTRY_OK);
  EXPECT_EQ(messages("%RETRY%G").size(), 1u);
  req.max_reconsume_times = 3;
  const std::string_view delay("DELAY\x01" "1");
  req.props = span(delay);
  EXPECT_EQ(produce(req).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 1u) << "at once, whatever delay it asks for";
  req.max_reconsume_times = -1;
  EXPECT_EQ(produce(req).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 1u);
  req.reconsume_times = 16;
  EXPECT_EQ(produce(req).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 2u);
  req.reconsume_times = req.max_reconsume_times = 0;
  EXPECT_EQ(produce(req).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 3u) << "no second attempt: Java's orderly consumers up to 4.9.8 count from 0";
}

TEST_F(Redelivery, RefusalsNameWhatIsMissing) {
  const gantry_cqe nothing = give_back(1'000'000, 1);
  EXPECT_LT(nothing.status, 0);
  EXPECT_EQ(nothing.flags, GANTRY_SUBJECT_BODY);
  gantry_send_back req{};
  req.group = 999;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->redelivery().send_back(req, done_->id()), GANTRY_E_NOT_FOUND); });
  EXPECT_TRUE(messages("%RETRY%G").empty());
}

TEST_F(Redelivery, SettingsOfTheGroupDecide) {
  gantry_group_settings settings{};
  settings.size = sizeof settings;
  settings.flags = GANTRY_GROUP_DEFAULT_FLAGS;
  settings.name = str("G");
  settings.retry_queues = 1;
  settings.retry_max_times = 0;
  gantry_error err{};
  const auto put = [&] { host_.on_shard(0, [&] { EXPECT_EQ(broker_->admin().group_upsert(settings, 0, 0, &err), GANTRY_OK) << err.text; }); };
  put();
  const gantry_topic t = topic("T");
  ASSERT_EQ(give_back(position(produce(t, "once")), 0).status, GANTRY_OK);
  EXPECT_EQ(messages("%DLQ%G").size(), 1u) << "no second delivery";
  settings.retry_queues = 0;
  settings.retry_max_times = 16;
  put();
  ASSERT_EQ(give_back(position(produce(t, "dropped")), 0).status, GANTRY_OK);
  pass_ms(11'000);
  EXPECT_EQ(messages("%DLQ%G").size(), 1u);
  EXPECT_TRUE(messages("%RETRY%G").empty());
}

// A store that takes nothing as long as `busy`, and counts who holds results of look-ups by position.
class RedeliveryToABusyStore : public Redelivery {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    held_ = 0;
    busy_ = false;
    table_ = *real;
    table_.append = [](void *self, std::uint32_t shard, const gantry_append *appends, std::uint32_t n, gantry_cq cq) noexcept -> std::int32_t {
      return busy_ ? 0 : real_->append(self, shard, appends, n, cq);
    };
    table_.read_at = [](void *self, std::uint32_t shard, std::int64_t pos, std::uint64_t user_data, const gantry_read_result **out, gantry_cq cq) noexcept -> std::int32_t {
      const std::int32_t status = real_->read_at(self, shard, pos, user_data, out, cq);
      if (*out != nullptr) const_cast<gantry_read_result *>(*out)->owner = new Counted((*out)->owner);
      return status;
    };
    return &table_;
  }

  struct Counted : gantry_owner {
    explicit Counted(gantry_owner *real) : gantry_owner{nullptr, &let_go, real->bytes}, real_owner(real) { ++held_; }
    static void let_go(gantry_owner *self) noexcept {
      auto *counted = static_cast<Counted *>(self);
      counted->real_owner->release(counted->real_owner);
      delete counted;
      --held_;
    }
    gantry_owner *real_owner;
  };
  static inline const gantry_store_v1 *real_ = nullptr;
  static inline int held_ = 0;
  static inline bool busy_ = false;
  gantry_store_v1 table_{};
};

// The store goes on over the oldest bytes that it keeps in memory, and waits for whoever reads there. Who waits for the store must not be among them.
TEST_F(RedeliveryToABusyStore, NothingOfTheStoreIsHeldMeanwhile) {
  const gantry_cqe sent = produce(topic("T"), "body");
  busy_ = true;
  gantry_send_back req{};
  req.user_data = 77;
  req.group = group("G");
  req.phys_pos = position(sent);
  req.delay_level = 1;
  req.max_reconsume_times = -1;
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->redelivery().send_back(req, done_->id()), GANTRY_OK); });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(held_, 0);
    EXPECT_EQ(done_->times(77), 0u) << "it waits";
    pass_ms(100);
  }
  busy_ = false;
  pass_ms(100);
  ASSERT_TRUE(done_->wait_for(77));
  EXPECT_EQ(done_->wait_for(77)->status, GANTRY_OK);
  EXPECT_EQ(held_, 0);
  pass_ms(1000);
  EXPECT_EQ(messages("%RETRY%G").size(), 1u);
}

}  // namespace
}  // namespace gantry::test
