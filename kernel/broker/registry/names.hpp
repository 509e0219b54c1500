// Names of topics and groups: what RocketMQ allows, and its prefixes.
#pragma once

#include <string_view>

namespace gantry::broker {

inline constexpr std::string_view kRetryPrefix = "%RETRY%";
inline constexpr std::string_view kDlqPrefix = "%DLQ%";
inline constexpr std::string_view kScheduleTopic = "SCHEDULE_TOPIC_XXXX";
inline constexpr std::string_view kScheduleOpTopic = "RMQ_SYS_SCHEDULE_OP_TOPIC";
inline constexpr std::string_view kTimerTopic = "rmq_sys_wheel_timer";
inline constexpr std::string_view kTimerOpTopic = "rmq_sys_wheel_timer_op";
inline constexpr std::string_view kPopReviveOpTopic = "RMQ_SYS_POP_REVIVE_OP_TOPIC";
inline constexpr std::string_view kHalfTopic = "RMQ_SYS_TRANS_HALF_TOPIC";
inline constexpr std::string_view kHalfOpTopic = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
inline constexpr std::string_view kDiscardedTopic = "TRANS_CHECK_MAX_TIME_TOPIC";
inline constexpr std::string_view kDefaultTopic = "TBW102";
inline constexpr std::size_t kMaxGroupBytes = 255;
inline constexpr std::size_t kMaxTopicNameBytes = 127;

[[nodiscard]] inline bool valid_name(std::string_view name, std::size_t max_bytes) {
  if (name.empty() || name.size() > max_bytes) return false;
  for (const char c : name) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '%' || c == '|';
    if (!allowed) return false;
  }
  return true;
}

}  // namespace gantry::broker
