// Quoted strings and their escapes.
#include "json/parser.hpp"

#include <cstring>

namespace gantry::remoting::json {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char *put_utf8(char *to, std::uint32_t code) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xC0 | code >> 6);
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xE0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | code >> 18);
    *to++ = static_cast<char>(0x80 | (code >> 12 & 0x3F));
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return to;
}

bool is_high_surrogate(std::uint32_t code) { return code >= 0xD800 && code < 0xDC00; }
bool is_low_surrogate(std::uint32_t code) { return code >= 0xDC00 && code < 0xE000; }
constexpr std::uint32_t kReplacement = 0xFFFD;

}  // namespace

bool Parser::quoted(std::string_view &out) {
  const char quote = *at_++;
  const char *begin = at_;
  for (const char *p = at_; p != end_; ++p) {
    if (*p == quote) {
      out = {begin, static_cast<std::size_t>(p - begin)};
      at_ = p + 1;
      return true;
    }
    if (*p == '\\') return unescape(quote, out);
  }
  at_ = begin - 1;
  return fail("a string is not closed");
}

// at_ is behind the opening quote. The decoded text is never longer than the written one.
bool Parser::unescape(char quote, std::string_view &out) {
  const char *begin = at_;
  const char *close = begin;
  while (close != end_ && *close != quote) {
    if (*close == '\\' && close + 1 != end_) ++close;
    ++close;
  }
  if (close == end_) {
    at_ = begin - 1;
    return fail("a string is not closed");
  }
  char *const decoded = arena_.take(static_cast<std::size_t>(close - begin));
  char *to = decoded;
  while (at_ != close) {
    if (*at_ != '\\') {
      *to++ = *at_++;
      continue;
    }
    if (!escape(to)) return false;
  }
  ++at_;
  out = {decoded, static_cast<std::size_t>(to - decoded)};
  return true;
}

// at_ is on the backslash; a character follows it, as unescape made sure.
bool Parser::escape(char *&to) {
  static constexpr char kFrom[] = "\"'\\/bfnrtvF01234567";
  static constexpr char kTo[] = "\"'\\/\b\f\n\r\t\v\f\0\1\2\3\4\5\6\7";
  const char *backslash = at_;
  const char c = at_[1];
  at_ += 2;
  if (const void *hit = std::memchr(kFrom, c, sizeof kFrom - 1)) {
    *to++ = kTo[static_cast<const char *>(hit) - kFrom];
    return true;
  }
  std::uint32_t code = 0;
  if (c == 'x' && hex(2, code)) {
    to = put_utf8(to, code);
    return true;
  }
  if (c == 'u') return unicode_escape(to);
  at_ = backslash;
  return fail("unknown escape in a string");
}

bool Parser::hex(int digits, std::uint32_t &out) {
  if (end_ - at_ < digits) return false;
  out = 0;
  for (int i = 0; i < digits; ++i) {
    const int digit = hex_digit(at_[i]);
    if (digit < 0) return false;
    out = out << 4 | static_cast<std::uint32_t>(digit);
  }
  at_ += digits;
  return true;
}

// at_ is behind "\u". Half a surrogate pair becomes U+FFFD, as in Java's UTF-8 output.
bool Parser::unicode_escape(char *&to) {
  std::uint32_t code = 0;
  if (!hex(4, code)) return fail("expected four hexadecimal digits after \\u");
  if (is_high_surrogate(code) && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    const char *second = at_;
    at_ += 2;
    std::uint32_t low = 0;
    if (hex(4, low) && is_low_surrogate(low)) {
      to = put_utf8(to, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
      return true;
    }
    at_ = second;
  }
  to = put_utf8(to, is_high_surrogate(code) || is_low_surrogate(code) ? kReplacement : code);
  return true;
}

}  // namespace gantry::remoting::json
