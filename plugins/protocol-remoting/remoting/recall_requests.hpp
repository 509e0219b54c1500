// RECALL_MESSAGE of 5.x, and the handles that the answers to timed sends carry.
#pragma once

#include "codec/recall_handle.hpp"
#include "remoting/request.hpp"

#include <unordered_map>

namespace gantry::remoting {

class Recalls {
 public:
  explicit Recalls(ShardContext &ctx) : ctx_(ctx) {}

  // What a handle will need of a timed send, kept until the send completes.
  void remember_send(std::uint32_t slot, std::string_view topic, std::string_view properties);
  void forget_send(std::uint32_t slot) { sends_.erase(slot); }
  // The handle of a send that was stored at a log position; empty when it was none that waits.
  [[nodiscard]] std::string handle_of_send(std::uint32_t slot, std::int64_t position);

  void recall(const Request &request);
  void complete(const gantry_cqe &cqe);

 private:
  ShardContext &ctx_;
  std::unordered_map<std::uint32_t, RecallHandle> sends_;  // by pending slot
  std::unordered_map<std::uint32_t, std::string> asked_;   // message id by pending slot
};

}  // namespace gantry::remoting
