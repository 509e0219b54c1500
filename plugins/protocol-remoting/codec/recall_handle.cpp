#include "codec/recall_handle.hpp"

#include "codec/text.hpp"

#include <vector>

namespace gantry::remoting {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kHandleBytesMax = 4096;

std::string to_base64(std::string_view raw) {
  std::string out;
  for (std::size_t at = 0; at < raw.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (at + i < raw.size() ? static_cast<std::uint8_t>(raw[at + i]) : 0u);
    const std::size_t bytes = raw.size() - at;
    for (std::size_t i = 0; i < 4; ++i) out += i <= bytes ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

// With or without padding, as Java's decoder takes it.
bool from_base64(std::string_view text, std::string &out) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xFF);
  }
  return true;
}

}  // namespace

std::string encode_recall_handle(const RecallHandle &handle) {
  return to_base64("v1 " + handle.topic + " " + handle.broker_name + " " + std::to_string(handle.due_ms) + " " + handle.uniq_key + " " + std::to_string(handle.position));
}

bool decode_recall_handle(std::string_view text, RecallHandle &out) {
  std::string raw;
  if (text.empty() || text.size() > kHandleBytesMax || !from_base64(text, raw)) return false;
  std::vector<std::string_view> items;
  for (std::string_view rest = raw;;) {
    const std::size_t blank = rest.find(' ');
    items.push_back(rest.substr(0, blank));
    if (blank == std::string_view::npos) break;
    rest.remove_prefix(blank + 1);
  }
  if (items.size() < 5 || items[0] != "v1" || !parse_number(items[3], out.due_ms)) return false;
  out.topic = items[1];
  out.broker_name = items[2];
  out.uniq_key = items[4];
  out.position = -1;
  return items.size() < 6 || parse_number(items[5], out.position);
}

}  // namespace gantry::remoting
