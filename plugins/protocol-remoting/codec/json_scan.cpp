#include "codec/json_scan.hpp"

#include <cstring>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kDepthMax = 16;

char *put_utf8(char *out, std::uint32_t c) {
  if (c < 0x80) {
    *out++ = static_cast<char>(c);
    return out;
  }
  if (c < 0x800) {
    *out++ = static_cast<char>(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      *out++ = static_cast<char>(0xE0 | c >> 12);
    } else {
      *out++ = static_cast<char>(0xF0 | c >> 18);
      *out++ = static_cast<char>(0x80 | (c >> 12 & 0x3F));
    }
    *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3F));
  }
  *out++ = static_cast<char>(0x80 | (c & 0x3F));
  return out;
}

bool number_char(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; }
bool word_char(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

bool JsonScan::hex4(const char *&in, std::uint32_t &out) const {
  if (end_ - in < 4) return false;
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = *in++;
    if (c >= '0' && c <= '9') value = value << 4 | static_cast<std::uint32_t>(c - '0');
    else if ((c | 32) >= 'a' && (c | 32) <= 'f') value = value << 4 | static_cast<std::uint32_t>((c | 32) - 'a' + 10);
    else return false;
  }
  out = value;
  return true;
}

// `in` is after the backslash.
bool JsonScan::escape(const char *&in, char *&out) const {
  if (in == end_) return false;
  const char c = *in++;
  switch (c) {
    case 'u': {
      std::uint32_t unit = 0;
      if (!hex4(in, unit)) return false;
      if (unit >= 0xD800 && unit < 0xE000) {
        std::uint32_t low = 0;
        const char *after = in;
        const bool pair = unit < 0xDC00 && end_ - after >= 6 && after[0] == '\\' && after[1] == 'u' && hex4(after += 2, low) &&
                          low >= 0xDC00 && low < 0xE000;
        unit = pair ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
        if (pair) in = after;
      }
      out = put_utf8(out, unit);
      return true;
    }
    case 'n': *out++ = '\n'; return true;
    case 't': *out++ = '\t'; return true;
    case 'r': *out++ = '\r'; return true;
    case 'b': *out++ = '\b'; return true;
    case 'f': *out++ = '\f'; return true;
    case '"':
    case '\\':
    case '/': *out++ = c; return true;
    default: return false;
  }
}

// No escape decodes to more bytes than it has, so the scratch needs no more room than the rest of the input.
bool JsonScan::escaped_string(const char *begin, const char *backslash, std::string_view &out) {
  if (scratch_.left() < static_cast<std::size_t>(end_ - begin)) return false;
  char *const text = scratch_.here();
  char *to = text;
  const char *from = begin;
  const char *stop = backslash;
  for (;;) {
    std::memcpy(to, from, static_cast<std::size_t>(stop - from));
    to += stop - from;
    if (stop == end_) return false;
    if (*stop == '"') break;
    from = stop + 1;
    if (!escape(from, to)) return false;
    stop = special(from);
  }
  p_ = stop + 1;
  out = {text, static_cast<std::size_t>(to - text)};
  scratch_.take(static_cast<std::uint32_t>(out.size()));
  return true;
}

bool JsonScan::scalar(std::string_view &out, bool &present) {
  const char c = p_ != end_ && *p_ == '"' ? '"' : peek();
  present = true;
  if (c == '"') return string(out);
  if (c == '{' || c == '[') {
    present = false;
    return skip();
  }
  const char *begin = p_;
  if (number_char(c)) {
    while (p_ != end_ && number_char(*p_)) ++p_;
    out = {begin, static_cast<std::size_t>(p_ - begin)};
    return true;
  }
  while (p_ != end_ && word_char(*p_)) ++p_;
  out = {begin, static_cast<std::size_t>(p_ - begin)};
  present = out != "null";
  return out == "true" || out == "false" || out == "null";
}

bool JsonScan::skip() {
  std::uint32_t objects = 0;  // bit i: level i is an object
  std::uint32_t depth = 0;
  do {
    const char c = peek();
    if (c == '{' || c == '[') {
      if (depth == kDepthMax) return false;
      objects = (objects & ~(1u << depth)) | static_cast<std::uint32_t>(c == '{') << depth;
      ++depth;
      ++p_;
    } else if (c == '}' || c == ']') {
      if (depth == 0 || (objects >> (depth - 1) & 1u) != static_cast<std::uint32_t>(c == '}')) return false;
      --depth;
      ++p_;
    } else if (depth > 0 && (c == ',' || c == ':')) {
      ++p_;
    } else {
      std::string_view ignored;
      bool present = false;
      if (!scalar(ignored, present)) return false;
    }
  } while (depth > 0);
  return true;
}

}  // namespace gantry::remoting
