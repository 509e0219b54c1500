#include "server.hpp"

#include "nameserver/component.hpp"
#include "support/test_util.h"

namespace gantry::test {

using remoting::kNameserverComponent;

Server::Server(const ConfigTexts &texts, std::uint32_t shards) : host(shards) {
  host.freeze_clock(1'700'000'000'000);
  host.add_table(GANTRY_NET_ID, FakeNet::table());
  config_ = std::make_unique<FakeConfig>(kNameserverComponent, texts);
  table_ = static_cast<const gantry_protocol_v1 *>(kNameserverComponent.vtable);
  host.on_control([this] {
    gantry_error error{};
    require(kNameserverComponent.create(host.abi(), config_->abi(), &self_, &error) == GANTRY_OK, error.text);
    require(kNameserverComponent.start(self_, &error) == GANTRY_OK, error.text);
  });
  host.turn();
}

Server::~Server() {
  while (!connections_.empty()) close(connections_.begin()->first);
  host.on_control([this] {
    kNameserverComponent.stop(self_);
    kNameserverComponent.destroy(self_);
  });
  require(host.leftovers() == 0, "the name server left timers or watches behind");
}

gantry_conn Server::open(std::uint32_t shard) {
  const gantry_conn conn = ++last_conn_;
  const std::string peer = "10.0.0.9:" + std::to_string(40000 + conn);
  gantry_conn_info info{};
  info.size = sizeof info;
  info.shard = shard;
  info.local_port = 9876;
  info.peer = {peer.data(), static_cast<std::uint32_t>(peer.size()), 0};
  Connection &connection = connections_[conn];
  connection.shard = shard;
  host.on_shard(shard, [&] { require(table_->conn_open(self_, conn, &info, &connection.state) == GANTRY_OK, "conn_open failed"); });
  return conn;
}

std::int32_t Server::feed(gantry_conn conn, const std::string &bytes) {
  Connection &connection = connections_.at(conn);
  connection.waiting += bytes;
  std::uint32_t consumed = 0;
  std::int32_t code = GANTRY_OK;
  host.on_shard(connection.shard, [&] {
    code = table_->on_bytes(self_, connection.state, reinterpret_cast<const std::uint8_t *>(connection.waiting.data()),
                            static_cast<std::uint32_t>(connection.waiting.size()), &consumed, &need);
  });
  connection.waiting.erase(0, consumed);
  return code;
}

void Server::close(gantry_conn conn) {
  const Connection connection = connections_.at(conn);
  connections_.erase(conn);
  host.on_shard(connection.shard, [&] { table_->conn_close(self_, connection.state, GANTRY_OK); });
}

ReplyText Server::ask(gantry_conn conn, const RequestText &request) {
  net.take(conn);
  if (feed(conn, frame_of(request)) != GANTRY_OK) return {};
  std::string bytes = net.take(conn);
  while (bytes.empty() && host.turn()) bytes = net.take(conn);  // some answers wait for the disk
  const auto replies = read_frames(bytes);
  return replies.size() == 1 && replies[0].opaque == request.opaque && replies[0].flag == 1 ? replies[0] : ReplyText{};
}

}  // namespace gantry::test
