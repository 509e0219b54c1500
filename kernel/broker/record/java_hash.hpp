// Java's String.hashCode over UTF-8 input: the tag codes of RocketMQ's index and subscriptions.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry::broker {

// h = 31 * h + unit over UTF-16 code units, wrapping int32, sign-extended. Invalid UTF-8 bytes count as U+FFFD, as Java decodes them. No text: 0,
// the tag code of a message without tag.
[[nodiscard]] inline std::int64_t java_hash(std::string_view utf8) {
  std::uint32_t h = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      h = 31 * h + c;
      ++i;
      continue;
    }
    const unsigned length = c >= 0xF0 && c < 0xF5 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
    std::uint32_t point = length == 4 ? c & 0x07u : length == 3 ? c & 0x0Fu : c & 0x1Fu;
    bool valid = length > 1 && c < 0xF5 && i + length <= utf8.size();
    for (unsigned k = 1; valid && k < length; ++k) {
      const auto next = static_cast<unsigned char>(utf8[i + k]);
      valid = (next & 0xC0) == 0x80;
      point = point << 6 | (next & 0x3Fu);
    }
    if (!valid) {
      h = 31 * h + 0xFFFD;
      ++i;
      continue;
    }
    if (point >= 0x10000) {
      point -= 0x10000;
      h = 31 * h + (0xD800 + (point >> 10));
      h = 31 * h + (0xDC00 + (point & 0x3FF));
    } else {
      h = 31 * h + point;
    }
    i += length;
  }
  return static_cast<std::int32_t>(h);
}

}  // namespace gantry::broker
