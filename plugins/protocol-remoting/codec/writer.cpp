#include "codec/writer.hpp"

#include "codec/text.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting {

namespace {

constexpr std::string_view kJsonTail = ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":409}";
static_assert(kVersion == 409, "the version is part of the text above");
constexpr std::uint32_t kFixedMax = 192;     // keys, numbers and tail of the JSON form
constexpr std::uint32_t kPerFieldMax = 8;    // quotes, colon and comma, or the two lengths of the binary form
constexpr std::uint32_t kEscapeGrowth = 6;   // one byte becomes \u00XX

char *put_escaped(char *out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '"' && c != '\\') {
      *out++ = c;
    } else if (c == '"' || c == '\\') {
      *out++ = '\\';
      *out++ = c;
    } else {
      out = put_text(out, "\\u00");
      *out++ = kHex[byte >> 4];
      *out++ = kHex[byte & 15];
    }
  }
  return out;
}

char *put_json(char *out, const OutHeader &header) {
  out = put_number(put_text(out, "{\"code\":"), header.code);
  out = put_text(out, ",\"extFields\":{");
  for (std::uint32_t i = 0; i < header.n_ext; ++i) {
    if (i != 0) *out++ = ',';
    *out++ = '"';
    out = put_escaped(out, header.ext[i].key);
    out = put_text(out, "\":\"");
    out = put_escaped(out, header.ext[i].value);
    *out++ = '"';
  }
  out = put_number(put_text(out, "},\"flag\":"), header.flag);
  out = put_number(put_text(out, ",\"language\":\"JAVA\",\"opaque\":"), header.opaque);
  if (!header.remark.empty()) {
    out = put_escaped(put_text(out, ",\"remark\":\""), header.remark);
    *out++ = '"';
  }
  return put_text(out, kJsonTail);
}

char *put_be32(char *out, std::uint32_t value) {
  store_be32(out, value);
  return out + 4;
}

char *put_be16(char *out, std::uint32_t value) {
  store_be16(out, static_cast<std::uint16_t>(value));
  return out + 2;
}

char *put_binary(char *out, const OutHeader &header) {
  out = put_be16(out, static_cast<std::uint32_t>(header.code));
  *out++ = static_cast<char>(kLanguageJava);
  out = put_be16(out, kVersion);
  out = put_be32(out, static_cast<std::uint32_t>(header.opaque));
  out = put_be32(out, static_cast<std::uint32_t>(header.flag));
  out = put_be32(out, static_cast<std::uint32_t>(header.remark.size()));
  out = put_text(out, header.remark);
  char *const ext_bytes = out;
  out += 4;
  for (std::uint32_t i = 0; i < header.n_ext; ++i) {
    if (header.ext[i].value.empty()) continue;
    out = put_be16(out, static_cast<std::uint32_t>(header.ext[i].key.size()));
    out = put_text(out, header.ext[i].key);
    out = put_be32(out, static_cast<std::uint32_t>(header.ext[i].value.size()));
    out = put_text(out, header.ext[i].value);
  }
  (void)put_be32(ext_bytes, static_cast<std::uint32_t>(out - ext_bytes - 4));
  return out;
}

}  // namespace

std::uint32_t frame_bound(const OutHeader &header) {
  std::size_t text = header.remark.size();
  for (std::uint32_t i = 0; i < header.n_ext; ++i) text += header.ext[i].key.size() + header.ext[i].value.size();
  return kFramePrefixBytes + kFixedMax + header.n_ext * kPerFieldMax + static_cast<std::uint32_t>(text) * kEscapeGrowth;
}

std::uint32_t write_frame(std::uint8_t *out, const OutHeader &header, std::uint32_t body_bytes) {
  char *const begin = reinterpret_cast<char *>(out) + kFramePrefixBytes;
  char *const end = header.type == SerializeType::kBinary ? put_binary(begin, header) : put_json(begin, header);
  const auto header_bytes = static_cast<std::uint32_t>(end - begin);
  store_be32(out, 4 + header_bytes + body_bytes);
  store_be32(out + 4, static_cast<std::uint32_t>(header.type) << 24 | header_bytes);
  return kFramePrefixBytes + header_bytes;
}

}  // namespace gantry::remoting
