// CRC-32 (IEEE 802.3, reflected), as RocketMQ's body checksum wants it before masking; by ISA-L.
#pragma once

#include <isa-l/crc.h>

#include <cstddef>
#include <cstdint>

namespace gantry {

[[nodiscard]] inline std::uint32_t crc32_ieee(const void *data, std::size_t bytes) {
  return crc32_gzip_refl(0, static_cast<const unsigned char *>(data), bytes);
}

}  // namespace gantry
