#include "broker_fixture.hpp"

#include <set>

namespace gantry::test {
namespace {

class ConsumerState : public BrokerTest {
 protected:
  struct Client {
    gantry_conn conn;
    std::string id;
  };
  std::int32_t heartbeat(const Client &client, const std::string &group, const std::string &tags = "*", std::int64_t version = 1, const std::string &topic_name = "T") {
    const gantry_subscription subscription{str(topic_name), str("TAG"), str(tags), version};
    const gantry_consumer consumer{str(group), &subscription, 1, GANTRY_CONSUME_PASSIVELY, GANTRY_MODEL_CLUSTERING, 0};
    gantry_heartbeat hb{};
    hb.size = sizeof hb;
    hb.conn = client.conn;
    hb.client_id = str(client.id);
    hb.consumers = &consumer;
    hb.n_consumers = 1;
    gantry_error err{};
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->heartbeat(hb, &err); });
    return status;
  }
  std::vector<std::string> members(const std::string &group) {
    std::vector<std::string> ids;
    (void)broker_->consumers(group, [](void *arg, gantry_str id) noexcept { static_cast<std::vector<std::string> *>(arg)->emplace_back(view(id)); }, &ids);
    return ids;
  }
  Client a_{1, "a@1"}, b_{2, "b@2"};
};

TEST_F(ConsumerState, MembershipChangesAreToldToEveryMember) {
  EXPECT_EQ(heartbeat(a_, "G"), GANTRY_OK);
  ASSERT_EQ(events_.told.size(), 1u);  // the new member too
  EXPECT_EQ(events_.told[0].first, a_.conn);
  EXPECT_EQ(heartbeat(a_, "G"), GANTRY_OK);
  EXPECT_EQ(events_.told.size(), 1u);  // nothing changed
  EXPECT_EQ(heartbeat(b_, "G"), GANTRY_OK);
  EXPECT_EQ(events_.told.size(), 3u);
  EXPECT_EQ(members("G"), (std::vector<std::string>{"a@1", "b@2"}));
  host_.on_shard(0, [&] { broker_->conn_closed(a_.conn); });
  ASSERT_EQ(events_.told.size(), 4u);
  EXPECT_EQ(events_.told[3].first, b_.conn);
  EXPECT_EQ(broker_->group_name(events_.told[3].second.subject), "G");
  host_.on_shard(0, [&] { broker_->unregister(b_.conn, {}, "G"); });
  EXPECT_EQ(broker_->consumers("G", [](void *, gantry_str) noexcept {}, nullptr), GANTRY_E_NOT_FOUND);
}

TEST_F(ConsumerState, OneClientOnTwoConnectionsIsListedOnce) {
  (void)heartbeat({1, "same"}, "G");
  (void)heartbeat({2, "same"}, "G");
  EXPECT_EQ(members("G"), (std::vector<std::string>{"same"}));
}

TEST_F(ConsumerState, ASilentClientIsDroppedAfterTwoMinutes) {
  (void)heartbeat(a_, "G");
  host_.advance_ms(100'000);
  (void)heartbeat(b_, "G");
  host_.advance_ms(21'000);
  for (int i = 0; i < 15; ++i) {
    host_.advance_ms(1'000);
    host_.turn();
  }
  EXPECT_EQ(members("G"), (std::vector<std::string>{"b@2"}));
}

TEST_F(ConsumerState, AHeartbeatMakesTheRetryTopic) {
  (void)heartbeat(a_, "G");
  gantry_topic_info retry{};
  ASSERT_EQ(broker_->topic_find("%RETRY%G", &retry), GANTRY_OK);
  EXPECT_EQ(retry.read_queues, 1u);
  EXPECT_EQ(retry.perm, GANTRY_PERM_READ | GANTRY_PERM_WRITE);
}

TEST_F(ConsumerState, AGroupNameThatCouldBeAPathIsRefused) {
  EXPECT_EQ(heartbeat(a_, "../../etc"), GANTRY_E_INVALID);
  EXPECT_EQ(heartbeat(a_, ""), GANTRY_E_INVALID);
  EXPECT_EQ(heartbeat(a_, std::string(256, 'g')), GANTRY_E_INVALID);
}

TEST_F(ConsumerState, FetchesUseTheNewestRegisteredSubscription) {
  const gantry_topic t = topic("T");
  (void)produce(t, "a", "TAGS\x01" "A");
  (void)produce(t, "b", "TAGS\x01" "B");
  (void)heartbeat(a_, "G", "A", 10);
  gantry_fetch req = pull(t, group("G"), 0);
  req.flags = 0;
  req.sub_version = 10;
  EXPECT_EQ(fetch(req).offsets, (std::vector<std::int64_t>{0}));
  (void)heartbeat(b_, "G", "B", 9);  // older: ignored
  req.user_data = ++next_user_data_;
  EXPECT_EQ(fetch(req).offsets, (std::vector<std::int64_t>{0}));
  (void)heartbeat(b_, "G", "B", 11);
  req.user_data = ++next_user_data_;
  EXPECT_EQ(fetch(req).offsets, (std::vector<std::int64_t>{1}));
  req.user_data = ++next_user_data_;
  req.sub_version = 12;
  EXPECT_EQ(fetch(req).status, GANTRY_E_STALE);
}

TEST_F(ConsumerState, OffsetsOfNewGroupsStartAtZeroWhileEverythingIsInMemory) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  std::int64_t offset = -1;
  EXPECT_EQ(broker_->offset_query(g, t, 0, 0, &offset), GANTRY_OK);
  EXPECT_EQ(offset, 0);
  EXPECT_EQ(broker_->offset_query(g, t, 0, GANTRY_OFFSET_EXACT, &offset), GANTRY_E_NOT_FOUND);
}

TEST_F(ConsumerState, ACommittedOffsetIsAnsweredAndMayRewind) {
  const gantry_topic t = topic("T");
  const gantry_group g = group("G");
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->offset_commit(g, t, 0, 5, 77, done_->id()), GANTRY_OK); });
  EXPECT_EQ(done_->wait_for(77)->status, GANTRY_OK);
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->offset_commit(g, t, 0, 3, 0, 0), GANTRY_OK); });
  std::int64_t offset = -1;
  EXPECT_EQ(broker_->offset_query(g, t, 0, 0, &offset), GANTRY_OK);
  EXPECT_EQ(offset, 3);
  host_.on_shard(0, [&] {
    EXPECT_EQ(broker_->offset_commit(g, 999, 0, 3, 0, 0), GANTRY_E_NOT_FOUND);
    EXPECT_EQ(broker_->offset_commit(g, t, 99, 3, 0, 0), GANTRY_E_INVALID);
    EXPECT_EQ(broker_->offset_commit(g, t, 0, -1, 0, 0), GANTRY_E_INVALID);
  });
}

TEST_F(ConsumerState, ALockHoldsUntilItsLeaseEnds) {
  gantry_lock_item item{str("T"), 0, 0};
  broker_->queue_lock("G", "a", &item, 1);
  EXPECT_EQ(item.held, 1u);
  broker_->queue_lock("G", "b", &item, 1);
  EXPECT_EQ(item.held, 0u);
  broker_->queue_unlock("G", "b", &item, 1);  // not the owner: ignored
  host_.advance_ms(59'000);
  broker_->queue_lock("G", "b", &item, 1);
  EXPECT_EQ(item.held, 0u);
  broker_->queue_lock("G", "a", &item, 1);  // renews
  host_.advance_ms(59'000);
  broker_->queue_lock("G", "b", &item, 1);
  EXPECT_EQ(item.held, 0u);
  host_.advance_ms(2'000);
  broker_->queue_lock("G", "b", &item, 1);
  EXPECT_EQ(item.held, 1u);
  broker_->queue_unlock("G", "b", &item, 1);
  broker_->queue_lock("G", "a", &item, 1);
  EXPECT_EQ(item.held, 1u);
}

struct SeenGroups {
  std::vector<std::string> groups, members;  // "G TAG:expression", "G/client peer shard language version"
};

TEST_F(ConsumerState, ToolsSeeGroupsWithMembersAndSubscriptions) {
  const gantry_consumer_fn about = [](void *arg, const gantry_consumer *c) noexcept {
    auto &seen = *static_cast<SeenGroups *>(arg);
    for (std::uint32_t i = 0; i < c->n_subscriptions; ++i)
      seen.groups.push_back(std::string(view(c->group)) + " " + std::string(view(c->subscriptions[i].topic)) + ":" + std::string(view(c->subscriptions[i].expr)));
  };
  const gantry_member_fn each = [](void *arg, const gantry_member *m) noexcept {
    static_cast<SeenGroups *>(arg)->members.push_back(std::string(view(m->group)) + "/" + std::string(view(m->client_id)) + " " + std::to_string(m->conn) + " " + std::to_string(m->shard));
  };
  SeenGroups none;
  EXPECT_EQ(broker_->consumer_group("", about, each, &none), GANTRY_E_NOT_FOUND);
  EXPECT_EQ(heartbeat(a_, "G", "x"), GANTRY_OK);
  EXPECT_EQ(heartbeat(b_, "G", "x"), GANTRY_OK);
  EXPECT_EQ(heartbeat(b_, "H", "y", 1, "U"), GANTRY_OK);
  SeenGroups one;
  EXPECT_EQ(broker_->consumer_group("G", about, each, &one), GANTRY_OK);
  EXPECT_EQ(one.groups, std::vector<std::string>{"G T:x"});
  EXPECT_EQ(one.members, (std::vector<std::string>{"G/a@1 1 0", "G/b@2 2 0"}));
  SeenGroups all;
  EXPECT_EQ(broker_->consumer_group("", about, each, &all), GANTRY_OK);
  EXPECT_EQ(all.groups, (std::vector<std::string>{"G T:x", "H U:y"}));
  EXPECT_EQ(all.members.size(), 3u);
  EXPECT_EQ(broker_->consumer_group("G", nullptr, nullptr, nullptr), GANTRY_OK);
  EXPECT_EQ(broker_->consumer_group("I", nullptr, nullptr, nullptr), GANTRY_E_NOT_FOUND);
}

TEST_F(ConsumerState, ToolsSeeProducers) {
  const gantry_str groups[] = {str("P"), str("Q")};
  gantry_heartbeat hb{};
  hb.size = sizeof hb;
  hb.conn = a_.conn;
  hb.client_id = str(a_.id);
  hb.peer = str("10.0.0.7:5");
  hb.language = 9;
  hb.version = 409;
  hb.producer_groups = groups;
  hb.n_producer_groups = 2;
  gantry_error err{};
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->heartbeat(hb, &err), GANTRY_OK); });
  const gantry_member_fn each = [](void *arg, const gantry_member *m) noexcept {
    static_cast<std::vector<std::string> *>(arg)->push_back(std::string(view(m->group)) + " " + std::string(view(m->peer)) + " " + std::to_string(m->language) + " " + std::to_string(m->version));
  };
  std::vector<std::string> one, all, none;
  EXPECT_EQ(broker_->producer_group("P", each, &one), GANTRY_OK);
  EXPECT_EQ(one, std::vector<std::string>{"P 10.0.0.7:5 9 409"});
  EXPECT_EQ(broker_->producer_group("", each, &all), GANTRY_OK);
  EXPECT_EQ(all.size(), 2u);
  host_.on_shard(0, [&] { broker_->conn_closed(a_.conn); });
  EXPECT_EQ(broker_->producer_group("P", each, &none), GANTRY_E_NOT_FOUND);
  EXPECT_TRUE(none.empty());
}

TEST_F(ConsumerState, ToolsSeeCommittedOffsets) {
  const gantry_topic t = topic("T"), u = topic("U");
  const gantry_group g = group("G"), h = group("H");
  host_.on_shard(0, [&] {
    EXPECT_EQ(broker_->offset_commit(g, t, 1, 7, 0, 0), GANTRY_OK);
    EXPECT_EQ(broker_->offset_commit(g, u, 0, 8, 0, 0), GANTRY_OK);
    EXPECT_EQ(broker_->offset_commit(h, t, 0, 9, 0, 0), GANTRY_OK);
  });
  const auto list = [&](gantry_group in_group, gantry_topic in_topic) {
    std::set<std::string> rows;
    const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
      static_cast<std::set<std::string> *>(arg)->insert(std::string(view(row->group_name)) + "@" + std::string(view(row->topic_name)) + "@" + std::to_string(row->queue_no) + "=" + std::to_string(row->offset));
    };
    broker_->offset_list(in_group, in_topic, add, &rows);
    return rows;
  };
  EXPECT_EQ(list(0, 0), (std::set<std::string>{"G@T@1=7", "G@U@0=8", "H@T@0=9"}));
  EXPECT_EQ(list(g, 0), (std::set<std::string>{"G@T@1=7", "G@U@0=8"}));
  EXPECT_EQ(list(0, t), (std::set<std::string>{"G@T@1=7", "H@T@0=9"}));
  EXPECT_EQ(list(h, u), std::set<std::string>{});
}

}  // namespace
}  // namespace gantry::test
