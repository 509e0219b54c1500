// INVOKE_BROKER_TO_RESET_OFFSET 222: moves a group to a time in one topic. Connected members are told (220) and move and commit by themselves; a
// group without members gets its committed offsets rewritten.
#pragma once

#include "remoting/client_calls.hpp"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::remoting {

class ResetRequests {
 public:
  ResetRequests(ShardContext &ctx, ClientCalls &calls) : ctx_(ctx), calls_(calls) {}

  void reset_offset(const Request &request);
  void complete_seek(const gantry_cqe &cqe);
  void complete_commit(const gantry_cqe &cqe);

 private:
  struct Queue {
    std::uint32_t number = 0;
    std::int64_t committed = 0, target = 0;
  };
  struct Reset {
    Connection *conn;
    ReplyTo to;
    std::string topic_name, group_name;
    gantry_topic topic = 0;
    gantry_group group = 0;
    std::int64_t time_ms = -1;
    bool force = false;
    std::vector<Queue> queues;
    std::size_t open = 0;  // queues whose completion is due
    bool failed = false;
  };
  using Shared = std::shared_ptr<Reset>;
  struct Part {
    Shared reset;
    std::size_t queue;
  };
  [[nodiscard]] bool read_fields(const Request &request, Reset &out);
  [[nodiscard]] bool collect(const Request &request, std::uint32_t write_queues, Reset &out);
  void seek(const Shared &reset);
  void found(Reset &reset, std::size_t queue, std::int64_t offset);
  void apply(const Shared &reset);
  void commit(const Shared &reset);
  void finish(const Reset &reset);
  [[nodiscard]] std::string body_of(const Reset &reset, bool as_list) const;
  [[nodiscard]] Part part(const gantry_cqe &cqe);

  ShardContext &ctx_;
  ClientCalls &calls_;
  std::unordered_map<std::uint32_t, Part> parts_;  // by pending slot
};

}  // namespace gantry::remoting
