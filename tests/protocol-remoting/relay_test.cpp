// Requests that the broker passes on to clients, on the same shard and on another one.
#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {
namespace {

class RelayTest : public RemotingTest {
 protected:
  // The one request of ours on the connection.
  Reply pushed(gantry_conn conn) {
    settle();
    return reply(conn);
  }
  void settle() {
    for (int i = 0; i < 4; ++i) turn();
  }
  void respond(gantry_conn conn, const Reply &to, std::int32_t code, const std::string &body, const Fields &fields = {}) {
    ASSERT_EQ(feed(conn, frame(java_header(code, to.opaque, fields, 1), body)), GANTRY_OK);
    settle();
  }
  const Fields running_info_{{"clientId", "one"}, {"consumerGroup", "G"}, {"jstackEnable", "true"}};
};

TEST_F(RelayTest, RunningInfoIsAskedOfTheClientAndItsAnswerPassedOn) {
  start();
  const gantry_conn tool = open(), client = open(), other = open();
  broker_->consumer_groups["G"] = {{other, "two"}, {client, "one"}};
  ASSERT_EQ(feed(tool, request(307, 77, running_info_)), GANTRY_OK);
  const Reply asked = pushed(client);
  EXPECT_EQ(asked.code, 307);
  EXPECT_EQ(asked.flag, 0);
  EXPECT_EQ(asked.ext.at("clientId"), "one");
  EXPECT_EQ(asked.ext.at("jstackEnable"), "true");
  EXPECT_TRUE(replies(tool).empty());
  EXPECT_TRUE(replies(other).empty());
  respond(client, asked, 0, R"({"properties":{}})");
  const Reply r = reply(tool);
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.opaque, 77);
  EXPECT_EQ(r.body, R"({"properties":{}})");
  // A second answer to the same question, and one that nobody asked for, change nothing.
  respond(client, asked, 0, "x");
  EXPECT_TRUE(replies(tool).empty());
}

TEST_F(RelayTest, AnAnswerCountsOnlyOnTheConnectionThatWasAsked) {
  start();
  const gantry_conn tool = open(), client = open(), other = open();
  broker_->consumer_groups["G"] = {{client, "one"}};
  ASSERT_EQ(feed(tool, request(307, 1, running_info_)), GANTRY_OK);
  const Reply asked = pushed(client);
  respond(other, asked, 0, "forged");
  EXPECT_TRUE(replies(tool).empty());
  respond(client, asked, 1, "", {{"k", "v"}});
  EXPECT_EQ(reply(tool).code, 1);
}

TEST_F(RelayTest, ClientOnAnotherShard) {
  start();
  const gantry_conn tool = open();
  gantry_conn client = open_on(1);
  broker_->consumer_groups["G"] = {{client, "one", 1}};
  ASSERT_EQ(feed(tool, request(307, 5, running_info_)), GANTRY_OK);
  const Reply asked = pushed(client);
  host_.on_shard(1, [&] { respond(client, asked, 0, "over there"); });
  settle();
  EXPECT_EQ(reply(tool).body, "over there");
}

TEST_F(RelayTest, SilenceAndALostConnection) {
  host_.freeze_clock(1'700'000'000'000);
  start();
  const gantry_conn tool = open(), client = open();
  broker_->consumer_groups["G"] = {{client, "one"}};
  ASSERT_EQ(feed(tool, request(307, 5, running_info_)), GANTRY_OK);
  const Reply late = pushed(client);
  host_.advance_ms(9'000);
  settle();
  EXPECT_TRUE(replies(tool).empty());
  host_.advance_ms(1'001);
  settle();
  EXPECT_EQ(reply(tool).code, 207);
  respond(client, late, 0, "too late");
  EXPECT_TRUE(replies(tool).empty());

  ASSERT_EQ(feed(tool, request(307, 6, running_info_)), GANTRY_OK);
  (void)pushed(client);
  close(client);
  settle();
  EXPECT_EQ(reply(tool).code, 1);
  // The broker still believes that the client is there.
  ASSERT_EQ(feed(tool, request(307, 7, running_info_)), GANTRY_OK);
  settle();
  EXPECT_EQ(reply(tool).code, 1);
}

TEST_F(RelayTest, NobodyOfThatName) {
  start();
  const gantry_conn tool = open();
  broker_->consumer_groups["G"] = {{open(), "two"}};
  for (const std::int32_t code : {307, 309}) {
    const Reply r = ask(tool, code, running_info_);
    EXPECT_EQ(r.code, 1);
    EXPECT_EQ(r.remark, "The Consumer <G> <one> not online");
  }
}

TEST_F(RelayTest, ConsumeDirectlyCarriesTheStoredMessage) {
  start();
  const gantry_conn tool = open(), client = open();
  broker_->consumer_groups["G"] = {{client, "one"}};
  const Fields fields{{"clientId", "one"}, {"consumerGroup", "G"}, {"msgId", "0A00000900002A9F00000000000004D2"}};
  ASSERT_EQ(feed(tool, request(309, 8, fields)), GANTRY_OK);
  ASSERT_EQ(broker_->views.size(), 1u);
  EXPECT_EQ(broker_->views[0].value, 0x4D2);
  broker_->complete_view(broker_->views[0], "stored record");
  const Reply asked = pushed(client);
  EXPECT_EQ(asked.code, 309);
  EXPECT_EQ(asked.body, "stored record");
  EXPECT_EQ(asked.ext.at("brokerName"), "broker-a");
  EXPECT_EQ(asked.ext.at("msgId"), "0A00000900002A9F00000000000004D2");
  respond(client, asked, 0, R"({"consumeResult":"CR_SUCCESS"})");
  EXPECT_EQ(reply(tool).body, R"({"consumeResult":"CR_SUCCESS"})");
  EXPECT_EQ(broker_->results_alive(), 0);

  ASSERT_EQ(feed(tool, request(309, 9, fields)), GANTRY_OK);
  broker_->complete(broker_->views[1], GANTRY_E_NOT_FOUND, 0);
  settle();
  EXPECT_EQ(reply(tool).code, 1);
  EXPECT_TRUE(replies(client).empty());
  for (const char *id : {"", "04D2", "0A00000900002A9F00000000000004DX", "0A00000900002A9FFFFFFFFFFFFFFFFF"})
    EXPECT_EQ(ask(tool, 309, {{"clientId", "one"}, {"consumerGroup", "G"}, {"msgId", id}}).code, 1) << id;
}

TEST_F(RelayTest, StatusOfAllMembers) {
  start();
  const gantry_conn tool = open(), a = open(), b = open();
  broker_->consumer_groups["G"] = {{a, "one"}, {b, "two"}};
  ASSERT_EQ(feed(tool, request(223, 8, {{"group", "G"}, {"topic", "T"}})), GANTRY_OK);
  const Reply to_a = pushed(a), to_b = pushed(b);
  EXPECT_EQ(to_a.code, 221);
  EXPECT_EQ(to_a.ext.at("topic"), "T");
  EXPECT_EQ(to_a.ext.at("group"), "G");
  respond(b, to_b, 0, R"({"messageQueueTable":{{"queueId":0}:7}})");
  EXPECT_TRUE(replies(tool).empty());
  respond(a, to_a, 1, "");
  EXPECT_EQ(reply(tool).body, R"({"consumerTable":{"two":{{"queueId":0}:7}}})");
  ASSERT_EQ(feed(tool, request(223, 9, {{"group", "G"}, {"topic", "T"}, {"clientAddr", "two"}})), GANTRY_OK);
  settle();
  EXPECT_TRUE(replies(a).empty());
  EXPECT_EQ(replies(b).size(), 1u);
  EXPECT_EQ(ask(tool, 223, {{"group", "H"}, {"topic", "T"}}).code, 1);
  EXPECT_EQ(ask(tool, 223, {{"group", "G"}, {"topic", "T"}, {"clientAddr", "three"}}).code, 1);
}

TEST_F(RelayTest, ReplyGoesToTheRequester) {
  start();
  const gantry_conn replier = open(), requester = open();
  broker_->producer_groups["P"] = {{requester, "asker"}};
  for (const std::int32_t code : {324, 325}) {
    ASSERT_EQ(feed(replier, request(code, 4, send_fields("DefaultCluster_REPLY_TOPIC", 0, "REPLY_TO_CLIENT\1asker\2CORRELATION_ID\1c"), "answer")), GANTRY_OK);
    const Reply push = pushed(requester);
    EXPECT_EQ(push.code, 326);
    EXPECT_EQ(push.body, "answer");
    EXPECT_EQ(push.ext.at("topic"), "DefaultCluster_REPLY_TOPIC");
    EXPECT_EQ(push.ext.at("producerGroup"), "P");
    EXPECT_EQ(push.ext.at("properties"), "REPLY_TO_CLIENT\1asker\2CORRELATION_ID\1c");
    EXPECT_EQ(push.ext.at("bornHost"), "192.0.0.7:50000");
    EXPECT_EQ(push.ext.at("storeHost"), "10.0.0.9:10911");
    EXPECT_EQ(push.ext.at("bornTimestamp"), "1700000000000");
    EXPECT_TRUE(replies(replier).empty());
    respond(requester, push, 0, "");
    const Reply r = reply(replier);
    EXPECT_EQ(r.code, 0);
    EXPECT_EQ(r.ext.at("msgId"), "0");
    EXPECT_EQ(r.ext.at("queueOffset"), "0");
  }
}

TEST_F(RelayTest, ReplyRefusals) {
  start();
  const gantry_conn replier = open(), requester = open();
  broker_->producer_groups["P"] = {{requester, "asker"}};
  EXPECT_EQ(ask(replier, 325, send_fields("R", 0, "KEYS\1k"), "b").remark, "REPLY_TO_CLIENT is null, can not reply message");
  EXPECT_EQ(ask(replier, 325, send_fields("R", 0, "REPLY_TO_CLIENT\1nobody"), "b").code, 1);
  EXPECT_EQ(ask(replier, 325, {{"b", "R"}}, "b").code, 1);
  EXPECT_EQ(ask(replier, 325, send_fields("R", 0, "REPLY_TO_CLIENT\1asker"), std::string((1 << 20) + 1, 'x')).code, 13);
  ASSERT_EQ(feed(replier, request(325, 1, send_fields("R", 0, "REPLY_TO_CLIENT\1asker"), "b")), GANTRY_OK);
  const Reply push = pushed(requester);
  respond(requester, push, 1, "");
  EXPECT_EQ(reply(replier).remark, "push reply message to asker fail.");
}

}  // namespace
}  // namespace gantry::remoting::test
