// Checksum and decompression of registration bodies.
#pragma once

#include <gantry++/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting {

// CRC-32 (IEEE 802.3) of the bytes without its top bit, as RocketMQ writes into bodyCrc32.
[[nodiscard]] std::int32_t body_crc32(std::string_view bytes);

// The content of a zlib stream (RFC 1950). CORRUPT: broken or cut off. LIMIT: more than max_bytes.
[[nodiscard]] Result<std::string> inflate_zlib(std::string_view stream, std::size_t max_bytes);

}  // namespace gantry::remoting
