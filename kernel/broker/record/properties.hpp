// RocketMQ's property string (key 0x01 value 0x02 ...), looked through once per message without copying.
#pragma once

#include <gantry++/find_byte.hpp>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace gantry::broker {

// How a message asks for a due time; the higher one counts.
enum class TimerKind : std::uint8_t { kNone, kStartDeliverTime, kDeliverMs, kDelayMs, kDelaySec };

// What the broker needs to know of a message's properties. Views into the property string.
struct PropertyScan {
  std::string_view tags;
  std::string_view keys;      // words separated by blanks
  std::string_view uniq_key;  // the id that the producer gave
  // The property string without WAIT, which RocketMQ does not store: what comes before it and what comes after.
  std::string_view before_wait, after_wait;
  std::string_view delay;    // DELAY unless "0": a level
  std::string_view timer_text;           // value of the timer property that counts
  TimerKind timer = TimerKind::kNone;
  bool was_timer = false;                // TIMER_OUT_MS: it was held and delivered before
  bool deletes_timer = false;            // TIMER_DEL_UNIQKEY
  bool transaction = false;  // TRAN_MSG = true
  std::string_view check_immunity;       // CHECK_IMMUNITY_TIME_IN_SECONDS
  std::string_view priority;             // _SYS_MSG_PRIORITY_
  bool sharded = false;                  // __SHARDINGKEY
  bool names_cluster = false;            // CLUSTER, which is the broker's to say
};

namespace detail {

inline void note_timer(PropertyScan &scan, TimerKind kind, std::string_view value) {
  if (kind <= scan.timer) return;
  scan.timer = kind;
  scan.timer_text = value;
}

// As Java's Boolean.parseBoolean; setting bit 5 makes no other byte one of these letters that is not theirs in capitals.
inline bool is_true(std::string_view text) {
  return text.size() == 4 && (text[0] | 0x20) == 't' && (text[1] | 0x20) == 'r' && (text[2] | 0x20) == 'u' && (text[3] | 0x20) == 'e';
}

inline void note_property(PropertyScan &scan, std::string_view key, std::string_view value) {
  switch (key.size()) {
    case 4:
      if (key == "TAGS") scan.tags = value;
      if (key == "KEYS") scan.keys = value;
      break;
    case 5:
      if (key == "DELAY" && value != "0") scan.delay = value;
      break;
    case 7:
      if (key == "CLUSTER") scan.names_cluster = true;
      break;
    case 8:
      if (key == "TRAN_MSG") scan.transaction = is_true(value);
      if (key == "UNIQ_KEY") scan.uniq_key = value;
      break;
    case 12:
      if (key == "TIMER_OUT_MS") scan.was_timer = true;
      break;
    case 13:
      if (key == "__SHARDINGKEY") scan.sharded = true;
      break;
    case 14:
      if (key == "TIMER_DELAY_MS") note_timer(scan, TimerKind::kDelayMs, value);
      break;
    case 15:
      if (key == "TIMER_DELAY_SEC") note_timer(scan, TimerKind::kDelaySec, value);
      break;
    case 16:
      if (key == "TIMER_DELIVER_MS") note_timer(scan, TimerKind::kDeliverMs, value);
      break;
    case 17:
      if (key == "TIMER_DEL_UNIQKEY") scan.deletes_timer = true;
      break;
    case 18:
      if (key == "__STARTDELIVERTIME") note_timer(scan, TimerKind::kStartDeliverTime, value);
      if (key == "_SYS_MSG_PRIORITY_") scan.priority = value;
      break;
    case 30:
      if (key == "CHECK_IMMUNITY_TIME_IN_SECONDS") scan.check_immunity = value;
      break;
    default:
      break;
  }
}

}  // namespace detail

// Entries without a value separator are ignored, as RocketMQ's decoder drops them.
[[nodiscard]] inline PropertyScan scan_properties(std::string_view props) {
  PropertyScan scan;
  scan.before_wait = props;
  const char *p = props.data();
  const char *const end = p + props.size();
  while (p < end) {
    const char *const separator = find_either(props.data(), p, end, 0x01, 0x02);
    const bool has_value = separator != end && *separator == 0x01;
    const char *const stop = has_value ? find_either(props.data(), separator + 1, end, 0x02, 0x02) : separator;
    const char *const next = stop != end ? stop + 1 : end;
    if (has_value) {
      const std::string_view key(p, static_cast<std::size_t>(separator - p));
      if (key == "WAIT") {
        scan.before_wait = props.substr(0, static_cast<std::size_t>(p - props.data()));
        scan.after_wait = props.substr(static_cast<std::size_t>(next - props.data()));
      } else {
        detail::note_property(scan, key, std::string_view(separator + 1, static_cast<std::size_t>(stop - separator - 1)));
      }
    }
    p = next;
  }
  return scan;
}

}  // namespace gantry::broker
