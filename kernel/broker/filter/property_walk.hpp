// RocketMQ's property string (key 0x01 value 0x02 ...) entry by entry, in one pass.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gantry::broker {

namespace detail {

inline constexpr std::size_t kMarkBytes = 16;

// Bit i: byte i of the 16 at `p` is 0x01 or 0x02.
inline std::uint32_t marks_at(const char *p) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
  const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(1)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(2)));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(marks));
#else
  std::uint32_t marks = 0;
  for (std::uint32_t i = 0; i < kMarkBytes; ++i) marks |= static_cast<std::uint32_t>(p[i] == 1 || p[i] == 2) << i;
  return marks;
#endif
}

// The same for the last `rest` of the bytes, fewer than 16: nothing beyond them is read.
inline std::uint32_t last_marks(std::string_view bytes, std::size_t rest) {
  const char *const end = bytes.data() + bytes.size();
  if (bytes.size() >= kMarkBytes) return marks_at(end - kMarkBytes) >> (kMarkBytes - rest);
  std::uint32_t marks = 0;
  for (std::size_t i = 0; i < rest; ++i) marks |= static_cast<std::uint32_t>((end - rest)[i] == 1 || (end - rest)[i] == 2) << i;
  return marks;
}

}  // namespace detail

// Calls fn(key, value) for each entry, as RocketMQ's decoder reads them: the first 0x01 ends the key, the last entry needs no 0x02 at its end, and
// entries without a key or a value do not count. Views go into `props`.
template <typename Fn>
void for_each_property(std::string_view props, Fn fn) {
  const std::size_t end = props.size();
  std::size_t key = 0, separator = end;  // of the entry; the latter is `end` until it was seen
  for (std::size_t at = 0; at < end; at += detail::kMarkBytes) {
    const std::size_t rest = end - at;
    std::uint32_t marks = rest >= detail::kMarkBytes ? detail::marks_at(props.data() + at) : detail::last_marks(props, rest);
    if (rest <= detail::kMarkBytes) marks |= 1u << rest;  // the end of the last entry
    for (; marks != 0; marks &= marks - 1) {
      const std::size_t mark = at + static_cast<std::size_t>(std::countr_zero(marks));
      if (mark != end && props[mark] == 1) {
        if (separator == end) separator = mark;
        continue;
      }
      if (separator > key && separator + 1 < mark) fn(std::string_view(props.data() + key, separator - key), std::string_view(props.data() + separator + 1, mark - separator - 1));
      key = mark + 1;
      separator = end;
    }
  }
}

}  // namespace gantry::broker
