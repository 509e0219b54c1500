#include "codec/properties.hpp"

#include "codec/text.hpp"

namespace gantry::remoting {

bool PropertyReader::next(std::string_view &key, std::string_view &value, std::string_view &entry) {
  while (!rest_.empty()) {
    const std::size_t stop = rest_.find('\2');
    const std::string_view body = rest_.substr(0, stop);
    entry = rest_.substr(0, stop == std::string_view::npos ? stop : stop + 1);
    rest_.remove_prefix(entry.size());
    const std::size_t middle = body.find('\1');
    if (middle == std::string_view::npos || middle == 0 || middle + 1 == body.size()) continue;
    key = body.substr(0, middle);
    value = body.substr(middle + 1);
    return true;
  }
  return false;
}

PropertyFacts scan_properties(std::string_view text) {
  PropertyFacts facts;
  PropertyReader in(text);
  std::string_view key, value, entry;
  while (in.next(key, value, entry)) {
    if (is(key, "WAIT")) {
      facts.wait_stored = parse_bool(value);
      continue;
    }
    facts.only_wait = false;
    if (is(key, "DELAY")) {
      std::int32_t level = 0;
      facts.delayed = parse_number(value, level) && level > 0;
    } else if (key.front() == 'T') {
      if (is(key, "TRAN_MSG")) facts.transaction = parse_bool(value);
      else if (is(key, "TIMER_DELAY_SEC") || is(key, "TIMER_DELAY_MS") || is(key, "TIMER_DELIVER_MS")) facts.timer = true;
    } else if (is(key, "__STARTDELIVERTIME")) {
      facts.timer = true;
    }
  }
  return facts;
}

}  // namespace gantry::remoting
