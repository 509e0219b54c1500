// Requests that the broker passes on to connected clients: from tools 223 (221), 307 and 309, and the answers of request-reply exchanges, which go
// to the requester's connection: 324, 325 (326).
#pragma once

#include "json/document.hpp"
#include "remoting/client_calls.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gantry::remoting {

struct SendHeader;

class RelayRequests {
 public:
  RelayRequests(ShardContext &ctx, ClientCalls &calls) : ctx_(ctx), calls_(calls) {}

  void running_info(const Request &request);
  void consume_directly(const Request &request);
  void consumer_status(const Request &request);
  void send_reply(const Request &request);
  // The stored message that a 309 names.
  void complete_direct(const gantry_cqe &cqe);

 private:
  struct Status;
  struct Direct {
    ClientAddress client;
    ClientCall call;
  };
  [[nodiscard]] bool member(const Request &request, ClientAddress &out);
  void relay(const ReplyTo &to, const ClientAddress &client, ClientCall call);
  void add_status(Status &status, const std::string &client_id, const CallResult &result);
  [[nodiscard]] ClientCall push_of(const Request &request, const SendHeader &send) const;

  ShardContext &ctx_;
  ClientCalls &calls_;
  std::unordered_map<std::uint32_t, Direct> directs_;  // by pending slot
  json::Document document_{json::Limits{.max_depth = 16, .max_values = 1u << 16, .max_bytes = 4u << 20}};
};

}  // namespace gantry::remoting
