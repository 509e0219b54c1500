// A started remoting component between fakes, and peers that talk to it with bytes.
#pragma once

#include "fake_broker.hpp"
#include "fake_net.hpp"
#include "remoting/component.hpp"
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "wire.hpp"

#include <gantry/draft/protocol.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::remoting::test {

struct Reply {  // a decoded frame with its own copies
  std::int32_t code = 0, opaque = 0, flag = 0, version = 0;
  SerializeType type = SerializeType::kJson;
  std::string remark, body, header_text;
  std::map<std::string, std::string> ext;
};

// Every whole frame in the bytes; fails the test when something is left over or damaged.
[[nodiscard]] std::vector<Reply> decode_all(const std::string &bytes);

class RemotingTest : public testing::Test {
 protected:
  RemotingTest();
  ~RemotingTest() override;

  void start(const gantry::test::ConfigTexts &config = {{"advertise", "10.0.0.9:10911"}});
  gantry_conn open(std::uint32_t listener = 0);
  gantry_conn open_on(std::uint32_t shard, std::uint32_t listener = 0);
  void close(gantry_conn conn);
  // Gives bytes to the component as the kernel does: what is not consumed is offered again with the next ones. Returns its status.
  std::int32_t feed(gantry_conn conn, const std::string &bytes);
  // Offers again what was left.
  std::int32_t offer(gantry_conn conn) { return feed(conn, ""); }
  void turn();
  // What was written since the last call.
  [[nodiscard]] std::vector<Reply> replies(gantry_conn conn);
  [[nodiscard]] Reply reply(gantry_conn conn);  // exactly one
  // One request, its reply.
  Reply ask(gantry_conn conn, std::int32_t code, const Fields &fields, const std::string &body = {});
  void event(const gantry_event &event);

  [[nodiscard]] static std::string request(std::int32_t code, std::int32_t opaque, const Fields &fields, const std::string &body = {},
                                           std::int32_t flag = 0) {
    return frame(java_header(code, opaque, fields, flag), body);
  }
  [[nodiscard]] static Fields send_fields(const std::string &topic = "T", int queue = 0, const std::string &props = "KEYS\1k");
  [[nodiscard]] static Fields pull_fields(const std::string &topic = "T", int queue = 0, std::int64_t offset = 0, int sys_flag = 2);

  gantry::test::FakeHost host_{2};
  FakeNet net_;
  std::optional<FakeBroker> broker_;
  const gantry_component &component_ = kRemotingComponent;
  const gantry_protocol_v1 &table_ = *static_cast<const gantry_protocol_v1 *>(kRemotingComponent.vtable);
  void *self_ = nullptr;
  bool started_ = false;
  struct Peer {
    void *state = nullptr;
    std::string input;  // not consumed yet
    std::uint32_t need = 0;
  };
  std::map<gantry_conn, Peer> peers_;

 private:
  std::optional<gantry::test::FakeConfig> config_;
  gantry_conn next_conn_ = 100;
  std::int32_t next_opaque_ = 1000;
};

}  // namespace gantry::remoting::test
