// END_TRANSACTION of producers, and CHECK_TRANSACTION_STATE, which asks them what became of a transaction.
#pragma once

#include "remoting/client_calls.hpp"

#include <gantry/draft/protocol.h>

#include <unordered_map>

namespace gantry::remoting {

class TransactionRequests {
 public:
  TransactionRequests(ShardContext &ctx, ClientCalls &calls) : ctx_(ctx), calls_(calls) {}

  void end(const Request &request);
  void complete_end(const gantry_cqe &cqe);

  // The broker wants to know: the half message is read and sent to the producer that the event names.
  void check(const gantry_event &event);
  void complete_check(const gantry_cqe &cqe);

 private:
  struct Check {
    gantry_conn conn;
    std::int64_t queue_off, phys_pos;
    std::uint64_t number;
  };

  ShardContext &ctx_;
  ClientCalls &calls_;
  Connection nobody_;  // asks for what no connection asked for
  std::unordered_map<std::uint32_t, Check> checks_;  // by pending slot
};

}  // namespace gantry::remoting
