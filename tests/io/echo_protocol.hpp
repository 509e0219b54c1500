// A protocol for tests: frames of a 4-byte big-endian length and a payload whose first byte says what to do. And the set-up around it.
//   'E' echo the frame          'C' echo, then close after flush       'X' close now           'R' refuse the input
//   'B' + u32: reply with a frame of that many bytes, from memory with an owner
//   'Q' echo when a completion has come back through the shard's queue 'A' E_AGAIN until `gate` opens
//   'N' like 'E' but built with reserve and commit                     'S' echo from a post that another shard's post caused
#pragma once

#include <gantry/draft/protocol.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernel/base/host_context.hpp"
#include "kernel/io/shard_set.hpp"

namespace gantry::io::test {

// Polls until it is true, for up to ten seconds (longer than any machine should need).
bool eventually(const std::function<bool()> &condition, std::chrono::milliseconds limit = std::chrono::seconds(10));

struct SeenEvent {
  std::uint32_t shard;
  gantry_event event;
};

// One protocol instance with its host. Counters are read by the test while shards run.
class EchoProtocol {
 public:
  explicit EchoProtocol(std::string label = "echo");
  EchoProtocol(const EchoProtocol &) = delete;

  HostContext host;
  gantry_protocol_description description{};
  std::atomic<int> opened{0}, closed{0}, drained{0}, connect_failures{0}, outbound_opened{0}, tls_opened{0}, bad_calls{0};
  std::atomic<std::int32_t> last_reason{1};
  std::atomic<std::int32_t> open_answer{GANTRY_OK};
  std::atomic<bool> gate{true};
  std::atomic<int> again_answers{0}, send_refusals{0}, owners_alive{0};
  std::atomic<std::uint64_t> on_bytes_calls{0}, input_bytes{0};
  std::atomic<int> drain_goodbye{0};  // conn_drain sends a frame "bye"

  [[nodiscard]] std::vector<gantry_conn> connections();  // ids in order of opening, open ones only
  [[nodiscard]] std::vector<SeenEvent> events();
  [[nodiscard]] std::string failure_text();
  [[nodiscard]] gantry_conn_info last_info();
  [[nodiscard]] std::string last_peer();
  [[nodiscard]] std::string outbound_reply();  // the frame an outbound connection got back
  void use(ShardSet &set, ServiceTables &tables);  // call before traffic; makes the queues

 private:
  struct Conn;
  friend struct EchoCallbacks;
  gantry_component component_{};
  gantry_protocol_v1 table_{};
  std::mutex mutex_;
  std::vector<gantry_conn> ids_;
  std::vector<SeenEvent> events_;
  std::string failure_text_, last_peer_, outbound_reply_;
  gantry_conn_info last_info_{};
  std::vector<gantry_cq> queues_;
  std::vector<std::unique_ptr<std::vector<Conn *>>> waiting_;  // per shard, for 'Q'
};

// A running ShardSet with one listening EchoProtocol.
struct Fixture {
  IoOptions options;
  ListenOptions listen;
  EchoProtocol protocol;
  ServiceTables tables;
  std::unique_ptr<ShardSet> set;
  ListenerInfo info;

  explicit Fixture(std::uint32_t shards);
  ~Fixture();
  void start();  // after options, listen and protocol were adjusted
  [[nodiscard]] std::uint16_t port(std::size_t i = 0) const { return info.ports.at(i).port; }
};

template <typename T>
const T *table_of(const HostContext &host, const char *id) {
  return static_cast<const T *>(host.abi.query(&host.abi, id));
}

}  // namespace gantry::io::test
