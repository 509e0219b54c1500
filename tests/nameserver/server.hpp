// A running name server component over a fake host and a fake net, driven through its C tables only.
#pragma once

#include "fake_net.hpp"
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "wire.hpp"

#include <gantry/draft/protocol.h>

#include <map>
#include <memory>
#include <string>

namespace gantry::test {

class Server {
 public:
  explicit Server(const ConfigTexts &texts = {}, std::uint32_t shards = 1);
  ~Server();

  gantry_conn open(std::uint32_t shard = 0);
  // Hands over bytes as the kernel would, with what was not consumed before in front; returns on_bytes' code.
  std::int32_t feed(gantry_conn conn, const std::string &bytes);
  void close(gantry_conn conn);
  // One request, one reply (code -1 when there was none or several).
  ReplyText ask(gantry_conn conn, const RequestText &request);

  FakeHost host;
  FakeNet net;
  std::uint32_t need = 0;  // of the latest on_bytes

 private:
  struct Connection {
    std::uint32_t shard = 0;
    void *state = nullptr;
    std::string waiting;
  };
  std::unique_ptr<FakeConfig> config_;
  const gantry_protocol_v1 *table_ = nullptr;
  void *self_ = nullptr;
  gantry_conn last_conn_ = 0;
  std::map<gantry_conn, Connection> connections_;
};

}  // namespace gantry::test
