// Messages that are not to be readable yet go to a hidden queue instead of the one they were sent to. Decides from a message's properties; whoever watches
// the hidden queue (kernel/semantics) delivers it when its time has come.
#pragma once

#include "kernel/broker/core.hpp"
#include "kernel/broker/record/properties.hpp"

#include <string>

namespace gantry::broker {

struct Place {  // where a record goes
  Topic *topic;
  gantry_queue store_queue;
  std::uint32_t queue_no;
  std::int64_t tag;   // of its index entry
  std::string props;  // stand before the sender's
  bool timed = false; // held until a due time, so that it can be recalled
};

class Diverter {
 public:
  explicit Diverter(Core &core) : core_(core) {}

  // Ordinary messages pay for this look and nothing else.
  [[nodiscard]] static bool wanted(const PropertyScan &props, const gantry_produce &req) {
    return !props.delay.empty() || props.timer != TimerKind::kNone || req.deliver_at_ms != 0 || props.transaction;
  }
  // Changes `place` when the message is to be held back. INVALID: a level or time that is no number; a
  // transaction that is to be delayed. RANGE: due later than the broker allows.
  // UNSUPPORTED: something that is not offered. What the store refuses. [thread: shard]
  [[nodiscard]] std::int32_t divert(const PropertyScan &props, const gantry_produce &req, std::int64_t now_ms, Place &place);

 private:
  [[nodiscard]] std::int32_t hold(Topic &hidden, std::uint32_t queue_no, std::int64_t tag, Place &place);

  Core &core_;
};

// RocketMQ's fileReservedTime: a transaction that nobody decided in that time is given up.
inline constexpr std::int64_t kTransactionMaxAgeMs = std::int64_t{72} * 3600 * 1000;

// How long after it was stored a half message is first asked about: CHECK_IMMUNITY_TIME_IN_SECONDS, but not less than the broker's timeout.
[[nodiscard]] std::int64_t check_immunity_ms(std::string_view property, std::int64_t timeout_ms);

// When the message asks to be delivered: in `*due_ms`, 0 for at once. RocketMQ's rules: TIMER_DELAY_SEC before TIMER_DELAY_MS before TIMER_DELIVER_MS, then
// __STARTDELIVERTIME of its cloud service. INVALID: no number. RANGE: more than max_ahead_ms from now.
[[nodiscard]] std::int32_t due_time(const PropertyScan &props, std::int64_t now_ms, std::int64_t max_ahead_ms, std::int64_t *due_ms);

}  // namespace gantry::broker
