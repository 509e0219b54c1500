#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting::test {

std::vector<Reply> decode_all(const std::string &bytes) {
  std::vector<Reply> out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    Frame frame;
    const auto status = split_frame(reinterpret_cast<const std::uint8_t *>(bytes.data()) + at, static_cast<std::uint32_t>(bytes.size() - at), frame);
    EXPECT_EQ(status, FrameStatus::kWhole) << "damaged output";
    if (status != FrameStatus::kWhole) break;
    Scratch scratch(kHeaderMaxBytes);
    auto header = std::make_unique<Header>();
    const char *wrong = frame.header.size() > kHeaderMaxBytes ? "large" : decode_header(frame, scratch, *header);
    EXPECT_EQ(wrong, nullptr) << frame.header;
    Reply r{header->code, header->opaque, header->flag, header->version, header->type, std::string(header->remark), std::string(frame.body),
            std::string(frame.header), {}};
    for (std::uint32_t i = 0; i < header->n_ext; ++i) r.ext[std::string(header->ext[i].key)] = header->ext[i].value;
    out.push_back(r);
    at += frame.total_bytes;
  }
  return out;
}

RemotingTest::RemotingTest() {
  broker_.emplace(host_.abi());
  broker_->topics["T"] = {};
  host_.add_table(GANTRY_NET_ID, FakeNet::table());
  host_.add_table(GANTRY_BROKER_ID, FakeBroker::broker_table());
  host_.add_table(GANTRY_SESSION_ID, FakeBroker::session_table());
  host_.add_table(GANTRY_ADMIN_ID, FakeBroker::admin_table());
}

RemotingTest::~RemotingTest() {
  for (auto &[conn, peer] : peers_)
    if (peer.state != nullptr) table_.conn_close(self_, peer.state, GANTRY_E_CLOSED);
  if (started_) host_.on_control([this] { component_.stop(self_); });
  if (self_ != nullptr) component_.destroy(self_);
}

void RemotingTest::start(const gantry::test::ConfigTexts &config) {
  config_.emplace(component_, config);
  gantry_error error{};
  ASSERT_EQ(component_.create(host_.abi(), config_->abi(), &self_, &error), GANTRY_OK) << error.text;
  host_.on_control([&] { ASSERT_EQ(component_.start(self_, &error), GANTRY_OK) << error.text; });
  started_ = true;
  turn();
}

gantry_conn RemotingTest::open(std::uint32_t listener) { return open_on(0, listener); }

gantry_conn RemotingTest::open_on(std::uint32_t shard, std::uint32_t listener) {
  const gantry_conn conn = next_conn_++;
  gantry_conn_info info{};
  info.size = sizeof info;
  info.shard = shard;
  info.listener = listener;
  info.peer_ip[0] = 192;
  info.peer_ip[3] = 7;
  info.peer_ip_bytes = info.local_ip_bytes = 4;
  info.peer_port = 50000;
  info.peer = str("192.0.0.7:50000");
  net_.conns[conn];
  void *state = nullptr;
  EXPECT_EQ(table_.conn_open(self_, conn, &info, &state), GANTRY_OK);
  peers_[conn].state = state;
  return conn;
}

void RemotingTest::close(gantry_conn conn) {
  net_.conns[conn].open = false;
  table_.conn_close(self_, peers_[conn].state, GANTRY_OK);
  peers_[conn].state = nullptr;
}

std::int32_t RemotingTest::feed(gantry_conn conn, const std::string &bytes) {
  Peer &peer = peers_[conn];
  peer.input += bytes;
  // A copy of exactly this size, so that a sanitizer sees every read past the end.
  const std::vector<std::uint8_t> input(peer.input.begin(), peer.input.end());
  std::uint32_t consumed = 0;
  const std::int32_t status = table_.on_bytes(self_, peer.state, input.data(), static_cast<std::uint32_t>(input.size()), &consumed, &peer.need);
  EXPECT_LE(consumed, input.size());
  EXPECT_FALSE(net_.reserved()) << "a reserve was not committed";
  peer.input.erase(0, consumed);
  return status;
}

void RemotingTest::turn() {
  host_.turn();
  EXPECT_FALSE(net_.reserved()) << "a reserve was not committed";
}

std::vector<Reply> RemotingTest::replies(gantry_conn conn) {
  const std::string bytes = std::move(net_.conns[conn].output);
  net_.conns[conn].output.clear();
  return decode_all(bytes);
}

Reply RemotingTest::reply(gantry_conn conn) {
  const std::vector<Reply> all = replies(conn);
  EXPECT_EQ(all.size(), 1u);
  return all.empty() ? Reply{} : all[0];
}

Reply RemotingTest::ask(gantry_conn conn, std::int32_t code, const Fields &fields, const std::string &body) {
  const std::int32_t opaque = next_opaque_++;
  EXPECT_EQ(feed(conn, request(code, opaque, fields, body)), GANTRY_OK);
  if (net_.conns[conn].output.empty()) turn();  // it waits for the broker
  const Reply r = reply(conn);
  EXPECT_EQ(r.opaque, opaque);
  EXPECT_EQ(r.flag, 1);
  EXPECT_EQ(r.version, 409);
  return r;
}

void RemotingTest::event(const gantry_event &event) {
  host_.on_shard(0, [&] { table_.on_events(self_, 0, &event, 1); });
}

Fields RemotingTest::send_fields(const std::string &topic, int queue, const std::string &props) {
  return {{"a", "P"}, {"b", topic}, {"c", "TBW102"}, {"d", "4"}, {"e", std::to_string(queue)}, {"f", "0"}, {"g", "1700000000000"},
          {"h", "5"}, {"i", props}, {"j", "0"}, {"k", "false"}, {"l", "0"}, {"m", "false"}, {"n", "broker-a"}};
}

Fields RemotingTest::pull_fields(const std::string &topic, int queue, std::int64_t offset, int sys_flag) {
  return {{"consumerGroup", "G"}, {"topic", topic}, {"queueId", std::to_string(queue)}, {"queueOffset", std::to_string(offset)},
          {"maxMsgNums", "32"}, {"sysFlag", std::to_string(sys_flag)}, {"commitOffset", "3"}, {"suspendTimeoutMillis", "15000"},
          {"subscription", "A||B"}, {"subVersion", "9"}, {"expressionType", "TAG"}};
}

}  // namespace gantry::remoting::test
