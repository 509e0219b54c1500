#include "codec/properties.hpp"

#include "codec/text.hpp"

#include <gantry++/find_byte.hpp>

namespace gantry::remoting {

bool PropertyReader::next(std::string_view &key, std::string_view &value, std::string_view &entry) {
  const char *const text = rest_.data();
  const char *p = text;
  const char *const end = p + rest_.size();
  while (p != end) {
    const char *const begin = p;
    const char *const middle = find_either(text, p, end, '\1', '\2');
    const bool has_value = middle != end && *middle == '\1';
    const char *const stop = has_value ? find_either(text, middle + 1, end, '\2', '\2') : middle;
    p = stop != end ? stop + 1 : end;
    if (!has_value || middle == begin || middle + 1 == stop) continue;
    key = {begin, static_cast<std::size_t>(middle - begin)};
    value = {middle + 1, static_cast<std::size_t>(stop - middle - 1)};
    entry = {begin, static_cast<std::size_t>(p - begin)};
    rest_ = {p, static_cast<std::size_t>(end - p)};
    return true;
  }
  rest_ = {};
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
