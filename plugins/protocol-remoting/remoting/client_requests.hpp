// Requests by which clients join and leave groups and lock queues: 34, 35, 38, 41, 42, 46. Their bodies are JSON as RocketMQ's peers
// write it.
#pragma once

#include "json/document.hpp"
#include "remoting/request.hpp"

#include <string>
#include <vector>

namespace gantry::remoting {

class ClientRequests {
 public:
  explicit ClientRequests(ShardContext &ctx) : ctx_(ctx) {}

  void heartbeat(const Request &request);
  void unregister_client(const Request &request);
  void consumer_list(const Request &request);
  void check_client_config(const Request &request);
  void lock_batch(const Request &request);
  void unlock_batch(const Request &request);

 private:
  [[nodiscard]] const json::Value *parse_body(const Request &request, const char *what);
  void collect_consumers(const json::Value &list);
  struct LockBody {
    std::string_view client_id, group;
    const json::Value *queues = nullptr;
  };
  [[nodiscard]] bool lock_body(const Request &request, const char *what, LockBody &out);

  ShardContext &ctx_;
  // Reused from request to request.
  json::Document document_{json::Limits{.max_depth = 16, .max_values = 1u << 16, .max_bytes = 1u << 20}};
  std::vector<gantry_str> producers_;
  std::vector<gantry_consumer> consumers_;
  std::vector<gantry_subscription> subscriptions_;
  std::vector<gantry_lock_item> locks_;
  std::string text_;
};

}  // namespace gantry::remoting
