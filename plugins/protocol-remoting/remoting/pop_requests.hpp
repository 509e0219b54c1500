// POP_MESSAGE, ACK_MESSAGE, BATCH_ACK_MESSAGE, CHANGE_MESSAGE_INVISIBLETIME, NOTIFICATION and POLLING_INFO.
#pragma once

#include "codec/pop_text.hpp"
#include "json/document.hpp"
#include "remoting/request.hpp"

#include <string>
#include <vector>

namespace gantry::remoting {

class PopRequests {
 public:
  explicit PopRequests(ShardContext &ctx) : ctx_(ctx) {}

  // False: not one of these, or the kernel has no pop.
  [[nodiscard]] bool handle(const Request &request);
  // What it waits for goes to others.
  void conn_closed(const Connection &conn);

  void complete_pop(const gantry_cqe &cqe);
  void complete_notification(const gantry_cqe &cqe);
  void complete_ack(const gantry_cqe &cqe);
  void complete_change(const gantry_cqe &cqe);

 private:
  // What only some requests need to be answered, by their slot in the table of pending requests.
  struct Kept {
    std::string topic;            // pop
    std::int64_t pop_ms = 0, invisible_ms = 0;  // change of the invisible time
    std::int32_t revive_queue = 0;
  };

  void pop(const Request &request, bool looks);
  void ack(const Request &request);
  void batch_ack(const Request &request);
  void change(const Request &request);
  void polling_info(const Request &request);
  // NULL: refused, with RocketMQ's code and words. end_counts: the offset behind the last message passes too.
  [[nodiscard]] const char *handle_of(const Request &request, bool end_counts, gantry_pop_handle *out, PopHandleText *text, std::int32_t *code, std::string *remark);
  void finish_ack(const Request &request, std::vector<gantry_pop_handle> &handles);
  void send_found(const ReplyTo &to, const std::string &topic, const gantry_pop_result &result);
  void send_empty(const ReplyTo &to, std::int32_t code, std::string_view remark, const gantry_pop_result &result);
  [[nodiscard]] Kept &kept(std::uint32_t slot) {
    if (kept_.size() <= slot) kept_.resize(slot + 1);
    return kept_[slot];
  }

  ShardContext &ctx_;
  json::Document document_{json::Limits{.max_depth = 16, .max_values = 1u << 16, .max_bytes = 1u << 20}};
  std::vector<Kept> kept_;
  std::vector<gantry_span> spans_;
  std::vector<std::string> rewritten_;
  std::vector<std::uint32_t> bits_;
};

}  // namespace gantry::remoting
