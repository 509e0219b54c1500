// What administrators ask: deleting, groups, settings, counters, offsets.
#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {
namespace {

class AdminTest : public RemotingTest {
 protected:
  void SetUp() override {
    start();
    tool_ = open();
    broker_->topics["T"] = {0, 6, 2, 2, {}};
    broker_->stats["T"][0] = gantry_queue_stat{3, 30, 30, 1'700'000'000'003};
  }
  gantry_conn tool_ = 0;
};

TEST_F(AdminTest, TopicsAreDeleted) {
  EXPECT_EQ(ask(tool_, 215, {{"topic", "T"}}).code, 0);
  EXPECT_EQ(broker_->topics_deleted, std::vector<std::string>{"T"});
  EXPECT_EQ(ask(tool_, 215, {}).code, 1);
  broker_->admin_refusal = GANTRY_E_DENIED;
  const Reply refused = ask(tool_, 215, {{"topic", "TBW102"}});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.remark, "not this one");
  broker_->admin_refusal = 0;
  broker_->admin_status = GANTRY_E_IO;
  EXPECT_EQ(ask(tool_, 215, {{"topic", "T"}}).code, 1) << "the row was not written";
}

TEST_F(AdminTest, TopicsAreMadeWhenTheirRowIsWritten) {
  const Fields fields = {{"topic", "N"}, {"readQueueNums", "4"}, {"writeQueueNums", "4"}, {"perm", "6"}};
  ASSERT_EQ(feed(tool_, request(17, 1, fields)), GANTRY_OK);
  EXPECT_TRUE(replies(tool_).empty());
  EXPECT_EQ(broker_->settles, 1u);
  turn();
  EXPECT_EQ(reply(tool_).code, 0);
  broker_->admin_status = GANTRY_E_IO;
  EXPECT_EQ(ask(tool_, 17, fields).code, 1);
}

TEST_F(AdminTest, GroupsAreSetAndTold) {
  const std::string body =
      R"({"brokerId":0,"consumeBroadcastEnable":false,"consumeEnable":true,"consumeFromMinEnable":false,"groupName":"G","retryMaxTimes":3,"retryQueueNums":2,"whichBrokerWhenConsumeSlowly":1})";
  EXPECT_EQ(ask(tool_, 200, {}, body).code, 0);
  ASSERT_TRUE(broker_->groups.contains("G"));
  EXPECT_EQ(broker_->groups["G"].flags, GANTRY_GROUP_CONSUME | GANTRY_GROUP_NOTIFY);
  const std::string told =
      R"({"attributes":{},"brokerId":0,"consumeBroadcastEnable":false,"consumeEnable":true,"consumeFromMinEnable":false,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,)"
      R"("groupName":"G","groupSysFlag":0,"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":3,"retryQueueNums":2,"whichBrokerWhenConsumeSlowly":1})";
  EXPECT_EQ(ask(tool_, 352, {{"group", "G"}}).body, told);
  EXPECT_EQ(ask(tool_, 352, {{"group", "H"}}).code, 26);
  EXPECT_EQ(ask(tool_, 201, {}).body, R"({"dataVersion":{"counter":3,"timestamp":2},"subscriptionGroupTable":{"G":)" + told + "}}");
  EXPECT_EQ(ask(tool_, 200, {}, "[]").code, 1);
  EXPECT_EQ(ask(tool_, 200, {}, "{").code, 1);
  broker_->admin_refusal = GANTRY_E_INVALID;
  EXPECT_EQ(ask(tool_, 200, {}, R"({"groupName":"a b"})").remark, "not this one");
}

TEST_F(AdminTest, ListsOfTopicsAndGroups) {
  EXPECT_EQ(ask(tool_, 18, {}, R"({"topicConfigList":[{"topicName":"A","readQueueNums":2,"writeQueueNums":3,"perm":6,"order":true},{"topicName":"B"}]})").code, 0);
  ASSERT_EQ(broker_->upserts.size(), 2u);
  EXPECT_EQ(broker_->topics["A"].write_queues, 3u);
  EXPECT_EQ(broker_->topics["A"].flags, GANTRY_TOPIC_ORDER);
  EXPECT_EQ(ask(tool_, 18, {}, R"({"topicConfigList":[{"topicName":"A","attributes":{"+message.type":"FIFO","-reserve.time":""}}]})").code, 0);
  EXPECT_EQ(broker_->attribute_changes.back(), "+message.type=FIFO,-reserve.time");
  EXPECT_EQ(ask(tool_, 18, {}, R"({"topicConfigList":[{"topicName":"A","perm":16}]})").code, 1);
  EXPECT_EQ(ask(tool_, 18, {}, R"({"topicConfigList":[]})").code, 1);
  broker_->upsert_status = GANTRY_E_DENIED;
  EXPECT_EQ(ask(tool_, 18, {}, R"({"topicConfigList":[{"topicName":"A"}]})").remark, "not this topic");
  EXPECT_EQ(ask(tool_, 225, {}, R"({"groupConfigList":[{"groupName":"G","retryMaxTimes":2},{"groupName":"H"}]})").code, 0);
  EXPECT_EQ(broker_->groups["G"].retry_max_times, 2u);
  EXPECT_TRUE(broker_->groups.contains("H"));
  EXPECT_EQ(ask(tool_, 225, {}, "{}").code, 1);
  broker_->admin_refusal = GANTRY_E_INVALID;
  EXPECT_EQ(ask(tool_, 225, {}, R"({"groupConfigList":[{"groupName":"a b"}]})").remark, "not this one");
}

TEST_F(AdminTest, GroupsAreDeletedWithOrWithoutTheirOffsets) {
  EXPECT_EQ(ask(tool_, 207, {{"groupName", "G"}}).code, 0);
  EXPECT_EQ(ask(tool_, 207, {{"groupName", "G"}, {"removeOffset", "true"}}).code, 0);
  EXPECT_EQ(ask(tool_, 207, {{"groupName", "G"}, {"cleanOffset", "true"}}).code, 0);
  EXPECT_EQ(broker_->groups_deleted, (std::vector<std::string>{"G/0", "G/1", "G/1"}));
  EXPECT_EQ(ask(tool_, 207, {}).code, 1);
  broker_->admin_refusal = GANTRY_E_CLOSED;
  EXPECT_EQ(ask(tool_, 207, {{"groupName", "G"}}).code, 1);
}

TEST_F(AdminTest, SettingsAreToldAndNotChanged) {
  const Reply all = ask(tool_, 26, {});
  EXPECT_EQ(all.code, 0);
  EXPECT_EQ(all.ext.at("version"), R"({"counter":0,"timestamp":0})");
  for (const char *line : {"brokerName=broker-a\n", "brokerIP1=10.0.0.9\n", "listenPort=10911\n", "flushDiskType=SYNC_FLUSH\n", "autoCreateSubscriptionGroup=false\n", "messageDelayLevel=1s 5s\n", "fileReservedTime=72\n", "traceTopicEnable=false\n"})
    EXPECT_NE(all.body.find(line), std::string::npos) << line << all.body;
  const Reply known = ask(tool_, 25, {}, "autoCreateTopicEnable=false\n");
  EXPECT_EQ(known.code, 16);
  EXPECT_NE(known.remark.find("[broker] auto_create_topics in broker.toml"), std::string::npos) << known.remark;
  const Reply unknown = ask(tool_, 25, {}, "filterServerNums=1\n");
  EXPECT_EQ(unknown.code, 16);
  EXPECT_NE(unknown.remark.find("broker.toml"), std::string::npos) << unknown.remark;
  EXPECT_EQ(ask(tool_, 25, {}, "#\nautoCreateTopicEnable = true\r\n").code, 0) << "it is so already";
  EXPECT_EQ(ask(tool_, 25, {}, "nonsense").code, 1);
  EXPECT_EQ(ask(tool_, 25, {}, "").code, 1);
}

TEST_F(AdminTest, Counters) {
  broker_->runtime.put_messages = 42;
  broker_->runtime.put_per_s[0] = 1.5;
  broker_->runtime.log_end_pos = 1000;
  broker_->runtime.durable_pos = 400;
  broker_->runtime.bytes_on_disk = 1;
  broker_->runtime.free_bytes = 3;
  const std::string body = ask(tool_, 28, {}).body;
  for (const char *part : {R"("msgPutTotalTodayNow":"42")", R"("putTps":"1.50 0.00 0.00")", R"("commitLogDiskRatio":"0.25")", R"("remainHowManyDataToFlush":"600 B")", R"("brokerVersionDesc":"V4_9_8")"})
    EXPECT_NE(body.find(part), std::string::npos) << part << body;
  gantry_stat stat{};
  stat.minute = {60, 600, 30'000};
  broker_->counted["T"] = broker_->counted["T@G"] = stat;
  const std::string idle = R"({"avgpt":0.00,"sum":0,"tps":0.00})";
  EXPECT_EQ(ask(tool_, 315, {{"statsName", "TOPIC_PUT_NUMS"}, {"statsKey", "T"}}).body, R"({"statsDay":)" + idle + R"(,"statsHour":)" + idle + R"(,"statsMinute":{"avgpt":1.00,"sum":60,"tps":2.00}})");
  EXPECT_EQ(ask(tool_, 315, {{"statsName", "GROUP_GET_SIZE"}, {"statsKey", "T@G"}}).body, R"({"statsDay":)" + idle + R"(,"statsHour":)" + idle + R"(,"statsMinute":{"avgpt":10.00,"sum":600,"tps":20.00}})");
  EXPECT_EQ(ask(tool_, 315, {{"statsName", "GROUP_GET_NUMS"}, {"statsKey", "T@H"}}).code, 1);
  EXPECT_EQ(ask(tool_, 315, {{"statsName", "COMMERCIAL_SEND_TIMES"}, {"statsKey", "T"}}).remark, "The stats <COMMERCIAL_SEND_TIMES> <T> not exist");
  EXPECT_EQ(ask(tool_, 315, {}).code, 1);
}

TEST_F(AdminTest, TheDiskIsSaidAsRocketMQSaysItAndWhenItWillBeFull) {
  broker_->runtime.bytes_on_disk = 10;
  broker_->runtime.free_bytes = 25;
  broker_->runtime.disk_bytes = 100;
  std::string body = ask(tool_, 28, {}).body;
  EXPECT_NE(body.find(R"("commitLogDiskRatio":"0.75")"), std::string::npos) << "of the disk, whoever fills it: " << body;
  EXPECT_EQ(body.find("commitLogFullInSeconds"), std::string::npos) << "not in sight";
  EXPECT_NE(body.find(R"("commitLogFull":"false")"), std::string::npos) << body;
  broker_->runtime.full_in_ms = 90'001;
  broker_->runtime.space = GANTRY_SPACE_REFUSING;
  broker_->runtime.dropped_unconsumed = 7;
  broker_->runtime.scrub_done_bytes = 1;
  broker_->runtime.scrub_total_bytes = 4;
  broker_->runtime.scrub_bad_records = 3;
  body = ask(tool_, 28, {}).body;
  for (const char *part : {R"("commitLogFullInSeconds":"91")", R"("commitLogFull":"true")", R"("commitLogDroppedUnconsumed":"7")", R"("commitLogScrubProgress":"0.25")", R"("commitLogScrubBadRecords":"3")"})
    EXPECT_NE(body.find(part), std::string::npos) << part << " is not in " << body;
}

TEST_F(AdminTest, OffsetsOfAllGroups) {
  (void)broker_->group_handle("G");
  (void)broker_->group_handle("H");
  broker_->committed = {{"G", "T", 0, 12}, {"H", "T", 0, 20}, {"low", "T", 0, 1}};
  EXPECT_EQ(ask(tool_, 43, {}).body, R"({"offsetTable":{"T@G":{"0":12},"T@H":{"0":20},"T@low":{"0":1}}})");
  EXPECT_EQ(ask(tool_, 308, {{"topic", "T"}, {"compareGroup", "X"}}).body, R"({"correctionOffsets":{"0":12}})") << "offsets of what was dropped do not count";
  EXPECT_EQ(ask(tool_, 308, {{"topic", "T"}, {"compareGroup", "X"}, {"filterGroups", "a,G"}}).body, R"({"correctionOffsets":{"0":20}})");
  EXPECT_EQ(ask(tool_, 308, {{"topic", "T"}, {"compareGroup", "G"}, {"filterGroups", "G"}}).body, R"({"correctionOffsets":{"0":9223372036854775807}})");
  EXPECT_EQ(ask(tool_, 308, {{"topic", "X"}, {"compareGroup", "G"}}).code, 17);
}

TEST_F(AdminTest, OffsetsAreCloned) {
  (void)broker_->group_handle("G");
  broker_->auto_create_groups = true;
  broker_->topics["U"] = {};
  broker_->committed = {{"G", "T", 0, 12}, {"G", "U", 3, 7}};
  ASSERT_EQ(feed(tool_, request(314, 1, {{"srcGroup", "G"}, {"destGroup", "H"}, {"topic", "T"}, {"offline", "false"}})), GANTRY_OK);
  turn();
  EXPECT_TRUE(replies(tool_).empty()) << "not before the row is written";
  ASSERT_EQ(broker_->commits_waited_for.size(), 1u);
  EXPECT_EQ(broker_->commits[0].group, "H");
  EXPECT_EQ(broker_->commits[0].offset, 12);
  broker_->complete(broker_->commits_waited_for[0], GANTRY_OK, 0);
  turn();
  EXPECT_EQ(reply(tool_).code, 0);
  // A connected group's topics that it does not subscribe to are left out, unless asked for offline.
  broker_->consumer_groups["G"] = {{5, "one"}};
  broker_->subscriptions["G"] = {{"U", "", "*", 1}};
  ASSERT_EQ(feed(tool_, request(314, 2, {{"srcGroup", "G"}, {"destGroup", "H"}})), GANTRY_OK);
  ASSERT_EQ(broker_->commits_waited_for.size(), 2u);
  EXPECT_EQ(broker_->commits[1].topic, "U");
  broker_->complete(broker_->commits_waited_for[1], GANTRY_E_IO, 0);
  turn();
  EXPECT_EQ(reply(tool_).code, 1);
  EXPECT_EQ(ask(tool_, 314, {{"srcGroup", "nobody"}, {"destGroup", "H"}}).code, 26);
  broker_->auto_create_groups = false;
  EXPECT_EQ(ask(tool_, 314, {{"srcGroup", "G"}, {"destGroup", "never"}}).code, 26);
}

TEST_F(AdminTest, EntriesOfAQueue) {
  broker_->entries["T@0"] = {{10, {100, 65, 7, "12345"}}, {11, {105, 66, 8, "1234"}}, {12, {109, 0, 9, "1"}}};
  const Fields fields = {{"topic", "T"}, {"queueId", "0"}, {"index", "10"}, {"count", "2"}};
  EXPECT_EQ(ask(tool_, 321, fields).body, R"({"maxQueueIndex":30,"minQueueIndex":3,"queueData":[{"eval":true,"physicOffset":100,"physicSize":5,"tagsCode":65},)"
                                          R"({"eval":true,"physicOffset":105,"physicSize":4,"tagsCode":66}]})");
  broker_->consumer_groups["G"] = {{5, "one"}};
  broker_->subscriptions["G"] = {{"T", "", "B", 1}};
  Fields filtered = fields;
  filtered.push_back({"consumerGroup", "G"});
  const std::string body = ask(tool_, 321, filtered).body;
  EXPECT_NE(body.find(R"({"eval":false,"physicOffset":100,)"), std::string::npos) << body;
  EXPECT_NE(body.find(R"({"eval":true,"physicOffset":105,)"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("subscriptionData":{"classFilterMode":false)"), std::string::npos) << body;
  const Fields outside = {{"topic", "T"}, {"queueId", "0"}, {"index", "2"}, {"count", "2"}};
  EXPECT_EQ(ask(tool_, 321, outside).body, R"({"maxQueueIndex":30,"minQueueIndex":3,"queueData":[]})");
  EXPECT_EQ(ask(tool_, 321, {{"topic", "T"}, {"queueId", "2"}, {"index", "2"}, {"count", "2"}}).code, 1);
  EXPECT_EQ(ask(tool_, 321, {{"topic", "T"}, {"queueId", "0"}, {"index", "x"}, {"count", "2"}}).code, 1);
  EXPECT_EQ(ask(tool_, 321, {{"topic", "X"}}).code, 17);
}

TEST_F(AdminTest, ProgressOfAllGroupsAndTimeSpans) {
  broker_->groups["G"] = broker_->groups["idle"] = gantry_group_settings{};
  (void)broker_->group_handle("G");
  broker_->committed = {{"G", "T", 0, 12}};
  broker_->offsets["G@T@0"] = 12;
  broker_->entries["T@0"] = {{11, {110, 0, 1'700'000'000'011, ""}}, {12, {120, 0, 1'700'000'000'012, ""}}, {29, {290, 0, 1'700'000'000'029, ""}}};
  host_.freeze_clock(1'700'000'001'000);
  EXPECT_EQ(ask(tool_, 317, {{"isOrder", "false"}}).body,
            R"({"brokerAddr":"10.0.0.9:10911","consumeStatsList":[{"G":[{"consumeTps":0.00,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:)"
            R"({"brokerOffset":30,"consumerOffset":12,"lastTimestamp":1700000000011},{"brokerName":"broker-a","queueId":1,"topic":"T"}:)"
            R"({"brokerOffset":0,"consumerOffset":0,"lastTimestamp":0}}}]}],"totalDiff":18})");
  EXPECT_EQ(ask(tool_, 317, {{"isOrder", "true"}}).body, R"({"brokerAddr":"10.0.0.9:10911","consumeStatsList":[],"totalDiff":0})");
  EXPECT_EQ(ask(tool_, 303, {{"topic", "T"}, {"group", "G"}}).body,
            R"({"consumeTimeSpanSet":[{"consumeTimeStamp":1700000000011,"delayTime":988,"maxTimeStamp":1700000000029,"messageQueue":{"brokerName":"broker-a","queueId":0,"topic":"T"},"minTimeStamp":1700000000003},)"
            R"({"consumeTimeStamp":0,"delayTime":0,"maxTimeStamp":0,"messageQueue":{"brokerName":"broker-a","queueId":1,"topic":"T"},"minTimeStamp":0}]})");
  EXPECT_EQ(ask(tool_, 303, {{"topic", "X"}, {"group", "G"}}).code, 17);
}

TEST_F(AdminTest, ManyQueuesAreAskedAFewAtATime) {
  broker_->topics["wide"] = {0, 6, 1000, 1000, {}};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    broker_->stats["wide"][i] = gantry_queue_stat{0, 1, 1, 5};
    broker_->entries["wide@" + std::to_string(i)] = {{0, {0, 0, 5, ""}}};
  }
  ASSERT_EQ(feed(tool_, request(202, 1, {{"topic", "wide"}})), GANTRY_OK);
  EXPECT_EQ(broker_->queue_reads, 64u);
  for (int i = 0; i < 20; ++i) turn();
  EXPECT_EQ(broker_->queue_reads, 1000u);
  const std::string body = reply(tool_).body;
  EXPECT_EQ(body.find(R"("lastUpdateTimestamp":0)"), std::string::npos);
}

TEST_F(AdminTest, AToolThatLeavesEndsItsJob) {
  broker_->topics["wide"] = {0, 6, 1000, 1000, {}};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    broker_->stats["wide"][i] = gantry_queue_stat{0, 1, 1, 5};
    broker_->entries["wide@" + std::to_string(i)] = {{0, {0, 0, 5, ""}}};
  }
  ASSERT_EQ(feed(tool_, request(202, 1, {{"topic", "wide"}})), GANTRY_OK);
  close(tool_);
  for (int i = 0; i < 20; ++i) turn();
  EXPECT_EQ(broker_->queue_reads, 64u);
  EXPECT_EQ(broker_->results_alive(), 0);
}

TEST_F(AdminTest, DelayLevelsAreToldByWhatWasDeliveredLast) {
  broker_->topics["RMQ_SYS_SCHEDULE_OP_TOPIC"] = {GANTRY_TOPIC_SYSTEM, 6, 2, 2, {}};
  broker_->stats["RMQ_SYS_SCHEDULE_OP_TOPIC"][1] = gantry_queue_stat{0, 5, 5, 1};
  broker_->entries["RMQ_SYS_SCHEDULE_OP_TOPIC@1"] = {{4, {0, 41, 5, ""}}};
  EXPECT_EQ(ask(tool_, 45, {}).body, R"({"offsetTable":{"1":0,"2":42}})");
  broker_->topics.erase("RMQ_SYS_SCHEDULE_OP_TOPIC");
  EXPECT_EQ(ask(tool_, 45, {}).code, 17);
}

TEST_F(AdminTest, ThereIsNothingToCleanBesideTheLog) {
  for (const std::int32_t code : {306, 316, 329}) EXPECT_EQ(ask(tool_, code, {}).code, 0);
}

}  // namespace
}  // namespace gantry::remoting::test
