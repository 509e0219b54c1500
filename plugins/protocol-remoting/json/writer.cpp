#include "json/writer.hpp"

#include <charconv>
#include <cstddef>

namespace gantry::remoting::json {

namespace {

// Length of the well-formed UTF-8 sequence at `p`, 0 when it is none (overlong forms and surrogates included; Unicode 15, table 3-7).
std::size_t utf8_length(const unsigned char *p, std::size_t left) {
  const unsigned char lead = p[0];
  const std::size_t n = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (n == 0 || left < n) return 0;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high) return 0;
  for (std::size_t i = 2; i < n; ++i) {
    if (p[i] < 0x80 || p[i] > 0xBF) return 0;
  }
  return n;
}

void append_special(std::string &out, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      out += "\\u00";
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

}  // namespace

void append_quoted(std::string &out, std::string_view text) {
  out.push_back('"');
  const auto *p = reinterpret_cast<const unsigned char *>(text.data());
  const std::size_t size = text.size();
  std::size_t plain = 0;  // start of what can be copied as it is
  for (std::size_t i = 0; i < size;) {
    const unsigned char c = p[i];
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7F) {
      ++i;
      continue;
    }
    if (const std::size_t n = c >= 0x80 ? utf8_length(p + i, size - i) : 0; n != 0) {
      i += n;
      continue;
    }
    out.append(text, plain, i - plain);
    if (c >= 0x80) {
      out += "\\ufffd";
    } else {
      append_special(out, c);
    }
    plain = ++i;
  }
  out.append(text, plain, size - plain);
  out.push_back('"');
}

Writer &Writer::key(std::string_view name) {
  comma();
  append_quoted(out_, name);
  return colon();
}

Writer &Writer::key(std::int64_t number) {
  comma();
  out_ += '"';
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  out_ += '"';
  return colon();
}

Writer &Writer::raw_key(std::string_view json) {
  comma();
  out_ += json;
  return colon();
}

Writer &Writer::string(std::string_view text) {
  comma();
  append_quoted(out_, text);
  return *this;
}

Writer &Writer::number(std::int64_t value) {
  comma();
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  return *this;
}

Writer &Writer::boolean(bool value) {
  comma();
  out_ += value ? "true" : "false";
  return *this;
}

Writer &Writer::null() {
  comma();
  out_ += "null";
  return *this;
}

Writer &Writer::raw(std::string_view json) {
  comma();
  out_ += json;
  return *this;
}

}  // namespace gantry::remoting::json
