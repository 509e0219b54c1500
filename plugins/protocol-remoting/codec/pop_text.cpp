#include "codec/pop_text.hpp"

#include "codec/text.hpp"

#include <gantry++/bytes.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kMagicV1 = 0xDAA320A7;
constexpr std::uint32_t kSysFlagsAt = 36, kBornHostAt = 48;
constexpr std::uint32_t kBornIpv6 = 16, kStoreIpv6 = 32;

void add_number(std::string &out, std::int64_t value) {
  char text[kNumberTextMax];
  out.append(text, put_number(text, value));
}

// "retry queueId "
void begin_part(std::string &out, const gantry_pop_part &part) {
  if (!out.empty()) out += ';';
  add_number(out, part.retry);
  out += ' ';
  add_number(out, part.queue_no);
  out += ' ';
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

bool parse_pop_handle(std::string_view text, PopHandleText *out) {
  std::string_view parts[8];
  std::size_t n = 0;
  while (n < 8) {
    const std::size_t end = text.find(' ');
    parts[n++] = text.substr(0, end);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return n >= 4 && parse_number(parts[0], out->ck_offset) && parse_number(parts[1], out->pop_ms) && parse_number(parts[2], out->invisible_ms) && parse_number(parts[3], out->revive_queue);
}

std::string start_offset_info(const gantry_pop_result &result) {
  std::string out;
  for (std::uint32_t i = 0; i < result.n_parts; ++i) {
    begin_part(out, result.parts[i]);
    add_number(out, result.parts[i].start_off);
  }
  return out;
}

std::string message_offset_info(const gantry_pop_result &result) {
  std::string out;
  for (std::uint32_t i = 0; i < result.n_parts; ++i) {
    const gantry_pop_part &part = result.parts[i];
    begin_part(out, part);
    for (std::uint32_t k = 0; k < part.n; ++k) {
      if (k != 0) out += ',';
      add_number(out, result.records[part.first + k].queue_off);
    }
  }
  return out;
}

std::string order_count_info(const gantry_pop_result &result) {
  std::string out;
  for (std::uint32_t i = 0; i < result.n_parts; ++i) {
    const gantry_pop_part &part = result.parts[i];
    if (part.deliveries == nullptr) continue;
    for (std::uint32_t k = 0; k < part.n; ++k) {
      if (part.deliveries[k] == 0) continue;
      if (!out.empty()) out += ';';
      out += "0 qo";
      add_number(out, part.queue_no);
      out += '%';
      add_number(out, result.records[part.first + k].queue_off);
      out += ' ';
      add_number(out, part.deliveries[k]);
    }
    begin_part(out, part);
    add_number(out, *std::min_element(part.deliveries, part.deliveries + part.n));
  }
  return out;
}

std::string record_as_popped(std::string_view record, std::string_view topic, const gantry_pop_result &result, const gantry_pop_part &part, std::int64_t offset, std::string_view broker_name) {
  if (record.size() < kBornHostAt || load_be32(record.data() + 4) != kMagicV1 || topic.size() > 127) return {};
  const std::uint32_t sys_flags = load_be32(record.data() + kSysFlagsAt);
  // Hosts, store time, reconsume times, prepared position, body length.
  const std::size_t body_length_at = kBornHostAt + ((sys_flags & kBornIpv6) != 0 ? 20 : 8) + 8 + ((sys_flags & kStoreIpv6) != 0 ? 20 : 8) + 4 + 8;
  if (record.size() < body_length_at + 4) return {};
  const std::size_t topic_at = body_length_at + 4 + load_be32(record.data() + body_length_at);
  if (record.size() < topic_at + 1) return {};
  const std::size_t props_at = topic_at + 1 + static_cast<std::uint8_t>(record[topic_at]);
  if (record.size() < props_at + 2 || record.size() < props_at + 2 + load_be16(record.data() + props_at)) return {};
  std::string props(record.substr(props_at + 2, load_be16(record.data() + props_at)));
  if (!props.empty() && props.back() != '\2') props += '\2';
  if (!props.starts_with("POP_CK\1") && props.find("\2POP_CK\1") == std::string::npos) {
    props += "POP_CK\1";
    for (const std::int64_t number : {part.start_off, result.pop_ms, result.invisible_ms, static_cast<std::int64_t>(result.revive_queue), static_cast<std::int64_t>(part.retry)}) {
      add_number(props, number);
      props += ' ';
    }
    props.append(broker_name).push_back(' ');
    add_number(props, part.queue_no);
    props += ' ';
    add_number(props, offset);
    props += '\2';
  }
  if (props.size() > INT16_MAX) return {};
  std::string out(record.substr(0, topic_at));
  out.push_back(static_cast<char>(topic.size()));
  out.append(topic).append(2, '\0');
  store_be16(out.data() + out.size() - 2, static_cast<std::uint16_t>(props.size()));
  out += props;
  store_be32(out.data(), static_cast<std::uint32_t>(out.size()));
  return out;
}

bool parse_bit_set(std::string_view base64, std::vector<std::uint32_t> *bits) {
  bits->clear();
  while (!base64.empty() && base64.back() == '=') base64.remove_suffix(1);
  std::uint32_t held = 0, n_held = 0, byte_no = 0;
  for (const char c : base64) {
    const int value = base64_value(c);
    if (value < 0) return false;
    held = held << 6 | static_cast<std::uint32_t>(value);
    n_held += 6;
    if (n_held < 8) continue;
    n_held -= 8;
    const std::uint32_t byte = held >> n_held & 0xFF;
    for (std::uint32_t bit = 0; bit < 8; ++bit)
      if ((byte >> bit & 1) != 0) bits->push_back(byte_no * 8 + bit);
    ++byte_no;
  }
  return true;
}

}  // namespace gantry::remoting
