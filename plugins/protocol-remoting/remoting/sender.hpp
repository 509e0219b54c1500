// SEND_MESSAGE, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE: collects the sends of one input into one produce call and answers them.
#pragma once

#include "codec/send_header.hpp"
#include "codec/scratch.hpp"
#include "remoting/recall_requests.hpp"
#include "remoting/request.hpp"

#include <vector>

namespace gantry::remoting {

class Sender {
 public:
  Sender(ShardContext &ctx, Scratch &scratch, Recalls &recalls);

  // Takes a send. It goes to the broker with the next flush at the latest, or is answered here when it is refused. `again_at` is set
  // with kAgain: where the first frame begins that was not consumed.
  Step take(const Request &request, std::uint32_t &again_at);
  // Hands what was collected to the broker, before anything that could observe it. kAgain as above.
  Step flush(std::uint32_t &again_at);
  [[nodiscard]] bool empty() const { return count_ == 0; }

  // Completion of a send, or of one item of a batch.
  void complete(const gantry_cqe &cqe);
  // The rest of a batch that the broker took partly will never come: nobody is answered when the first part completes.
  void abandon_batch(Connection &conn);

 private:
  static constexpr std::uint32_t kCollected = 64;
  static constexpr std::uint32_t kBatchItemsMax = 32768;  // keeps the reply, 33 bytes per item, near 1 MiB

  struct Verdict {
    std::int32_t code = 0;  // 0: go on
    std::string remark;
  };
  [[nodiscard]] const CachedTopic *admit(const Request &request, const SendHeader &send, Verdict &verdict);
  [[nodiscard]] const CachedTopic *ensure_topic(const Request &request, const SendHeader &send, Verdict &verdict);
  [[nodiscard]] bool check_batch(const Request &request, const SendHeader &send, Verdict &verdict);
  Step refuse(const Request &request, const Verdict &verdict, std::uint32_t &again_at);
  void fill(gantry_produce &out, const Request &request, const SendHeader &send, const CachedTopic &topic, bool wait_stored);
  Step take_batch(const Request &request, const SendHeader &send, const CachedTopic &topic, bool wait_stored, bool own_properties,
                  std::uint32_t &again_at);
  std::uint32_t submit(std::uint32_t n);
  void fail(const ReplyTo &to, std::int32_t code, std::string_view remark);
  void complete_timed(std::uint32_t slot, const ReplyTo &to, const gantry_cqe &cqe);
  void complete_item(std::uint32_t slot, Pending &pending, const gantry_cqe &cqe);
  void answer_batch(const Pending &pending);

  ShardContext &ctx_;
  Scratch &scratch_;
  Recalls &recalls_;
  std::vector<gantry_produce> collected_;
  std::vector<std::uint32_t> begins_;  // of the frame of each collected send
  std::uint32_t count_ = 0;
  std::uint32_t round_robin_ = 0;
};

}  // namespace gantry::remoting
