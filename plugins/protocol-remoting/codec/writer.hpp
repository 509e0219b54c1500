// Writes whole frames (without the body) for replies and for requests of ours, in either form.
#pragma once

#include "codec/codes.hpp"
#include "codec/header.hpp"

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

struct OutHeader {
  SerializeType type = SerializeType::kJson;  // a reply uses its request's
  std::int32_t code = 0;
  std::int32_t opaque = 0;
  std::int32_t flag = kFlagResponse;
  std::string_view remark;  // "" = none
  const ExtField *ext = nullptr;
  std::uint32_t n_ext = 0;
};

// Bytes that write_frame may need at most, the 8 bytes of the frame prefix included.
[[nodiscard]] std::uint32_t frame_bound(const OutHeader &header);

// Writes prefix and header; body_bytes bytes of body are to follow on the connection. Returns the number written. Ext fields
// always become JSON strings and are always there, even empty: clients read them without looking (quirks Q1 and Q2). Binary form:
// fields with an empty value are left out, as the form cannot tell them from absent ones, and codes are cut to 16 bits.
std::uint32_t write_frame(std::uint8_t *out, const OutHeader &header, std::uint32_t body_bytes);

}  // namespace gantry::remoting
