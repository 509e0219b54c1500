// The transport frame: int32 length (of what follows), one byte serialize type, 24-bit header length, header, body.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

inline constexpr std::uint32_t kFrameMaxBytes = 16u << 20;   // whole frame, the length field included
inline constexpr std::uint32_t kHeaderMaxBytes = 64u << 10;  // of the header alone
inline constexpr std::uint32_t kFramePrefixBytes = 8;

enum class SerializeType : std::uint8_t { kJson = 0, kBinary = 1 };

struct Frame {  // views into the input
  std::string_view header;
  std::string_view body;
  SerializeType type = SerializeType::kJson;
  std::uint32_t total_bytes = 0;   // of the whole frame; 0 while its length field has not arrived
  const char *error = nullptr;     // what is wrong, when kBad
};

enum class FrameStatus { kWhole, kPartial, kBad };

// Looks at the first frame of `data`. kPartial: wait until total_bytes are there (0: at least 4). kBad: the peer does not speak
// this protocol and the connection must be closed, since nothing after this point can be trusted. A wrong length is found as
// soon as its bytes are there, before anything is buffered for it.
[[nodiscard]] FrameStatus split_frame(const std::uint8_t *data, std::uint32_t n, Frame &out);

}  // namespace gantry::remoting
