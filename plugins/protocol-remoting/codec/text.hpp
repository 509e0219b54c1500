// Numbers to and from decimal text, and upper-case hex, for header fields. Text of strangers is checked completely.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace gantry::remoting {

// Comparison with a literal. The length is known when compiling, so this costs an instruction or two instead of a call.
template <std::size_t N>
[[nodiscard]] inline bool is(std::string_view text, const char (&literal)[N]) {
  return text.size() == N - 1 && std::memcmp(text.data(), literal, N - 1) == 0;
}

// Eight digits at once. False: one of them is none.
[[nodiscard]] inline bool parse_eight_digits(const char *p, std::uint64_t &out) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);  // little-endian: the first digit is the lowest byte
  if ((((v + 0x4646464646464646u) | (v - 0x3030303030303030u)) & 0x8080808080808080u) != 0) return false;
  v -= 0x3030303030303030u;
  v = v * 10 + (v >> 8);  // pairs
  constexpr std::uint64_t kPair = 0x000000FF000000FFu;
  out = ((v & kPair) * (100 + (1000000ull << 32)) + ((v >> 16) & kPair) * (1 + (10000ull << 32))) >> 32;
  return true;
}

// False unless the whole text is a decimal number in the range of T. A leading '+' is not a number, as in Java's older parsers.
template <typename T>
[[nodiscard]] inline bool parse_number(std::string_view text, T &out) {
  // Most fields of headers have one digit; what cannot overflow needs no more than this.
  if (text.size() - 1 < std::numeric_limits<T>::digits10) [[likely]] {
    std::uint64_t value = 0;
    std::uint32_t digit = 0;
    const char *p = text.data();
    const char *const stop = p + text.size();
    if (sizeof(T) > 4 && stop - p >= 8 && parse_eight_digits(p, value)) p += 8;
    for (; p != stop; ++p) {
      digit = static_cast<std::uint32_t>(*p) - '0';
      if (digit > 9) break;
      value = value * 10 + digit;
    }
    if (digit <= 9) [[likely]] {
      out = static_cast<T>(value);
      return true;
    }
  }
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && !text.empty();
}

// RocketMQ's rule: "true" in any case, everything else is false.
[[nodiscard]] inline bool parse_bool(std::string_view text) {
  return text.size() == 4 && (text[0] | 32) == 't' && (text[1] | 32) == 'r' && (text[2] | 32) == 'u' && (text[3] | 32) == 'e';
}

inline constexpr std::uint32_t kNumberTextMax = 20;  // "-9223372036854775808"

// Writes at most kNumberTextMax bytes and returns their end.
template <typename T>
inline char *put_number(char *out, T value) {
  return std::to_chars(out, out + kNumberTextMax, value).ptr;
}

inline char *put_text(char *out, std::string_view text) {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

inline constexpr auto kHexPairs = [] {
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {"0123456789ABCDEF"[i >> 4], "0123456789ABCDEF"[i & 15]};
  return pairs;
}();

// The lowest `bytes` bytes of value as 2 * bytes upper-case digits, most significant first.
inline char *put_hex(char *out, std::uint64_t value, std::uint32_t bytes) {
  for (std::uint32_t shift = bytes * 8; shift > 0; out += 2) {
    shift -= 8;
    std::memcpy(out, &kHexPairs[static_cast<std::uint8_t>(value >> shift)], 2);
  }
  return out;
}

}  // namespace gantry::remoting
