// Stand-in for the kernel's connections: what a protocol sends is kept per connection, connect requests wait for the test's answer.
#pragma once

#include <gantry/draft/net.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test {

class FakeNet {
 public:
  struct Output {
    std::string bytes;
    bool closed = false;  // by the protocol
    std::uint32_t how = 0;
    std::string reason;
  };
  struct ConnectRequest {
    std::uint32_t shard = 0, tls = 0;
    std::string address;
    std::uint64_t user_data = 0;
  };

  FakeNet() { current_ = this; }
  ~FakeNet() { current_ = nullptr; }
  FakeNet(const FakeNet &) = delete;
  FakeNet &operator=(const FakeNet &) = delete;

  [[nodiscard]] static const gantry_net_v1 *table();

  Output &output(gantry_conn conn) { return outputs_[conn]; }
  // Takes what was sent on it.
  std::string take(gantry_conn conn) { return std::exchange(outputs_[conn].bytes, {}); }
  std::deque<ConnectRequest> connects;
  bool full = false;             // send answers E_AGAIN
  std::int32_t connect_code = 0;  // what connect answers

 private:
  static FakeNet *current_;  // the table has no room for a pointer of ours; one per process at a time
  std::map<gantry_conn, Output> outputs_;
};

}  // namespace gantry::test
