// Messages by key, through the in-memory store.
#include "broker_fixture.hpp"

#include "kernel/broker/record/key_hash.hpp"

namespace gantry::test {
namespace {

using broker::add_key_hashes;
using broker::KeyHasher;

class Keys : public BrokerTest {
 protected:
  std::vector<std::string> bodies(const std::string &topic_name, const std::string &key, std::uint32_t max = 32, std::int64_t begin_ms = 0, std::int64_t end_ms = INT64_MAX) {
    gantry_message_query query{};
    query.user_data = 1000 + ++queries_;
    query.topic = str(topic_name);
    query.key = str(key);
    query.begin_ms = begin_ms;
    query.end_ms = end_ms;
    query.max_messages = max;
    host_.on_shard(0, [&] { EXPECT_EQ(broker_->key_lookup().query(query, done_->id()), GANTRY_OK); });
    const auto cqe = done_->wait_for(query.user_data);
    if (!cqe.has_value() || cqe->status != GANTRY_OK) {
      ADD_FAILURE() << "the query did not succeed";
      return {};
    }
    const auto &result = *reinterpret_cast<const gantry_fetch_result *>(cqe->aux);
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < result.n; ++i) {
      broker::StoredMessage message;
      EXPECT_TRUE(broker::parse_record(view(result.records[i].bytes), &message));
      EXPECT_EQ(result.records[i].store_ms, message.store_ms);
      out.emplace_back(message.body);
    }
    result.owner->release(result.owner);
    return out;
  }
  std::uint64_t queries_ = 0;
};

using Bodies = std::vector<std::string>;

TEST_F(Keys, EachWordAndTheProducersIdFindTheMessageNewestFirst) {
  const gantry_topic t = topic("T"), u = topic("U");
  (void)produce(t, "first", "KEYS\1order-1  customer-7\2UNIQ_KEY\1ID1\2");
  (void)produce(t, "second", "UNIQ_KEY\1ID2\2KEYS\1order-2 customer-7\2WAIT\1true\2");
  (void)produce(u, "elsewhere", "KEYS\1order-1\2");
  (void)produce(t, "no key", "TAGS\1order-1\2");
  EXPECT_EQ(bodies("T", "order-1"), Bodies{"first"});
  EXPECT_EQ(bodies("T", "customer-7"), (Bodies{"second", "first"}));
  EXPECT_EQ(bodies("T", "ID2"), Bodies{"second"});
  EXPECT_EQ(bodies("U", "order-1"), Bodies{"elsewhere"});
  EXPECT_EQ(bodies("U", "customer-7"), Bodies{});
  EXPECT_EQ(bodies("T", "order"), Bodies{});
  EXPECT_EQ(bodies("T", "order-1  customer-7"), Bodies{});
  EXPECT_EQ(bodies("T", "customer-7", 1), Bodies{"second"});
}

TEST_F(Keys, OnlyWithinTheTimeAskedFor) {
  const gantry_topic t = topic("T");
  (void)produce(t, "old", "KEYS\1k\2");
  host_.advance_ms(10);
  host_.turn();
  (void)produce(t, "new", "KEYS\1k\2");
  constexpr std::int64_t kOld = 1'700'000'000'000;
  EXPECT_EQ(bodies("T", "k", 32, kOld, kOld), Bodies{"old"});
  EXPECT_EQ(bodies("T", "k", 32, kOld + 1, kOld + 10), Bodies{"new"});
  EXPECT_EQ(bodies("T", "k", 32, kOld + 11, kOld + 20), Bodies{});
}

TEST_F(Keys, NonsenseIsRefused) {
  gantry_message_query query{};
  query.topic = str("T");
  query.key = str("k");
  query.max_messages = 1;
  const auto ask = [&](gantry_message_query q) {
    std::int32_t status = 0;
    host_.on_shard(0, [&] { status = broker_->key_lookup().query(q, done_->id()); });
    return status;
  };
  auto wrong = query;
  wrong.topic = str("");
  EXPECT_EQ(ask(wrong), GANTRY_E_INVALID);
  wrong = query;
  wrong.key = str("");
  EXPECT_EQ(ask(wrong), GANTRY_E_INVALID);
  wrong = query;
  wrong.max_messages = 0;
  EXPECT_EQ(ask(wrong), GANTRY_E_INVALID);
  wrong.max_messages = 1025;
  EXPECT_EQ(ask(wrong), GANTRY_E_INVALID);
}

TEST(KeyHash, SameTextSameHashWhereverItIsBuilt) {
  std::vector<std::uint64_t> hashes;
  EXPECT_EQ(add_key_hashes("T", "", "", hashes), 0u);
  EXPECT_EQ(add_key_hashes("T", " a  b a ", "a", hashes), 2u);  // each once
  EXPECT_EQ(hashes[0], XXH3_64bits("T#a", 3));
  EXPECT_EQ(hashes[1], XXH3_64bits("T#b", 3));
  const std::string lengthy(600, 'k'), whole = "T#" + lengthy;
  EXPECT_EQ(KeyHasher("T")(lengthy), XXH3_64bits(whole.data(), whole.size()));
  std::string many;
  for (int i = 0; i < 200; ++i) many += std::to_string(i) + " ";
  hashes.clear();
  EXPECT_EQ(add_key_hashes("T", many, "id", hashes), broker::kMaxKeysPerMessage);
}

}  // namespace
}  // namespace gantry::test
