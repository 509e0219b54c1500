// How far queues are consumed, as a store hears it that is about to drop something.
#include "broker_fixture.hpp"

namespace gantry::test {
namespace {

class ConsumptionTest : public BrokerTest {
 protected:
  const gantry_store_v1 *store_table(const gantry_store_v1 *real) override {
    real_ = real;
    patched_ = *real;
    patched_.open = [](void *self, const gantry_store_open *args, const gantry_recovery_sink *sink, gantry_error *err) noexcept {
      told_ = args->consumption;
      return real_->open(self, args, sink, err);
    };
    return &patched_;
  }
  void TearDown() override {
    BrokerTest::TearDown();
    told_ = nullptr;
  }
  gantry_consumed consumed(const std::string &topic_name, std::uint32_t queue_no = 0) {
    const gantry_queue_name name{str(topic_name), queue_no, 0};
    gantry_consumed out{-1, {}};
    told_->consumed(told_->self, &name, 1, &out);
    return out;
  }
  void commit(const std::string &group_name, gantry_topic of, std::int64_t offset, std::uint32_t queue_no = 0) {
    const gantry_group by = group(group_name);
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->offset_commit(by, of, queue_no, offset, 0, 0), GANTRY_OK); });
  }
  void subscribe(const std::string &group_name, const std::string &topic_name, std::uint32_t model) {
    gantry_subscription subscription{};
    subscription.topic = str(topic_name);
    subscription.expr = str("*");
    gantry_consumer consumer{};
    consumer.group = str(group_name);
    consumer.model = model;
    consumer.subscriptions = &subscription;
    consumer.n_subscriptions = 1;
    gantry_heartbeat hb{};
    hb.size = sizeof hb;
    hb.conn = ++conns_;
    hb.client_id = str("client");
    hb.consumers = &consumer;
    hb.n_consumers = 1;
    gantry_error err{};
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->heartbeat(hb, &err), GANTRY_OK) << err.text; });
  }

  inline static const gantry_store_v1 *real_ = nullptr;
  inline static const gantry_consumption *told_ = nullptr;
  gantry_store_v1 patched_{};
  gantry_conn conns_ = 0;
};

TEST_F(ConsumptionTest, WithoutAGroupNothingIsConsumed) {
  (void)topic("T");
  EXPECT_EQ(consumed("T").offset, 0);
  EXPECT_EQ(consumed("T").group.n, 0u);
}

TEST_F(ConsumptionTest, TheGroupFurthestBehindCounts) {
  const gantry_topic t = topic("T");
  commit("fast", t, 90);
  EXPECT_EQ(consumed("T").offset, 90);
  commit("slow", t, 40);
  EXPECT_EQ(consumed("T").offset, 40);
  EXPECT_EQ(view(consumed("T").group), "slow");
  commit("slow", t, 100);
  EXPECT_EQ(consumed("T").offset, 90);
  EXPECT_EQ(view(consumed("T").group), "fast");
}

TEST_F(ConsumptionTest, AGroupOfTheTopicHasConsumedNothingWhereItCommittedNothing) {
  const gantry_topic t = topic("T");
  commit("readers", t, 40, 1);
  EXPECT_EQ(consumed("T", 1).offset, 40);
  EXPECT_EQ(consumed("T", 0).offset, 0);
  EXPECT_EQ(view(consumed("T", 0).group), "readers");
}

TEST_F(ConsumptionTest, WhoIsSubscribedNowCountsUnlessBroadcasting) {
  const gantry_topic t = topic("T");
  commit("readers", t, 40);
  subscribe("broadcast", "T", GANTRY_MODEL_BROADCASTING);
  EXPECT_EQ(consumed("T").offset, 40);
  subscribe("newcomers", "T", GANTRY_MODEL_CLUSTERING);
  EXPECT_EQ(consumed("T").offset, 0);
  EXPECT_EQ(view(consumed("T").group), "newcomers");
}

TEST_F(ConsumptionTest, ADeletedGroupWantsNothingAnyMoreAlsoWhenItsOffsetsWereKept) {
  const gantry_topic t = topic("T");
  commit("gone", t, 5);
  commit("readers", t, 40);
  gantry_error err{};
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->admin().group_delete("gone", false, 1, done_->id(), &err), GANTRY_OK); });
  EXPECT_EQ(consumed("T").offset, 40);
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->admin().group_delete("readers", true, 2, done_->id(), &err), GANTRY_OK); });
  EXPECT_EQ(consumed("T").offset, 0);
  EXPECT_EQ(consumed("T").group.n, 0u);
}

TEST_F(ConsumptionTest, TopicsOfTheBrokersOwnAndUnknownOnesNeedNobody) {
  EXPECT_EQ(consumed("SCHEDULE_TOPIC_XXXX").offset, INT64_MAX);
  EXPECT_EQ(consumed("never heard of").offset, INT64_MAX);
}

}  // namespace
}  // namespace gantry::test
