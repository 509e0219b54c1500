// MD5 (RFC 1321), for places on RocketMQ's hash ring only.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gantry::allocator {

using Md5Digest = std::array<std::uint8_t, 16>;
[[nodiscard]] Md5Digest md5(std::string_view text);

}  // namespace gantry::allocator
