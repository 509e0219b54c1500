// gantry_str and gantry_span to and from the standard views.
#pragma once

#include <gantry/abi.h>

#include <string_view>

namespace gantry {

inline std::string_view view(gantry_str s) { return s.n == 0 ? std::string_view() : std::string_view(s.p, s.n); }
inline std::string_view view(const gantry_span &s) {
  return s.n == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char *>(s.p), s.n);
}
inline gantry_str str(std::string_view s) { return gantry_str{s.data(), static_cast<std::uint32_t>(s.size()), 0}; }
inline gantry_span span(const void *p, std::size_t n) {
  return gantry_span{static_cast<const std::uint8_t *>(p), static_cast<std::uint32_t>(n), 0, nullptr};
}
inline gantry_span span(std::string_view s) { return span(s.data(), s.size()); }

}  // namespace gantry
