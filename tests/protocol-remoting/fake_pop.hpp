// The kernel's pop and assignment tables as a remoting component sees them: what it was asked, and answers that the test gives.
#pragma once

#include <gantry/draft/pop.h>

#include <map>
#include <string>
#include <vector>

namespace gantry::remoting::test {

class FakePop {
 public:
  explicit FakePop(const gantry_host *host);

  struct Asked {
    gantry_pop req;
    std::string expr, expr_type, attempt;
    gantry_cq cq;
  };
  struct Acked {
    std::vector<gantry_pop_handle> handles;
    std::uint64_t user_data;
    gantry_cq cq;
  };
  struct Changed {
    gantry_pop_change change;
    gantry_cq cq;
  };
  struct Part {
    gantry_topic topic = 1;
    std::uint32_t queue_no = 0, retry = 0;
    std::int64_t start_off = 0;
    std::vector<std::pair<std::int64_t, std::string>> records;  // offset and bytes
    std::vector<std::uint32_t> deliveries;
  };

  // ---- what the test sets
  std::int32_t pop_status = GANTRY_OK;
  gantry_error pop_error{};
  std::int32_t ack_return = GANTRY_PENDING;
  std::map<std::int64_t, std::int32_t> handle_status;  // by offset; OK unless set
  std::uint32_t waiting = 0;
  gantry_request_mode mode{};
  std::int32_t assign_status = GANTRY_OK, mode_status = GANTRY_OK;
  std::vector<std::int32_t> assigned;
  // ---- what it was asked
  std::vector<Asked> pops;
  std::vector<Acked> acks;
  std::vector<Changed> changes;
  std::vector<gantry_conn> cancelled;
  std::vector<std::string> assigns, modes;  // "topic/group/client/strategy/broadcasting", "topic/group/mode/share"

  void complete(std::size_t i, std::uint32_t outcome, const std::vector<Part> &parts = {}, std::int64_t rest = 0, std::int32_t revive_queue = 0);
  void complete_status(std::uint64_t user_data, gantry_cq cq, std::int32_t status);
  [[nodiscard]] int results_alive() const { return results_alive_; }

  [[nodiscard]] static const gantry_pop_v1 *pop_table();
  [[nodiscard]] static const gantry_assignment_v1 *assignment_table();

 private:
  friend struct FakePopTables;
  static FakePop *current_;
  const gantry_host *host_;
  const gantry_cq_v1 *cq_;
  int results_alive_ = 0;
};

}  // namespace gantry::remoting::test
