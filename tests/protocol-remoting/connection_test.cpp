// The component as a whole: life cycle, damaged input, dribble, requests that it does not serve.
#include "remoting/settings.hpp"
#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {
namespace {

using ConnectionTest = RemotingTest;

TEST_F(ConnectionTest, Description) {
  start();
  gantry_protocol_description d{};
  table_.describe(self_, &d);
  EXPECT_EQ(d.default_port, 10911u);
  ASSERT_EQ(d.n_extra_ports, 1u);
  EXPECT_EQ(d.extra_port_offsets[0], -2);
  EXPECT_EQ(d.max_input_bytes, kFrameMaxBytes);
}

TEST_F(ConnectionTest, UnknownCodesAreAnsweredExactly) {
  start();
  const gantry_conn c = open();
  for (const std::int32_t code : {999, 38765, 9, 105, 103, 301, 302, 200050, -1}) {
    const Reply r = ask(c, code, {});
    EXPECT_EQ(r.code, 3);
    EXPECT_EQ(r.remark, " request type " + std::to_string(code) + " not supported");
  }
  ASSERT_EQ(feed(c, request(999, 1, {}, "", 2)), GANTRY_OK);
  EXPECT_TRUE(replies(c).empty());
  EXPECT_EQ(host_.metric("remoting_unsupported_requests_total"), 10u);
}

TEST_F(ConnectionTest, VipPortServesTheSame) {
  start();
  EXPECT_EQ(ask(open(1), 30, {{"topic", "T"}, {"queueId", "0"}}).code, 0);
}

TEST_F(ConnectionTest, OneByteAtATime) {
  start();
  const gantry_conn c = open();
  const std::string bytes = request(310, 1, send_fields(), "hello") + request(30, 2, {{"topic", "T"}, {"queueId", "0"}}) +
                            frame(binary_header(11, 3, pull_fields()), "", 1);
  for (const char byte : bytes) ASSERT_EQ(feed(c, std::string(1, byte)), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 1u);
  EXPECT_EQ(broker_->produced[0].body, "hello");
  EXPECT_EQ(broker_->fetched.size(), 1u);
  EXPECT_EQ(reply(c).opaque, 2);
}

TEST_F(ConnectionTest, NeedTellsTheSizeOfTheNextFrame) {
  start();
  const gantry_conn c = open();
  const std::string bytes = request(310, 1, send_fields(), std::string(1000, 'x'));
  ASSERT_EQ(feed(c, bytes.substr(0, 3)), GANTRY_OK);
  EXPECT_EQ(peers_[c].need, 0u);
  ASSERT_EQ(feed(c, bytes.substr(3, 20)), GANTRY_OK);
  EXPECT_EQ(peers_[c].need, bytes.size());
  ASSERT_EQ(feed(c, bytes.substr(23)), GANTRY_OK);
  EXPECT_EQ(peers_[c].need, 0u);
  EXPECT_EQ(broker_->produced.size(), 1u);
}

TEST_F(ConnectionTest, DamageClosesTheConnectionAfterWhatWasGood) {
  start();
  const std::string good = request(30, 1, {{"topic", "T"}, {"queueId", "0"}});
  for (const std::string &bad :
       {be(kFrameMaxBytes, 4), be(3, 4), frame("{}", "", 9), be(10, 4) + be(0, 1) + be(7, 3), frame("{\"code\":", "x"), frame("not json"),
        frame("", ""), frame("\1\2\3", "", 1), frame("{\"x\":" + std::string(60000, '['), ""), std::string("GET / HTTP/1.0\r\n\r\n")}) {
    const gantry_conn c = open();
    EXPECT_EQ(feed(c, good + bad), GANTRY_E_CORRUPT);
    EXPECT_EQ(reply(c).opaque, 1);
    close(c);
  }
  EXPECT_EQ(host_.metric("remoting_bad_frames_total"), 10u);
  EXPECT_TRUE(host_.logged("192.0.0.7:50000 does not speak the protocol"));
}

TEST_F(ConnectionTest, SendsBeforeADamagedFrameAreStored) {
  start();
  const gantry_conn c = open();
  EXPECT_EQ(feed(c, request(310, 1, send_fields(), "a") + be(3, 4)), GANTRY_E_CORRUPT);
  EXPECT_EQ(broker_->produced.size(), 1u);
}

TEST_F(ConnectionTest, ManyLargeHeadersInOneInput) {
  start();
  const gantry_conn c = open();
  std::string bytes;
  for (int i = 0; i < 64; ++i) {
    std::string props;
    for (int k = 0; k < 1000; ++k) props += "key" + std::to_string(k) + "\1v" + std::to_string(i) + "\2";
    bytes += request(310, i, send_fields("T", 0, props), "x");
  }
  ASSERT_EQ(feed(c, bytes), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 64u);
  for (int i = 0; i < 64; ++i)
    EXPECT_NE(broker_->produced[static_cast<std::size_t>(i)].props.find("key999\1v" + std::to_string(i) + "\2"), std::string::npos);
}

TEST_F(ConnectionTest, RepliesFromClientsAreIgnored) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x", 1)), GANTRY_OK);
  EXPECT_TRUE(broker_->produced.empty());
  EXPECT_TRUE(replies(c).empty());
}

TEST_F(ConnectionTest, DrainKeepsAnsweringWhatIsDue) {
  start();
  const gantry_conn c = open();
  ASSERT_EQ(feed(c, request(310, 1, send_fields(), "x")), GANTRY_OK);
  table_.conn_drain(self_, peers_[c].state);
  broker_->complete_produce(0, 0, 0, 0);
  turn();
  EXPECT_EQ(reply(c).code, 0);
}

TEST_F(ConnectionTest, NameServerConnectionsGoToTheRegistrar) {
  start({{"advertise", "10.0.0.9:10911"}, {"nameservers", "10.0.0.1:9876"}});
  EXPECT_EQ(component_.ready(self_), GANTRY_PENDING);
  for (int i = 0; i < 10 && net_.connects.empty(); ++i) turn();
  ASSERT_EQ(net_.connects.size(), 1u);
  EXPECT_EQ(net_.connects[0].address, "10.0.0.1:9876");
  gantry_conn_info info{};
  info.size = sizeof info;
  info.flags = GANTRY_CONN_OUTBOUND;
  info.user_data = net_.connects[0].user_data;
  info.peer = str("10.0.0.1:9876");
  info.peer_ip_bytes = info.local_ip_bytes = 4;
  const gantry_conn c = 900;
  net_.conns[c];
  void *state = nullptr;
  host_.on_shard(0, [&] { ASSERT_EQ(table_.conn_open(self_, c, &info, &state), GANTRY_OK); });
  peers_[c].state = state;
  turn();
  turn();
  const Reply registration = reply(c);
  EXPECT_EQ(registration.code, 103);
  EXPECT_EQ(registration.ext.at("brokerAddr"), "10.0.0.9:10911");
  host_.on_shard(0, [&] { EXPECT_EQ(feed(c, frame(java_header(0, registration.opaque, {}, 1))), GANTRY_OK); });
  EXPECT_EQ(component_.ready(self_), GANTRY_OK);
  gantry_event changed{};
  changed.kind = GANTRY_EVENT_TOPICS_CHANGED;
  event(changed);
  turn();
  turn();
  EXPECT_EQ(reply(c).code, 103);
}

TEST_F(ConnectionTest, OutboundConnectionNobodyAskedForIsRefused) {
  start();
  gantry_conn_info info{};
  info.size = sizeof info;
  info.flags = GANTRY_CONN_OUTBOUND;
  info.user_data = 5;
  void *state = nullptr;
  EXPECT_EQ(table_.conn_open(self_, 900, &info, &state), GANTRY_E_CLOSED);
  table_.connect_failed(self_, 0, 5, nullptr);
}

TEST_F(ConnectionTest, StartRefusesAnAddressThatIsNone) {
  for (const char *address : {"10.0.0.9", "10.0.0.9:0", "10.0.0.9:70000", "10.0.0.9:x", ":10911", "fd00::5:10911", "no such host:1"}) {
    const gantry::test::FakeConfig config(component_, {{"advertise", address}});
    void *self = nullptr;
    gantry_error error{};
    ASSERT_EQ(component_.create(host_.abi(), config.abi(), &self, &error), GANTRY_OK);
    host_.on_control([&] { EXPECT_EQ(component_.start(self, &error), GANTRY_E_CONFIG) << address; });
    EXPECT_NE(std::string(error.text).find("advertise"), std::string::npos) << error.text;
    component_.destroy(self);
  }
}

TEST_F(ConnectionTest, CreateRefusesARegionThatCannotBeStored) {
  for (const auto &[region, status] : {std::pair{std::string(200, 'r'), GANTRY_OK}, {std::string(201, 'r'), GANTRY_E_CONFIG}, {std::string("a\x02" "b"), GANTRY_E_CONFIG}}) {
    const gantry::test::FakeConfig config(component_, {{"region", region}});
    void *self = nullptr;
    gantry_error error{};
    EXPECT_EQ(component_.create(host_.abi(), config.abi(), &self, &error), status) << region;
    if (status == GANTRY_OK) component_.destroy(self);
    else EXPECT_NE(std::string(error.text).find("region"), std::string::npos) << error.text;
  }
}

TEST_F(ConnectionTest, StartThatFailsHalfWayCleansUp) {
  const gantry::test::FakeConfig config(component_, {{"nameservers", "no-port"}});
  void *self = nullptr;
  gantry_error error{};
  ASSERT_EQ(component_.create(host_.abi(), config.abi(), &self, &error), GANTRY_OK);
  host_.on_control([&] { EXPECT_EQ(component_.start(self, &error), GANTRY_E_CONFIG); });
  EXPECT_NE(std::string(error.text).find("no-port"), std::string::npos) << error.text;
  component_.destroy(self);
  EXPECT_EQ(host_.leftovers(), 0u);
}

TEST(AdvertisedAddress, NumbersAndNames) {
  const Result<StoreHost> v4 = resolve_advertised("10.0.0.9:10911");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->ip_bytes, 4u);
  EXPECT_EQ(v4->ip[3], 9);
  EXPECT_EQ(v4->port, 10911u);
  const Result<StoreHost> v6 = resolve_advertised("[::1]:10912");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->ip_bytes, 16u);
  EXPECT_EQ(v6->ip[15], 1);
  const Result<StoreHost> name = resolve_advertised("localhost:1");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->ip_bytes, 4u);
}

TEST_F(ConnectionTest, CreateNamesTheMissingTable) {
  host_.hide_table(GANTRY_BROKER_ID);
  const gantry::test::FakeConfig config(component_, {});
  void *self = nullptr;
  gantry_error error{};
  EXPECT_EQ(component_.create(host_.abi(), config.abi(), &self, &error), GANTRY_E_UNSUPPORTED);
  EXPECT_NE(std::string(error.text).find(GANTRY_BROKER_ID), std::string::npos);
}

}  // namespace
}  // namespace gantry::remoting::test
