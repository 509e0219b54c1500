// Everything of a remoting instance that runs on one shard: its connections, the loop over frames, and completions.
#pragma once

#include "access/gate.hpp"
#include "codec/header.hpp"
#include "codec/scratch.hpp"
#include "remoting/client_calls.hpp"
#include "remoting/client_requests.hpp"
#include "remoting/group_info.hpp"
#include "remoting/pop_requests.hpp"
#include "remoting/puller.hpp"
#include "remoting/relay_requests.hpp"
#include "remoting/request.hpp"
#include "remoting/reset_requests.hpp"
#include "remoting/sender.hpp"
#include "remoting/tool_jobs.hpp"
#include "remoting/transaction_requests.hpp"

#include <gantry/draft/protocol.h>

#include <atomic>
#include <memory>
#include <vector>

namespace gantry::remoting {

class Shard {
 public:
  Shard(const Services &services, const Settings &settings, const std::atomic<std::uint64_t> &topics_generation, std::uint32_t index);
  Shard(const Shard &) = delete;
  Shard &operator=(const Shard &) = delete;

  // E_NOMEM: no completion queue. [thread: control]
  [[nodiscard]] std::int32_t start();
  // No completion arrives afterwards. [thread: the shard, or control while the shards are stopped]
  void stop();

  [[nodiscard]] Connection *open(gantry_conn conn, const gantry_conn_info &info);
  void close(Connection &conn);
  // As gantry_protocol_v1.on_bytes.
  [[nodiscard]] std::int32_t on_bytes(Connection &conn, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed, std::uint32_t *need);
  void notify_consumers_changed(gantry_conn conn, std::string_view group);
  void check_transaction(const gantry_event &event) { transactions_.check(event); }
  void flush_output() { ctx_.output.flush(); }
  [[nodiscard]] ClientCalls &calls() { return calls_; }
  // Before the first request. [thread: control]
  void use_routes(TopicRoutes *routes) { ctx_.routes = routes; }

 private:
  struct Cells {  // metrics of this shard
    std::uint64_t *requests, *unsupported, *bad_frames, *slow_readers, *refused;
  };

  static void on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  void complete(const gantry_cqe &cqe);
  Step handle(const Request &request, std::uint32_t &again_at);
  [[nodiscard]] bool handle_tools(const Request &request);
  Step handle_others(const Request &request, std::uint32_t &again_at);
  Step flush(std::uint32_t &again_at);
  [[nodiscard]] std::int32_t broken(const Connection &conn, const char *what);

  ShardContext ctx_;
  const std::uint32_t index_;
  Gate gate_;
  Scratch scratch_;
  Header header_;
  Recalls recalls_;
  Sender sender_;
  Puller puller_;
  ClientRequests clients_;
  ClientCalls calls_;
  RelayRequests relays_;
  ResetRequests resets_;
  TransactionRequests transactions_;
  PopRequests pops_;
  ToolJobs tools_;
  Cells cells_{};
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection *> free_connections_;
};

}  // namespace gantry::remoting
