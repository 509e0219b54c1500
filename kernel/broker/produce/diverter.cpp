#include "kernel/broker/produce/diverter.hpp"

#include <algorithm>
#include <charconv>

namespace gantry::broker {

namespace {

bool parse_whole(std::string_view text, std::int64_t *out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::int32_t due_time(const PropertyScan &props, std::int64_t now_ms, std::int64_t max_ahead_ms, std::int64_t *due_ms) {
  *due_ms = 0;
  std::int64_t number = 0;
  if (props.timer == TimerKind::kNone || props.was_timer) return GANTRY_OK;
  if (!parse_whole(props.timer_text, &number)) return GANTRY_E_INVALID;
  const bool absolute = props.timer == TimerKind::kStartDeliverTime || props.timer == TimerKind::kDeliverMs;
  std::int64_t ahead_ms = 0;
  const bool overflow = absolute ? __builtin_sub_overflow(number, now_ms, &ahead_ms) : __builtin_mul_overflow(number, props.timer == TimerKind::kDelaySec ? 1000 : 1, &ahead_ms);
  if (overflow) ahead_ms = number < 0 ? INT64_MIN : INT64_MAX;
  if (ahead_ms <= 0) return GANTRY_OK;
  if (ahead_ms > max_ahead_ms) return GANTRY_E_RANGE;
  *due_ms = now_ms + ahead_ms;
  return GANTRY_OK;
}

std::int64_t check_immunity_ms(std::string_view property, std::int64_t timeout_ms) {
  std::int64_t seconds = 0;
  if (!parse_whole(property, &seconds) || seconds <= timeout_ms / 1000) return timeout_ms;
  return std::min(seconds, kTransactionMaxAgeMs / 1000) * 1000;
}

std::int32_t Diverter::divert(const PropertyScan &props, const gantry_produce &req, std::int64_t now_ms, Place &place) {
  // Old clients give a committed message back to its retry topic with this mark still on it.
  if (props.transaction && (req.reconsume_times == 0 || props.delay.empty())) {
    if (!props.delay.empty() || props.timer != TimerKind::kNone || req.deliver_at_ms != 0) return GANTRY_E_INVALID;
    return hold(*core_.half_topic, 0, now_ms + check_immunity_ms(props.check_immunity, core_.options.transaction_timeout_ms), place);
  }
  if (!props.delay.empty()) {
    std::int64_t level = 0;
    if (!parse_whole(props.delay, &level)) return GANTRY_E_INVALID;
    if (level > 0) {
      const config::DelayLevels &levels = core_.options.delay_levels;
      const std::uint32_t clamped = levels.clamp(level);
      return hold(*core_.schedule_topic, clamped - 1, now_ms + levels.delay_ms(clamped), place);
    }
  }
  if (props.deletes_timer) return GANTRY_E_UNSUPPORTED;
  std::int64_t due_ms = 0;
  if (const std::int32_t status = due_time(props, now_ms, core_.options.max_timer_delay_ms, &due_ms); status != GANTRY_OK) return status;
  if (req.deliver_at_ms > now_ms) {
    if (req.deliver_at_ms - now_ms > core_.options.max_timer_delay_ms) return GANTRY_E_RANGE;
    due_ms = req.deliver_at_ms;
  }
  if (due_ms == 0) return GANTRY_OK;
  const std::int32_t status = hold(*core_.timer_topic, 0, due_ms, place);
  place.props += "TIMER_OUT_MS\1" + std::to_string(due_ms) + "\2";
  place.timed = true;
  return status;
}

// The record keeps where it was sent to; its index entry says when it is due.
std::int32_t Diverter::hold(Topic &hidden, std::uint32_t queue_no, std::int64_t tag, Place &place) {
  place.props = "REAL_TOPIC\1" + place.topic->name + "\2REAL_QID\1" + std::to_string(place.queue_no) + "\2";
  place.topic = &hidden;
  place.queue_no = queue_no;
  place.tag = tag;
  std::int32_t status = GANTRY_OK;
  const std::lock_guard lock(core_.mutex);
  place.store_queue = core_.open_queue(hidden, queue_no, &status);
  return place.store_queue == GANTRY_NO_QUEUE ? status : GANTRY_OK;
}

}  // namespace gantry::broker
