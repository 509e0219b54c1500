#include "codec/json_scan.hpp"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

// Copies up to the first quote or backslash, which it returns, or to the end. May write up to 15 bytes more than it copies.
const char *JsonScan::copy_to_special(const char *from, char *&to) const {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  for (; end_ - from >= 16; from += 16, to += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to), bytes);
    const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    if (mask != 0) {
      const int n = __builtin_ctz(static_cast<unsigned>(mask));
      to += n;
      return from + n;
    }
  }
#endif
  while (from != end_ && *from != '"' && *from != '\\') *to++ = *from++;
  return from;
}

// No escape decodes to more bytes than it has, so the scratch needs no more room than the rest of the input and one vector.
bool JsonScan::escaped_string(const char *begin, const char *backslash, std::string_view &out) {
  if (scratch_.left() < static_cast<std::size_t>(end_ - begin) + kScratchSlack) return false;
  char *const text = scratch_.here();
  char *to = text + (backslash - begin);
  std::memcpy(text, begin, static_cast<std::size_t>(backslash - begin));
  const char *at = backslash;
  while (at != end_ && *at != '"') {
    // The separators of message properties, by far the most frequent.
    if (end_ - at >= 6 && std::memcmp(at, "\\u000", 5) == 0 && (at[5] == '1' || at[5] == '2')) {
      *to++ = static_cast<char>(at[5] - '0');
      at += 6;
    } else if (!escape(++at, to)) {
      return false;
    }
    at = copy_to_special(at, to);
  }
  if (at == end_) return false;
  p_ = at + 1;
  out = {text, static_cast<std::size_t>(to - text)};
  scratch_.take(static_cast<std::uint32_t>(out.size()));
  return true;
}

bool JsonScan::other_scalar(std::string_view &out, bool &present) {
  const char c = peek();
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
