// Requests of ours to connected clients, wherever their connection lives: they are written on the connection's shard, and what the client
// answers (or that it did not) comes back to the shard that asked.
#pragma once

#include "remoting/request.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::remoting {

class ClientCalls;

// A connection as the broker's sessions name it.
struct ClientAddress {
  gantry_conn conn = 0;
  std::uint32_t shard = 0;
};

enum class CallEnd : std::uint8_t { kAnswered, kTimeout, kGone };

// What became of a call. The texts live during the function that gets it.
struct CallResult {
  CallEnd end = CallEnd::kGone;
  std::int32_t code = 0;
  std::string remark, body;
  std::vector<std::pair<std::string, std::string>> ext;
};

// What to send. Owns its texts: it travels between threads.
struct ClientCall {
  std::int32_t code = 0;
  std::vector<std::pair<std::string, std::string>> ext;
  std::string body;
};

// The calls of one shard. Everything runs on that shard, unless said otherwise.
class ClientCalls {
 public:
  using Done = std::function<void(const CallResult &)>;

  ClientCalls(ShardContext &ctx, std::uint32_t shard);
  ~ClientCalls();
  ClientCalls(const ClientCalls &) = delete;
  ClientCalls &operator=(const ClientCalls &) = delete;

  // All shards' calls by shard number, complete before the first request. [thread: control]
  void meet(const std::vector<ClientCalls *> *all) { all_ = all; }
  // No timer fires afterwards; calls under way are forgotten.
  void stop();

  // `done` runs on this shard, once, never from inside this call, and not at all after stop. timeout_ms > 0.
  void call(const ClientAddress &to, ClientCall what, std::int64_t timeout_ms, Done done);
  // Nothing comes back, and nobody learns when the client is gone.
  void tell(const ClientAddress &to, ClientCall what);

  // A response that came in on a connection of this shard. Others than those waited for are ignored.
  void answered(const Connection &conn, const Header &header, std::string_view body);
  void conn_closed(const Connection &conn);
  [[nodiscard]] std::int32_t next_opaque();
  [[nodiscard]] std::uint32_t shard() const { return shard_; }

 private:
  struct Call;                              // owned by the shard that asks
  void send(Call &call);                    // on the connection's shard
  void finish(Call &call, CallEnd end);     // on the connection's shard
  void come_home(Call &call);               // on the asking shard
  [[nodiscard]] std::int32_t write(gantry_conn conn, const ClientCall &what, bool oneway);

  ShardContext &ctx_;
  const std::uint32_t shard_;
  const std::vector<ClientCalls *> *all_ = nullptr;
  std::unordered_map<const Call *, std::unique_ptr<Call>> mine_;  // asked by this shard
  std::unordered_map<std::int32_t, Call *> waiting_;              // written by this shard, by opaque
  std::int32_t opaque_ = 0;
  bool stopped_ = false;
};

}  // namespace gantry::remoting
