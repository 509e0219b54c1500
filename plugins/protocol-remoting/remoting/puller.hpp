// PULL_MESSAGE, LITE_PULL_MESSAGE and VIEW_MESSAGE_BY_ID: collects the pulls of one input into one fetch call; a reply is its header
// followed by the stored records as they lie in the store's memory.
#pragma once

#include "remoting/request.hpp"

#include <vector>

namespace gantry::remoting {

class Puller {
 public:
  explicit Puller(ShardContext &ctx);

  // As Sender's.
  Step take(const Request &request, std::uint32_t &again_at);
  Step flush(std::uint32_t &again_at);
  [[nodiscard]] bool empty() const { return count_ == 0; }

  void view_message(const Request &request);

  void complete_pull(const gantry_cqe &cqe);
  void complete_view(const gantry_cqe &cqe);

 private:
  static constexpr std::uint32_t kCollected = 64;

  Step refuse(const Request &request, std::int32_t code, std::string_view remark, std::uint32_t &again_at);
  void answer(const ReplyTo &to, std::int64_t asked, const gantry_fetch_result &result);
  void send_records(gantry_conn conn, const std::uint8_t *head, std::uint32_t head_bytes, const gantry_fetch_result &result);

  ShardContext &ctx_;
  std::vector<gantry_fetch> collected_;
  std::vector<std::uint32_t> begins_;
  std::uint32_t count_ = 0;
  std::vector<gantry_span> spans_;
};

}  // namespace gantry::remoting
