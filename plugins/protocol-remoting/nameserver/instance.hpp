// One running name server: the shared service, what each shard needs of its own, and the timer that lets silent brokers go.
#pragma once

#include "access/gate.hpp"
#include "codec/frame.hpp"
#include "codec/header.hpp"
#include "codec/scratch.hpp"
#include "json/document.hpp"
#include "nameserver/kv_file.hpp"
#include "nameserver/service.hpp"

#include <gantry/draft/net.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::remoting::nameserver {

struct Connection {
  Caller caller;
  std::string peer;
  gantry_peer from{};
  std::uint32_t shard = 0;
};

class Instance {
 public:
  Instance(const gantry_host *host, const ServiceOptions &options);
  ~Instance();
  Instance(const Instance &) = delete;
  Instance &operator=(const Instance &) = delete;

  // What the host lacks, "" when it offers everything.
  [[nodiscard]] const char *missing_table() const;
  // Reads the keys and values of that folder and keeps them there from now on. What goes wrong is logged: without its file a name server
  // still serves routes. [thread: control, before start]
  void keep_kv(const std::string &folder);
  void start();  // [thread: control]
  void stop();   // [thread: control]

  // As the functions of gantry_protocol_v1.
  [[nodiscard]] Connection *conn_open(gantry_conn conn, const gantry_conn_info &info);
  [[nodiscard]] std::int32_t on_bytes(Connection &connection, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed,
                                      std::uint32_t *need);
  void conn_close(Connection *connection);

 private:
  struct Shard;
  struct KvJob;  // an answer that waits for the file

  [[nodiscard]] std::int64_t now_ms() const { return clock_->now_ns(host_) / 1'000'000; }
  [[nodiscard]] std::int32_t answer(Connection &connection, Shard &shard, const Frame &frame);
  [[nodiscard]] std::int32_t send_reply(Connection &connection, Shard &shard);
  void reply_when_kept(Connection &connection, const Shard &shard);
  [[nodiscard]] std::string write_kv();
  void kv_kept(std::unique_ptr<KvJob> job);
  void log_note(Shard &shard, const std::string &text);
  void log(std::int32_t level, const std::string &text) const;
  void arm_scan();
  void scan();

  const gantry_host *const host_;
  const gantry_net_v1 *const net_;
  const gantry_log_v1 *const log_;
  const gantry_clock_v1 *const clock_;
  const gantry_exec_v1 *const exec_;
  const gantry_metrics_v1 *const metrics_;
  Service service_;
  std::string kv_folder_;   // empty: keys and values are forgotten
  std::string kv_problem_;  // why they cannot be kept although they should be
  KvFile kv_file_;
  std::mutex kv_mutex_;            // guards the file and the next
  std::uint64_t kv_written_ = 0;  // version that is on the disk
  std::vector<std::unique_ptr<Shard>> shards_;
  std::uint64_t scan_timer_ = 0;  // shard 0 only, as is the next
  bool stopping_ = false;
};

}  // namespace gantry::remoting::nameserver
