// Builds frames and headers the way clients write them, for tests with byte strings.
#pragma once

#include "codec/codes.hpp"
#include "codec/header.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::remoting::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] inline std::string be(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(i < 8 ? static_cast<char>(value >> (8 * i)) : 0);
  return out;
}

// A frame of any header and body, with a correct length.
[[nodiscard]] inline std::string frame(std::string_view header, std::string_view body = {}, std::uint8_t type = 0) {
  return be(4 + header.size() + body.size(), 4) + be(type, 1) + be(header.size(), 3) + std::string(header) + std::string(body);
}

[[nodiscard]] inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) out += std::string("\\u00") + (c < 16 ? '0' : '1') + "0123456789abcdef"[c & 15];
    else out += c;
  }
  return out + '"';
}

// As the Java client writes it: compact, keys sorted, all ext values strings.
[[nodiscard]] inline std::string java_header(std::int32_t code, std::int32_t opaque, const Fields &fields, std::int32_t flag = 0, std::int32_t version = 409) {
  std::string ext;
  for (const auto &[key, value] : fields) ext += (ext.empty() ? "" : ",") + quoted(key) + ":" + quoted(value);
  return "{\"code\":" + std::to_string(code) + (fields.empty() ? "" : ",\"extFields\":{" + ext + "}") + ",\"flag\":" +
         std::to_string(flag) + ",\"language\":\"JAVA\",\"opaque\":" + std::to_string(opaque) +
         ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":" + std::to_string(version) + "}";
}

[[nodiscard]] inline std::string binary_header(std::int32_t code, std::int32_t opaque, const Fields &fields, std::int32_t flag = 0,
                                               std::string_view remark = {}) {
  std::string ext;
  for (const auto &[key, value] : fields) ext += be(key.size(), 2) + key + be(value.size(), 4) + value;
  return be(static_cast<std::uint64_t>(code), 2) + be(0, 1) + be(409, 2) + be(static_cast<std::uint32_t>(opaque), 4) +
         be(static_cast<std::uint32_t>(flag), 4) + be(remark.size(), 4) + std::string(remark) + be(ext.size(), 4) + ext;
}

}  // namespace gantry::remoting::test
