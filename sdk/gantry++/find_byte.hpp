// Looking for one of two bytes, 16 at a time where the processor can.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gantry {

// First byte in [p, end) that is `a` or `b`; `end` when there is none. `text`, at or before p, is where the memory begins that may be read: what lies
// between is looked at, and does not count. Made for short pieces of a text: no call, no set-up.
[[nodiscard]] inline const char *find_either(const char *text, const char *p, const char *end, char a, char b) {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(a), second = _mm_set1_epi8(b);
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second)));
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
  if (p != end && end - text >= 16) {  // the last bytes together with some before them
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(end - 16));
    const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second))) & -1 << (16 - (end - p));
    return mask != 0 ? end - 16 + __builtin_ctz(static_cast<unsigned>(mask)) : end;
  }
#else
  (void)text;
#endif
  while (p != end && *p != a && *p != b) ++p;
  return p;
}

}  // namespace gantry
