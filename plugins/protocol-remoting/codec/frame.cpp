#include "codec/frame.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting {

namespace {

FrameStatus bad(Frame &out, const char *what) {
  out.error = what;
  return FrameStatus::kBad;
}

}  // namespace

FrameStatus split_frame(const std::uint8_t *data, std::uint32_t n, Frame &out) {
  out.total_bytes = 0;
  if (n < 4) return FrameStatus::kPartial;
  const std::uint32_t length = load_be32(data);
  if (length < 4) return bad(out, "frame length below 4");
  if (length > kFrameMaxBytes - 4) return bad(out, "frame over 16 MiB");
  out.total_bytes = length + 4;
  if (n < kFramePrefixBytes) return FrameStatus::kPartial;

  const std::uint32_t type = data[4];
  const std::uint32_t header_bytes = load_be32(data + 4) & 0xFFFFFFu;
  if (type > 1) return bad(out, "unknown serialize type");
  if (header_bytes > length - 4) return bad(out, "header longer than the frame");
  if (header_bytes > kHeaderMaxBytes) return bad(out, "header over 64 KiB");
  if (n < out.total_bytes) return FrameStatus::kPartial;

  const char *text = reinterpret_cast<const char *>(data) + kFramePrefixBytes;
  out.type = static_cast<SerializeType>(type);
  out.header = {text, header_bytes};
  out.body = {text + header_bytes, length - 4 - header_bytes};
  return FrameStatus::kWhole;
}

}  // namespace gantry::remoting
