// Offsets, times and topics.
#include "remoting_fixture.hpp"

namespace gantry::remoting::test {
namespace {

using OffsetTest = RemotingTest;

Fields queue(const std::string &topic, int number, Fields more = {}) {
  Fields out = {{"topic", topic}, {"queueId", std::to_string(number)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

Fields commit(const std::string &topic, int number, const std::string &offset) {
  return queue(topic, number, {{"consumerGroup", "G"}, {"commitOffset", offset}});
}

TEST_F(OffsetTest, QueryCommittedOffset) {
  start();
  const gantry_conn c = open();
  broker_->offsets["G@T@1"] = 55;
  const Reply r = ask(c, 14, queue("T", 1, {{"consumerGroup", "G"}}));
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.ext.at("offset"), "55");
  EXPECT_EQ(ask(c, 14, queue("T", 2, {{"consumerGroup", "G"}})).code, 22);
}

TEST_F(OffsetTest, QueryOfWhatDoesNotExist) {
  start();
  const gantry_conn c = open();
  const Reply r = ask(c, 14, queue("Nowhere", 1, {{"consumerGroup", "G"}}));
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.ext.at("offset"), "0");
  EXPECT_EQ(ask(c, 14, queue("Nowhere", 1, {{"consumerGroup", "G"}, {"setZeroIfNotFound", "false"}})).code, 22);
  EXPECT_EQ(ask(c, 14, queue("T", 1, {{"consumerGroup", "unknown"}, {"setZeroIfNotFound", "false"}})).code, 22);
  EXPECT_EQ(ask(c, 14, {{"topic", "T"}, {"consumerGroup", "G"}}).code, 1);
  broker_->auto_create_groups = false;
  EXPECT_EQ(ask(c, 14, queue("T", 1, {{"consumerGroup", "unknown"}})).code, 22);
}

TEST_F(OffsetTest, UpdateCommitsAlsoOnewayAndBackwards) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(15, 1, commit("T", 1, "55"))), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());  // the reply waits until the row is written
  ASSERT_EQ(broker_->commits_waited_for.size(), 1u);
  broker_->complete(broker_->commits_waited_for[0], GANTRY_OK, 0);
  turn();
  EXPECT_EQ(reply(c).code, 0);
  ASSERT_EQ(feed(c, request(15, 1, commit("T", 1, "5"), "", 2)), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
  ASSERT_EQ(broker_->commits.size(), 2u);
  EXPECT_EQ(broker_->commits[0].group, "G");
  EXPECT_EQ(broker_->commits[0].queue_no, 1u);
  EXPECT_EQ(broker_->commits[1].offset, 5);
  EXPECT_EQ(broker_->commits_waited_for.size(), 1u);
}

TEST_F(OffsetTest, UpdateThatTheStoreRefusesIsAnError) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(15, 1, commit("T", 1, "55"))), GANTRY_OK);
  broker_->complete(broker_->commits_waited_for.at(0), GANTRY_E_IO, 0);
  turn();
  EXPECT_EQ(reply(c).code, 1);
}

TEST_F(OffsetTest, UpdateRefusals) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 15, commit("Nowhere", 1, "5")).code, 17);
  EXPECT_EQ(ask(c, 15, commit("T", 4, "5")).code, 1);
  EXPECT_EQ(ask(c, 15, commit("T", -1, "5")).code, 1);
  EXPECT_EQ(ask(c, 15, commit("T", 1, "-5")).code, 1);
  EXPECT_EQ(ask(c, 15, commit("T", 1, "x")).code, 1);
  broker_->auto_create_groups = false;
  Fields other = commit("T", 1, "5");
  other[2].second = "H";
  EXPECT_EQ(ask(c, 15, other).code, 26);
  EXPECT_TRUE(broker_->commits.empty());
}

TEST_F(OffsetTest, MaxMinAndEarliest) {
  start();
  const gantry_conn c = open();
  broker_->stats["T"][1] = {4, 9, 9, 1700000000000};
  EXPECT_EQ(ask(c, 30, queue("T", 1)).ext.at("offset"), "9");
  EXPECT_EQ(ask(c, 31, queue("T", 1)).ext.at("offset"), "4");
  EXPECT_EQ(ask(c, 32, queue("T", 1)).ext.at("timestamp"), "1700000000000");
  // Never used:
  EXPECT_EQ(ask(c, 30, queue("T", 2)).ext.at("offset"), "0");
  EXPECT_EQ(ask(c, 31, queue("T", 2)).ext.at("offset"), "0");
  EXPECT_EQ(ask(c, 32, queue("T", 2)).ext.at("timestamp"), "-1");
  // Not there:
  for (const Fields &nowhere : {queue("T", 77), queue("Nowhere", 0), queue("T", -1)}) {
    EXPECT_EQ(ask(c, 30, nowhere).ext.at("offset"), "0");
    EXPECT_EQ(ask(c, 31, nowhere).ext.at("offset"), "0");
    EXPECT_EQ(ask(c, 32, nowhere).ext.at("timestamp"), "-1");
  }
  for (const std::int32_t code : {30, 31, 32}) EXPECT_EQ(ask(c, code, {{"topic", "T"}}).code, 1);
}

TEST_F(OffsetTest, SearchByTime) {
  start();
  const gantry_conn c = open();
  broker_->stats["T"][1] = {4, 9, 9, 0};
  ASSERT_EQ(feed(c, request(29, 1, queue("T", 1, {{"timestamp", "1000"}}))), GANTRY_OK);
  ASSERT_EQ(feed(c, request(29, 2, queue("T", 1, {{"timestamp", "1000"}, {"boundaryType", "UPPER"}}))), GANTRY_OK);
  ASSERT_EQ(feed(c, request(29, 3, queue("T", 1, {{"timestamp", "1000"}, {"boundaryType", "UPPER"}}))), GANTRY_OK);
  ASSERT_EQ(broker_->seeks.size(), 3u);
  EXPECT_EQ(broker_->seeks[0].value, 1000);
  EXPECT_EQ(broker_->seeks[1].value, 1001);
  broker_->complete(broker_->seeks[0], GANTRY_OK, 6);
  broker_->complete(broker_->seeks[1], GANTRY_OK, 7);
  broker_->complete(broker_->seeks[2], GANTRY_OK, 4);
  turn();
  const auto all = replies(c);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].ext.at("offset"), "6");
  EXPECT_EQ(all[1].ext.at("offset"), "6");
  EXPECT_EQ(all[2].ext.at("offset"), "4");  // nothing before the time: the begin of the queue
}

TEST_F(OffsetTest, SearchWhereNothingIsOrFails) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(ask(c, 29, queue("Nowhere", 1, {{"timestamp", "1"}})).ext.at("offset"), "0");
  EXPECT_EQ(ask(c, 29, queue("T", 1, {{"timestamp", "1"}})).ext.at("offset"), "0");
  EXPECT_EQ(ask(c, 29, queue("T", 1)).code, 1);
  broker_->stats["T"][1] = {};
  ASSERT_EQ(feed(c, request(29, 1, queue("T", 1, {{"timestamp", "1"}}))), GANTRY_OK);
  broker_->complete(broker_->seeks[0], GANTRY_E_IO, 0);
  turn();
  EXPECT_EQ(reply(c).code, 1);
}

TEST_F(OffsetTest, CreateTopic) {
  start();
  const gantry_conn c = open();
  const Fields fields = {{"topic", "N"}, {"defaultTopic", "TBW102"}, {"readQueueNums", "8"}, {"writeQueueNums", "6"}, {"perm", "6"},
                         {"topicFilterType", "SINGLE_TAG"}, {"topicSysFlag", "1"}, {"order", "true"}, {"attributes", "+message.type=FIFO,-reserve.time"}};
  EXPECT_EQ(ask(c, 17, fields).code, 0);
  ASSERT_EQ(broker_->upserts.size(), 1u);
  EXPECT_EQ(broker_->upserts[0].read_queues, 8u);
  EXPECT_EQ(broker_->upserts[0].write_queues, 6u);
  EXPECT_EQ(broker_->upserts[0].perm, 6u);
  EXPECT_EQ(broker_->upserts[0].sys_flag, 1u);
  EXPECT_EQ(broker_->upserts[0].flags, GANTRY_TOPIC_ORDER);
  EXPECT_EQ(broker_->attribute_changes[0], "+message.type=FIFO,-reserve.time");
}

TEST_F(OffsetTest, CreateTopicRefusals) {
  start();
  const gantry_conn c = open();
  const auto fields = [](const char *read, const char *perm) {
    return Fields{{"topic", "N"}, {"readQueueNums", read}, {"writeQueueNums", "6"}, {"perm", perm}};
  };
  EXPECT_EQ(ask(c, 17, fields("-1", "6")).code, 1);
  EXPECT_EQ(ask(c, 17, fields("x", "6")).code, 1);
  EXPECT_EQ(ask(c, 17, fields("8", "99")).code, 1);
  EXPECT_EQ(ask(c, 17, {{"topic", "N"}}).code, 1);
  broker_->upsert_status = GANTRY_E_DENIED;
  const Reply r = ask(c, 17, fields("8", "6"));
  EXPECT_EQ(r.code, 1);
  EXPECT_EQ(r.remark, "not this topic");
  EXPECT_TRUE(broker_->upserts.empty());
}

}  // namespace
}  // namespace gantry::remoting::test
