#include "broker_fixture.hpp"

#include "kernel/base/crc32.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::test {
namespace {

class Produce : public BrokerTest {
 protected:
  void refused(gantry_produce req, std::int32_t status, std::uint32_t subject) {
    const gantry_cqe cqe = produce(req);
    EXPECT_EQ(cqe.status, status);
    EXPECT_EQ(cqe.flags, subject);
  }
};

TEST_F(Produce, OffsetsAreDensePerQueue) {
  const gantry_topic t = topic("T");
  EXPECT_EQ(produce(t, "a").result, 0);
  EXPECT_EQ(produce(t, "b").result, 1);
  EXPECT_EQ(produce(t, "c", {}, 1).result, 0);
  const gantry_cqe last = produce(t, "d");
  EXPECT_EQ(last.result, 2);
  EXPECT_EQ(last.flags, 0u);
}

TEST_F(Produce, RecordHasRocketMqsLayout) {
  const gantry_topic t = topic("TopicTest");
  gantry_produce req = message(t, "hello", "UNIQ_KEY\x01" "ABC\x02WAIT\x01true\x02TAGS\x01TagA", 2);
  req.msg_flag = 42;
  req.reconsume_times = 3;
  const gantry_cqe sent = produce(req);
  ASSERT_EQ(sent.status, GANTRY_OK);
  gantry_fetch f = pull(t, group("G"), 0);
  f.queue_no = 2;
  const Fetched got = fetch(f);
  ASSERT_EQ(got.records.size(), 1u);
  ByteReader in(got.records[0]);
  EXPECT_EQ(in.u32(), got.records[0].size());
  EXPECT_EQ(in.u32(), 0xDAA320A7u);
  EXPECT_EQ(in.u32(), crc32_ieee("hello", 5) & 0x7FFFFFFFu);
  EXPECT_EQ(in.u32(), 2u);
  EXPECT_EQ(in.u32(), 42u);
  EXPECT_EQ(in.i64(), 0);
  EXPECT_EQ(in.u64(), sent.aux);
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_EQ(in.i64(), 1'699'999'999'000);
  EXPECT_EQ(in.u32(), 0x0A000007u);
  EXPECT_EQ(in.u32(), 5000u);
  EXPECT_EQ(in.i64(), 1'700'000'000'000);
  EXPECT_EQ(in.u32(), 0x7F000001u);
  EXPECT_EQ(in.u32(), 10911u);
  EXPECT_EQ(in.u32(), 3u);
  EXPECT_EQ(in.i64(), 0);
  EXPECT_EQ(in.bytes(in.u32()), "hello");
  EXPECT_EQ(in.bytes(in.u8()), "TopicTest");
  EXPECT_EQ(in.bytes(in.u16()), "CLUSTER\x01" "DefaultCluster\x02UNIQ_KEY\x01" "ABC\x02TAGS\x01TagA");
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
}

TEST_F(Produce, WhatTheProtocolAddsIsStoredInFront) {
  const gantry_topic t = topic("T");
  gantry_produce req = message(t, "x", "A\x01" "1\x02WAIT\x01true\x02" "B\x01" "2");
  std::string lead = "R\x01" + std::string(GANTRY_LEAD_PROPS_BYTES - 3, 'r') + "\x02";
  req.lead_props = str(lead);
  ASSERT_EQ(produce(req).status, GANTRY_OK);
  const Fetched got = fetch(pull(t, group("G"), 0));
  ASSERT_EQ(got.records.size(), 1u);
  const std::string record(got.records[0]);
  EXPECT_NE(record.find("CLUSTER\x01" "DefaultCluster\x02" + lead + "A\x01" "1\x02" "B\x01" "2"), std::string::npos);
  EXPECT_EQ(load_be32(record.data()), record.size());
  lead += "S\x01s\x02";
  req.lead_props = str(lead);
  refused(req, GANTRY_E_LIMIT, GANTRY_SUBJECT_PROPERTIES);
}

TEST_F(Produce, WhatTheProtocolAddsGoesThroughADelay) {
  const gantry_topic t = topic("T");
  gantry_produce req = message(t, "x", "DELAY\x01" "1");
  req.lead_props = str("R\x01r\x02");
  ASSERT_EQ(produce(req).status, GANTRY_OK);
  gantry_topic_info schedule{};
  ASSERT_EQ(broker_->topic_find("SCHEDULE_TOPIC_XXXX", &schedule), GANTRY_OK);
  const Fetched got = fetch(pull(schedule.topic, group("G"), 0));
  ASSERT_EQ(got.records.size(), 1u);
  EXPECT_NE(got.records[0].find("\x02R\x01r\x02"), std::string::npos);
}

TEST_F(Produce, BornHostMayBeIpv6) {
  const gantry_topic t = topic("T");
  gantry_produce req = message(t, "x");
  req.born_host_bytes = 16;
  ASSERT_EQ(produce(req).status, GANTRY_OK);
  const Fetched got = fetch(pull(t, group("G"), 0));
  ASSERT_EQ(got.records.size(), 1u);
  EXPECT_EQ(load_be32(got.records[0].data() + 36), 16u);
  EXPECT_EQ(load_be32(got.records[0].data()), got.records[0].size());
}

TEST_F(Produce, QueueBelowZeroIsPickedRoundRobin) {
  const gantry_topic t = topic("T", 2);
  const std::uint32_t first = produce(t, "a", {}, -1).flags;
  const std::uint32_t second = produce(t, "b", {}, -1).flags;
  EXPECT_NE(first, second);
  EXPECT_LT(first, 2u);
  EXPECT_LT(second, 2u);
}

TEST_F(Produce, APriorityNamesTheQueue) {
  const gantry_topic t = topic("T", 4);
  const auto queue_of = [&](std::string_view props, std::uint32_t flags = GANTRY_PRODUCE_BY_PRIORITY) {
    gantry_produce req = message(t, "x", props, 1);
    req.flags = flags;
    const gantry_cqe sent = produce(req);
    EXPECT_EQ(sent.status, GANTRY_OK);
    return sent.flags;
  };
  EXPECT_EQ(queue_of("_SYS_MSG_PRIORITY_\x01" "0\x02"), 0u);
  EXPECT_EQ(queue_of("_SYS_MSG_PRIORITY_\x01" "3\x02"), 3u);
  EXPECT_EQ(queue_of("_SYS_MSG_PRIORITY_\x01" "99\x02"), 3u) << "the highest there is";
  for (const char *none : {"_SYS_MSG_PRIORITY_\x01-1\x02", "_SYS_MSG_PRIORITY_\x01high\x02", "A\x01" "b\x02"}) EXPECT_EQ(queue_of(none), 1u) << none;
  EXPECT_EQ(queue_of("_SYS_MSG_PRIORITY_\x01" "3\x02", 0), 1u) << "of a batch";
}

TEST_F(Produce, WhatIsOfAnotherKindHasNoPriority) {
  const gantry_topic t = topic("T", 4);
  gantry_produce req = message(t, "x", "_SYS_MSG_PRIORITY_\x01" "3\x02__SHARDINGKEY\x01k\x02", 1);
  req.flags = GANTRY_PRODUCE_BY_PRIORITY;
  EXPECT_EQ(produce(req).flags, 1u);
  gantry_fetch pulled = pull(t, group("G"), 0);
  pulled.queue_no = 1;
  const Fetched got = fetch(pulled);
  ASSERT_EQ(got.records.size(), 1u);
  EXPECT_EQ(got.records[0].find("_SYS_MSG_PRIORITY_"), std::string::npos);
  EXPECT_NE(got.records[0].find("__SHARDINGKEY\x01k"), std::string::npos);
}

TEST_F(Produce, TheClusterIsTheBrokersToSay) {
  const gantry_topic t = topic("T");
  ASSERT_EQ(produce(t, "x", "A\x01" "1\x02" "CLUSTER\x01" "elsewhere\x02WAIT\x01true\x02TAGS\x01TagA").status, GANTRY_OK);
  const Fetched got = fetch(pull(t, group("G"), 0));
  ASSERT_EQ(got.records.size(), 1u);
  EXPECT_EQ(got.records[0].find("elsewhere"), std::string::npos);
  EXPECT_NE(got.records[0].find("CLUSTER\x01" "DefaultCluster\x02" "A\x01" "1\x02TAGS\x01TagA"), std::string::npos);
}

TEST_F(Produce, RefusesWhatCannotBeStored) {
  const gantry_topic t = topic("T", 2);
  refused(message(999, "x"), GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC);
  refused(message(t, "x", {}, 2), GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE);
  gantry_topic_info schedule{};
  ASSERT_EQ(broker_->topic_find("SCHEDULE_TOPIC_XXXX", &schedule), GANTRY_OK);
  refused(message(schedule.topic, "x"), GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC);
  const std::string big(options_.max_message_bytes + 1, 'b');
  refused(message(t, big), GANTRY_E_LIMIT, GANTRY_SUBJECT_BODY);
  EXPECT_EQ(produce(t, std::string_view(big).substr(1)).status, GANTRY_OK);
  const std::string long_props = "K\x01" + std::string(32760, 'v');
  refused(message(t, "x", long_props), GANTRY_E_LIMIT, GANTRY_SUBJECT_PROPERTIES);
}

TEST_F(Produce, OnlyTheFullMarkMakesATransaction) {
  const gantry_topic t = topic("T");
  gantry_produce half = message(t, "x");
  half.sys_flags = 4;
  refused(half, GANTRY_E_INVALID, GANTRY_SUBJECT_PROPERTIES);
  EXPECT_EQ(produce(t, "x", "DELAY\x01" "0\x02TRAN_MSG\x01" "false").status, GANTRY_OK);
}

TEST_F(Produce, ManyInOneCallKeepTheirOrderAndTheirRefusals) {
  const gantry_topic t = topic("T", 1);
  std::vector<gantry_produce> reqs;
  std::vector<std::string> bodies;
  bodies.reserve(300);
  for (int i = 0; i < 300; ++i) {
    bodies.push_back("m" + std::to_string(i));
    reqs.push_back(message(i % 10 == 9 ? 999 : t, bodies.back()));
    reqs.back().user_data = 1000 + static_cast<std::uint64_t>(i);
  }
  host_.on_shard(0, [&] { EXPECT_EQ(broker_->producer().produce(reqs.data(), 300, done_->id()), 300); });
  std::int64_t expected = 0;
  for (int i = 0; i < 300; ++i) {
    const auto cqe = done_->wait_for(1000 + static_cast<std::uint64_t>(i));
    ASSERT_TRUE(cqe.has_value());
    if (i % 10 == 9) {
      EXPECT_EQ(cqe->status, GANTRY_E_NOT_FOUND);
    } else {
      EXPECT_EQ(cqe->result, expected++);
    }
    EXPECT_EQ(done_->times(1000 + static_cast<std::uint64_t>(i)), 1u);
  }
}

}  // namespace
}  // namespace gantry::test
