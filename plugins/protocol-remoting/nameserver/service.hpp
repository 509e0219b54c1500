// Answers name server requests: decoded header and body in, reply out. No I/O, no ABI. Shared by all shards: one mutex guards the tables
// and is held for table work only, never while bodies are parsed.
#pragma once

#include "codec/header.hpp"
#include "json/document.hpp"
#include "nameserver/kv_store.hpp"
#include "nameserver/route_table.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::remoting::nameserver {

struct ServiceOptions {
  bool order_message_enable = false;  // show ORDER_TOPIC_CONFIG in routes
  std::int64_t timeout_ms = kDefaultTimeoutMs;
};

struct Caller {
  gantry_conn conn = 0;
  std::uint16_t local_port = 0;
  std::string_view peer;
  bool registered = false;  // set once a broker registered over this connection
};

struct Reply {
  std::int32_t code = 0;
  std::string remark;
  std::vector<std::pair<std::string_view, std::string>> ext;  // keys are literals
  std::string own_body;
  SharedText shared_body;  // used when set
  std::string note;        // worth a log line at level info
  bool kv_changed = false; // it may only be sent when the keys and values are on the disk

  [[nodiscard]] std::string_view body() const { return shared_body != nullptr ? std::string_view(*shared_body) : own_body; }
  void clear();
};

class Service {
 public:
  explicit Service(const ServiceOptions &options) : options_(options) {}

  // now_ms: monotonic. `out` must be clear. `document` is scratch of the calling thread. [thread: any]
  void handle(const Header &request, std::string_view body, Caller &caller, json::Document &document, std::int64_t now_ms, Reply &out);
  // Lines for the log, one per broker that left the routes. [thread: any]
  [[nodiscard]] std::vector<std::string> conn_closed(gantry_conn conn);
  [[nodiscard]] std::vector<std::string> expire(std::int64_t now_ms);

  // What the file of keys and values has to hold, with a number that grows with each change. [thread: any]
  struct KvText {
    std::uint64_t version = 0;
    std::string text;
  };
  [[nodiscard]] KvText kv_text();
  // [thread: control, before the first request]
  [[nodiscard]] KvStore &kv() { return kv_; }

 private:
  struct Call {
    const Header &request;
    std::string_view body;
    Caller &caller;
    json::Document &document;
    std::int64_t now_ms;
    Reply &out;
  };

  void put_kv(Call &call);
  void get_kv(Call &call);
  void delete_kv(Call &call);
  void kv_has_changed(Call &call);
  void list_kv(Call &call);
  void register_broker(Call &call);
  void unregister_broker(Call &call);
  void query_data_version(Call &call);
  void broker_heartbeat(Call &call);
  void route(Call &call);
  void change_write_perm(Call &call, bool give);
  void delete_topic(Call &call);
  void topics_by_flag(Call &call);
  void member_group(Call &call);
  void update_config(Call &call);
  void get_config(Call &call);

  const ServiceOptions options_;
  std::mutex mutex_;
  RouteTable routes_;
  KvStore kv_;
  std::uint64_t kv_version_ = 0;  // number of changes
};

}  // namespace gantry::remoting::nameserver
