// Listening sockets of one listen() call. Bound by the control thread, then accepting on shard 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/io/connection.hpp"
#include "kernel/io/options.hpp"

namespace gantry::io {

class Shard;
struct ShardSetInner;

// One listening socket. After start() all but the destructor belongs to shard 0.
struct Acceptor {
  Acceptor(Origin &origin, std::uint32_t listener, int fd, std::string address);
  ~Acceptor();
  Acceptor(const Acceptor &) = delete;
  Acceptor &operator=(const Acceptor &) = delete;

  void start(Shard &shard);        // from now on the shard is told of connections that wait
  void accept_some(Shard &shard);  // takes what waits
  void stop();                     // closes the socket

 private:
  void back_off(Shard &shard, int error);
  void place(Shard &shard, int fd, const Endpoint &peer);
  void log_refusals(Shard &shard);

  Origin &origin_;
  const std::uint32_t listener_;
  const std::string address_;
  int fd_;
  std::uint64_t retry_timer_ = 0;
  std::uint32_t next_shard_ = 0;
  std::uint64_t refused_ = 0;
  std::int64_t refusals_logged_ms_ = 0, failure_logged_ms_ = 0;
  bool stopped_ = false;
};

struct Listening {
  Origin origin;
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  ListenerInfo info;
};

// Binds everything or nothing.
[[nodiscard]] Result<std::unique_ptr<Listening>> bind_all(const ListenOptions &options, Instance &instance);

}  // namespace gantry::io
