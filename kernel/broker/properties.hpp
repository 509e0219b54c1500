// RocketMQ's property string (key 0x01 value 0x02 ...), looked through once per message without copying.
#pragma once

#include <cstring>
#include <string_view>

namespace gantry::broker {

// What the broker needs to know of a message's properties. Views into the property string.
struct PropertyScan {
  std::string_view tags;
  std::string_view keys;      // words separated by blanks
  std::string_view uniq_key;  // the id that the producer gave
  // The property string without WAIT, which RocketMQ does not store: what comes before it and what comes after.
  std::string_view before_wait, after_wait;
  std::string_view delay;    // DELAY unless "0": a level
  bool timer = false;        // one of the timer properties
  bool transaction = false;  // TRAN_MSG = true
};

namespace detail {

inline void note_property(PropertyScan &scan, std::string_view key, std::string_view value) {
  switch (key.size()) {
    case 4:
      if (key == "TAGS") scan.tags = value;
      if (key == "KEYS") scan.keys = value;
      break;
    case 5:
      if (key == "DELAY" && value != "0") scan.delay = value;
      break;
    case 8:
      if (key == "TRAN_MSG") scan.transaction = value == "true";
      if (key == "UNIQ_KEY") scan.uniq_key = value;
      break;
    default:
      if (key == "TIMER_DELAY_SEC" || key == "TIMER_DELAY_MS" || key == "TIMER_DELIVER_MS") scan.timer = true;
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
    const auto *stop = static_cast<const char *>(std::memchr(p, 0x02, static_cast<std::size_t>(end - p)));
    const char *const next = stop != nullptr ? stop + 1 : end;
    if (stop == nullptr) stop = end;
    const auto *separator = static_cast<const char *>(std::memchr(p, 0x01, static_cast<std::size_t>(stop - p)));
    if (separator != nullptr) {
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
