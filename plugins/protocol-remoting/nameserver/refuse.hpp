// Small helpers of the request handlers.
#pragma once

#include "nameserver/service.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace gantry::remoting::nameserver {

inline void refuse(Reply &out, std::int32_t code, std::string remark) {
  out.code = code;
  out.remark = std::move(remark);
}

// Text of a stranger in quotes, cut to 64 bytes, with '?' for what could end or colour a log line.
[[nodiscard]] inline std::string quoted_for_log(std::string_view text) {
  constexpr std::size_t kMaxBytes = 64;
  std::string out = "'";
  for (const char c : text.substr(0, kMaxBytes)) out += c >= 0x20 && c < 0x7F ? c : '?';
  out += text.size() > kMaxBytes ? "...'" : "'";
  return out;
}

}  // namespace gantry::remoting::nameserver
