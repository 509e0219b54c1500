// INVOKE_BROKER_TO_RESET_OFFSET.
#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {
namespace {

class ResetTest : public RemotingTest {
 protected:
  void SetUp() override {
    start();
    tool_ = open();
    broker_->topics["T"] = {0, 6, 2, 2, {}};
    broker_->stats["T"][0] = gantry_queue_stat{0, 30, 30, 1};
    (void)broker_->group_handle("G");
    broker_->offsets["G@T@0"] = 20;
    broker_->offsets["G@T@1"] = 5;
  }
  void ask_reset(const std::string &time, const std::string &force, Fields more = {}) {
    Fields fields{{"group", "G"}, {"topic", "T"}, {"timestamp", time}, {"isForce", force}};
    fields.insert(fields.end(), more.begin(), more.end());
    ASSERT_EQ(feed(tool_, request(222, 1, fields)), GANTRY_OK);
  }
  void settle() {
    for (int i = 0; i < 4; ++i) turn();
  }
  static std::string body(int first, int second) {
    return R"({"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:)" + std::to_string(first) +
           R"(,{"brokerName":"broker-a","queueId":1,"topic":"T"}:)" + std::to_string(second) + "}}";
  }
  gantry_conn tool_ = 0;
};

TEST_F(ResetTest, MembersAreToldAndTheBrokerKeepsWhatIsCommitted) {
  const gantry_conn java = open(), cpp = open();
  broker_->consumer_groups["G"] = {{java, "j"}, {cpp, "c", 0, 1}};
  ask_reset("1700000000000", "true");
  ASSERT_EQ(broker_->seeks.size(), 1u);  // queue 1 was never used
  EXPECT_EQ(broker_->seeks[0].value, 1700000000000);
  EXPECT_TRUE(replies(tool_).empty());
  broker_->complete(broker_->seeks[0], GANTRY_OK, 25);
  settle();
  EXPECT_EQ(reply(tool_).body, body(25, 0));
  const Reply told = reply(java);
  EXPECT_EQ(told.code, 220);
  EXPECT_EQ(told.flag, 2);
  EXPECT_EQ(told.ext.at("topic"), "T");
  EXPECT_EQ(told.ext.at("group"), "G");
  EXPECT_EQ(told.body, body(25, 0));
  EXPECT_EQ(reply(cpp).body,
            R"({"offsetTable":[{"brokerName":"broker-a","offset":25,"queueId":0,"topic":"T"},{"brokerName":"broker-a","offset":0,"queueId":1,"topic":"T"}]})");
  EXPECT_TRUE(broker_->commits.empty());
}

TEST_F(ResetTest, WithoutForceNothingMovesForward) {
  const gantry_conn java = open();
  broker_->consumer_groups["G"] = {{java, "j"}};
  ask_reset("-1", "false");
  settle();
  EXPECT_EQ(reply(tool_).body, body(20, 0));
  ask_reset("-1", "true");
  settle();
  EXPECT_EQ(reply(tool_).body, body(30, 0));
}

TEST_F(ResetTest, WithoutMembersTheCommittedOffsetsAreRewrittenBeforeTheAnswer) {
  ask_reset("-1", "true");
  ASSERT_EQ(broker_->commits.size(), 2u);
  EXPECT_EQ(broker_->commits[0].offset, 30);
  EXPECT_EQ(broker_->commits[1].offset, 0);
  ASSERT_EQ(broker_->commits_waited_for.size(), 2u);
  broker_->complete(broker_->commits_waited_for[0], GANTRY_OK, 0);
  settle();
  EXPECT_TRUE(replies(tool_).empty());
  broker_->complete(broker_->commits_waited_for[1], GANTRY_OK, 0);
  settle();
  EXPECT_EQ(reply(tool_).body, body(30, 0));
}

TEST_F(ResetTest, OneQueueOnly) {
  ask_reset("-1", "true", {{"queueId", "0"}});
  ASSERT_EQ(broker_->commits_waited_for.size(), 1u);
  broker_->complete(broker_->commits_waited_for[0], GANTRY_E_IO, 0);
  settle();
  EXPECT_EQ(reply(tool_).code, 1);
}

TEST_F(ResetTest, AToolThatLeavesMeanwhile) {
  ask_reset("1700000000000", "true");
  close(tool_);
  broker_->complete(broker_->seeks[0], GANTRY_OK, 25);
  settle();
  EXPECT_TRUE(broker_->commits.empty());
}

TEST_F(ResetTest, Refusals) {
  const auto reset = [&](const char *topic, const char *group, const char *time) {
    return ask(tool_, 222, {{"group", group}, {"topic", topic}, {"timestamp", time}, {"isForce", "true"}});
  };
  EXPECT_EQ(reset("X", "G", "-1").remark, "[reset-offset] reset offset failed, no topic in this broker. topic=X");
  EXPECT_EQ(reset("T", "H", "-1").remark, "THe consumer group <H> not exist");
  EXPECT_EQ(reset("T", "G", "soon").code, 1);
  broker_->offsets.erase("G@T@1");
  EXPECT_EQ(reset("T", "G", "-1").remark, "THe consumer group <G> not exist");
  broker_->offsets["G@T@1"] = 5;
  ask_reset("1700000000000", "true");
  broker_->complete(broker_->seeks[0], GANTRY_E_IO, 0);
  settle();
  EXPECT_EQ(reply(tool_).code, 1);
  EXPECT_TRUE(broker_->commits.empty());
}

}  // namespace
}  // namespace gantry::remoting::test
