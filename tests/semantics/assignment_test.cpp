#include "../broker/broker_fixture.hpp"

#include "kernel/semantics/assignment.hpp"

namespace gantry::test {
namespace {

using semantics::Allocator;

// Gives every queue to the last consumer, or answers as told.
struct LastTakesAll {
  std::int32_t status = GANTRY_OK;
  std::uint32_t owner = UINT32_MAX;  // UINT32_MAX: the last
  std::vector<std::uint32_t> previous;

  static std::int32_t assign(void *self, const gantry_alloc_input *in, std::uint32_t *out, gantry_error *) noexcept {
    auto &me = *static_cast<LastTakesAll *>(self);
    me.previous.clear();
    for (std::uint32_t q = 0; q < in->n_queues; ++q) {
      me.previous.push_back(in->queues[q].previous);
      out[q] = me.owner == UINT32_MAX ? in->n_consumers - 1 : me.owner;
    }
    return me.status;
  }
};
constexpr gantry_allocator_v1 kLastTakesAll = {LastTakesAll::assign};

class AssignmentTest : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    (void)topic("T", 4);
    assignment_ = std::make_unique<semantics::Assignment>(*broker_, std::vector<Allocator>{{"last_takes_all", &kLastTakesAll, &last_}});
    assignment_->start();
  }
  void join(const std::string &client_id) {
    gantry_consumer consumer{};
    consumer.group = str("G");
    gantry_heartbeat hb{};
    hb.size = sizeof hb;
    hb.conn = ++conn_;
    hb.client_id = str(client_id);
    hb.consumers = &consumer;
    hb.n_consumers = 1;
    gantry_error err{};
    consumer.model = GANTRY_MODEL_CLUSTERING;
    host_.on_shard(0, [&] { ASSERT_EQ(broker_->heartbeat(hb, &err), GANTRY_OK) << err.text; });
  }
  std::vector<std::int32_t> assigned(const std::string &client_id, const char *strategy = "AVG", bool broadcasting = false, const char *topic = "T") {
    gantry_assign req{};
    req.topic = str(topic);
    req.group = str("G");
    req.client_id = str(client_id);
    req.strategy = str(strategy);
    req.broadcasting = broadcasting ? 1 : 0;
    req.brokers = others_.data();
    req.n_brokers = static_cast<std::uint32_t>(others_.size());
    named_.clear();
    gantry_error err{};
    const gantry_assigned_fn add = [](void *list, gantry_str broker, std::int32_t q) noexcept {
      static_cast<Named *>(list)->emplace_back(std::string(broker.p, broker.n), q);
    };
    host_.on_shard(0, [&] { status_ = assignment_->assign(req, &mode_, add, &named_, &err); });
    subject_ = static_cast<std::uint32_t>(err.detail);
    std::vector<std::int32_t> queues;
    for (const auto &[broker, queue_no] : named_) queues.push_back(queue_no);
    return queues;
  }
  void set_mode(std::uint32_t mode, std::int32_t share) {
    const gantry_request_mode wanted{mode, share};
    host_.on_shard(0, [&] { ASSERT_EQ(assignment_->set_request_mode("T", "G", wanted), GANTRY_OK); });
  }

  using Named = std::vector<std::pair<std::string, std::int32_t>>;

  LastTakesAll last_;
  std::unique_ptr<semantics::Assignment> assignment_;
  std::vector<gantry_broker_queues> others_;
  Named named_;  // what was assigned last
  gantry_request_mode mode_{};
  std::int32_t status_ = 0;
  std::uint32_t subject_ = 0;
  gantry_conn conn_ = 0;
};

using Queues = std::vector<std::int32_t>;

TEST_F(AssignmentTest, DividesByTheStrategyThatIsNamed) {
  join("a");
  join("b");
  EXPECT_EQ(assigned("a"), (Queues{0, 1}));
  EXPECT_EQ(assigned("b"), (Queues{2, 3}));
  EXPECT_EQ(mode_.mode, GANTRY_MODE_PULL);
  EXPECT_EQ(assigned("a", "LAST_TAKES_ALL"), Queues{});
  EXPECT_EQ(assigned("b", "LAST_TAKES_ALL"), (Queues{0, 1, 2, 3}));
  EXPECT_EQ(assigned("b", "AVG", true), (Queues{0, 1, 2, 3})) << "broadcasting";
}

TEST_F(AssignmentTest, TellsTheAllocatorWhoHadAQueue) {
  join("b");
  (void)assigned("b");
  join("a");
  (void)assigned("a", "LAST_TAKES_ALL");
  EXPECT_EQ(last_.previous, (std::vector<std::uint32_t>{1, 1, 1, 1})) << "b stands behind a now";
}

TEST_F(AssignmentTest, AnAllocatorThatFailsIsReplacedByTheAverage) {
  join("a");
  join("b");
  last_.status = GANTRY_E_INTERNAL;
  EXPECT_EQ(assigned("a", "LAST_TAKES_ALL"), (Queues{0, 1}));
  last_.status = GANTRY_OK;
  last_.owner = 2;
  EXPECT_EQ(assigned("b", "LAST_TAKES_ALL"), (Queues{2, 3})) << "there are only two";
  last_.owner = GANTRY_NO_CONSUMER - 1;
  EXPECT_EQ(assigned("b", "LAST_TAKES_ALL"), (Queues{2, 3}));
}

TEST_F(AssignmentTest, InPopModeMembersShareQueues) {
  set_mode(GANTRY_MODE_POP, -1);
  for (const char *id : {"a", "b", "c", "d"}) join(id);
  EXPECT_EQ(assigned("a"), Queues{-1}) << "all of them pop everywhere";
  EXPECT_EQ(mode_.mode, GANTRY_MODE_POP);
  set_mode(GANTRY_MODE_POP, 1);
  EXPECT_EQ(assigned("a"), (Queues{0, 1}));
  EXPECT_EQ(assigned("d"), (Queues{0, 3})) << "its own and those of the next, in a circle";
  set_mode(GANTRY_MODE_POP, 3);
  EXPECT_EQ(assigned("a"), Queues{-1});
  set_mode(GANTRY_MODE_POP, 1);
  join("e");
  EXPECT_EQ(assigned("e"), Queues{0}) << "more members than queues";
}

TEST_F(AssignmentTest, DividesTheQueuesOfAllBrokers) {
  const std::string own = broker_->core().options.name;
  others_ = {{str("zeta"), 2, 0}, {str("alpha"), 2, 0}, {str(own), 9, 0}};
  join("a");
  join("b");
  (void)assigned("a");
  EXPECT_EQ(named_, (Named{{"alpha", 0}, {"alpha", 1}, {own, 0}, {own, 1}})) << "sorted by broker; its own queues as it knows them";
  (void)assigned("b");
  EXPECT_EQ(named_, (Named{{own, 2}, {own, 3}, {"zeta", 0}, {"zeta", 1}}));
  (void)assigned("b", "AVG", true);
  EXPECT_EQ(named_.size(), 8u);
  set_mode(GANTRY_MODE_POP, -1);
  (void)assigned("a");
  EXPECT_EQ(named_, (Named{{"alpha", -1}, {own, -1}, {"zeta", -1}}));
}

TEST_F(AssignmentTest, WithSeveralBrokersNoneRemembersWhoHadAQueue) {
  join("b");
  (void)assigned("b", "LAST_TAKES_ALL");
  (void)assigned("b", "LAST_TAKES_ALL");
  EXPECT_EQ(last_.previous, (std::vector<std::uint32_t>{0, 0, 0, 0}));
  others_ = {{str("zeta"), 1, 0}};
  (void)assigned("b", "LAST_TAKES_ALL");
  (void)assigned("b", "LAST_TAKES_ALL");
  EXPECT_EQ(last_.previous, std::vector<std::uint32_t>(5, GANTRY_NO_CONSUMER));
}

TEST_F(AssignmentTest, ModesAreKept) {
  EXPECT_EQ(assignment_->request_mode("T", "G").mode, GANTRY_MODE_UNSET);
  set_mode(GANTRY_MODE_POP, 5);
  EXPECT_EQ(assignment_->request_mode("T", "G").pop_share_queues, 5);
  EXPECT_EQ(assignment_->request_mode("G", "T").mode, GANTRY_MODE_UNSET);
  gantry_request_mode wrong{7, 0};
  host_.on_shard(0, [&] { EXPECT_EQ(assignment_->set_request_mode("T", "G", wrong), GANTRY_E_INVALID); });

  broker_->core().restored_rows = {{std::string("reqmode/G\0U", 11), std::string("\0\0\0\2\0\0\0\7", 8)}, {"reqmode/short", "x"}};
  semantics::Assignment again(*broker_, {});
  again.start();
  EXPECT_EQ(again.request_mode("U", "G").mode, GANTRY_MODE_POP);
  EXPECT_EQ(again.request_mode("U", "G").pop_share_queues, 7);
}

TEST_F(AssignmentTest, Refusals) {
  (void)assigned("a", "AVG", false, "nowhere");
  EXPECT_EQ(status_, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(subject_, GANTRY_SUBJECT_TOPIC);
  (void)assigned("a");
  EXPECT_EQ(status_, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(subject_, GANTRY_SUBJECT_GROUP);
  join("a");
  (void)assigned("a", "MACHINE_ROOM");
  EXPECT_EQ(status_, GANTRY_E_NOT_FOUND);
  EXPECT_EQ(subject_, GANTRY_SUBJECT_SUBSCRIPTION);
  EXPECT_EQ(assigned("stranger"), Queues{});
  EXPECT_EQ(status_, GANTRY_OK);
}

}  // namespace
}  // namespace gantry::test
