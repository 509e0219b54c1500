#include "wire/frame.hpp"

#include <charconv>
#include <limits>

#include "wire/bytes.hpp"
#include "wire/json_scan.hpp"

namespace gantry::bench {

namespace {

constexpr std::uint8_t kLanguageJava = 0;
/// V4_9_7 in RocketMQ's version enumeration.
constexpr std::uint16_t kVersion = 407;
constexpr std::size_t kBinaryFixed = 2 + 1 + 2 + 4 + 4 + 4;

void append_escaped(std::string &out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

struct HeaderParts {
  int code;
  std::int32_t opaque;
  std::int32_t flag;
  std::string_view remark;
  const Fields &fields;
};

void append_json_header(BuiltFrame &frame, const HeaderParts &parts) {
  std::string &out = frame.bytes;
  out += "{\"code\":" + std::to_string(parts.code) + ",\"extFields\":{";
  bool first = true;
  for (const auto &[key, value] : parts.fields) {
    if (!first) out.push_back(',');
    first = false;
    append_escaped(out, key);
    out.push_back(':');
    append_escaped(out, value);
  }
  out += "},\"flag\":" + std::to_string(parts.flag) + ",\"language\":\"JAVA\",\"opaque\":";
  frame.opaque_at = out.size();
  out += std::to_string(parts.opaque);
  if (!parts.remark.empty()) {
    out += ",\"remark\":";
    append_escaped(out, parts.remark);
  }
  out += ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":" + std::to_string(kVersion) + "}";
}

void append_binary_header(BuiltFrame &frame, const HeaderParts &parts) {
  std::string &out = frame.bytes;
  append_be16(out, static_cast<std::uint16_t>(parts.code));
  out.push_back(static_cast<char>(kLanguageJava));
  append_be16(out, kVersion);
  frame.opaque_at = out.size();
  append_be32(out, static_cast<std::uint32_t>(parts.opaque));
  append_be32(out, static_cast<std::uint32_t>(parts.flag));
  append_be32(out, static_cast<std::uint32_t>(parts.remark.size()));
  out += parts.remark;
  std::string fields;
  for (const auto &[key, value] : parts.fields) {
    append_be16(fields, static_cast<std::uint16_t>(key.size()));
    fields += key;
    append_be32(fields, static_cast<std::uint32_t>(value.size()));
    fields += value;
  }
  append_be32(out, static_cast<std::uint32_t>(fields.size()));
  out += fields;
}

BuiltFrame build(HeaderType type, const HeaderParts &parts, std::string_view body) {
  BuiltFrame frame;
  frame.bytes.resize(kFramePrefix);
  if (type == HeaderType::kJson) {
    append_json_header(frame, parts);
  } else {
    append_binary_header(frame, parts);
  }
  const auto header_size = static_cast<std::uint32_t>(frame.bytes.size() - kFramePrefix);
  frame.bytes += body;
  store_be32(frame.bytes.data(), static_cast<std::uint32_t>(frame.bytes.size() - 4));
  store_be32(frame.bytes.data() + 4, static_cast<std::uint32_t>(type) << 24 | header_size);
  return frame;
}

bool parse_json_header(std::string_view text, HeaderView &header) {
  bool numbers_fine = true;
  const auto read_int = [&numbers_fine](std::string_view value) {
    const auto number = to_integer(unquoted(value));
    numbers_fine = numbers_fine && number.has_value();
    return static_cast<std::int32_t>(number.value_or(0));
  };
  const bool whole = scan_object(text, [&](std::string_view key, std::string_view value) {
    if (key == "code") {
      header.code = read_int(value);
    } else if (key == "opaque") {
      header.opaque = read_int(value);
    } else if (key == "flag") {
      header.flag = read_int(value);
    } else if (key == "remark") {
      header.remark = unquoted(value);
    } else if (key == "extFields") {
      header.fields = value;
    }
  });
  return whole && numbers_fine;
}

bool parse_binary_header(std::string_view bytes, HeaderView &header) {
  if (bytes.size() < kBinaryFixed) return false;
  header.code = static_cast<std::int16_t>(load_be16(bytes.data()));
  header.opaque = static_cast<std::int32_t>(load_be32(bytes.data() + 5));
  header.flag = static_cast<std::int32_t>(load_be32(bytes.data() + 9));
  const std::size_t remark_size = load_be32(bytes.data() + 13);
  if (remark_size > bytes.size() - kBinaryFixed) return false;
  header.remark = bytes.substr(kBinaryFixed, remark_size);
  const std::string_view rest = bytes.substr(kBinaryFixed + remark_size);
  if (rest.size() < 4) return rest.empty();
  const std::size_t fields_size = load_be32(rest.data());
  if (fields_size > rest.size() - 4) return false;
  header.fields = rest.substr(4, fields_size);
  return true;
}

std::optional<std::string_view> find_binary_field(std::string_view fields, std::string_view key) {
  while (fields.size() >= 6) {
    const std::size_t key_size = load_be16(fields.data());
    if (fields.size() < 6 + key_size) return std::nullopt;
    const std::size_t value_size = load_be32(fields.data() + 2 + key_size);
    if (value_size > fields.size() - 6 - key_size) return std::nullopt;
    if (fields.substr(2, key_size) == key) return fields.substr(6 + key_size, value_size);
    fields.remove_prefix(6 + key_size + value_size);
  }
  return std::nullopt;
}

}  // namespace

FrameStatus cut_frame(std::string_view bytes, FrameView &frame) {
  if (bytes.size() < 4) return FrameStatus::kIncomplete;
  const std::size_t length = load_be32(bytes.data());
  if (length < 4 || length + 4 > kMaxFrame) return FrameStatus::kBroken;
  if (bytes.size() < length + 4) return FrameStatus::kIncomplete;
  const std::uint32_t word = load_be32(bytes.data() + 4);
  const std::size_t header_size = word & 0xffffffu;
  const std::uint32_t type = word >> 24;
  if (header_size > length - 4 || type > 1) return FrameStatus::kBroken;
  frame.type = static_cast<HeaderType>(type);
  frame.header = bytes.substr(kFramePrefix, header_size);
  frame.body = bytes.substr(kFramePrefix + header_size, length - 4 - header_size);
  frame.size = length + 4;
  return FrameStatus::kWhole;
}

bool parse_header(const FrameView &frame, HeaderView &header) {
  header = HeaderView{};
  header.type = frame.type;
  return frame.type == HeaderType::kJson ? parse_json_header(frame.header, header)
                                         : parse_binary_header(frame.header, header);
}

std::optional<std::string_view> find_field(const HeaderView &header, std::string_view key) {
  if (header.type == HeaderType::kBinary) return find_binary_field(header.fields, key);
  std::optional<std::string_view> found;
  const bool whole = scan_object(header.fields, [&](std::string_view name, std::string_view value) {
    if (name == key) found = unquoted(value);
  });
  return whole ? found : std::nullopt;
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

BuiltFrame build_request(HeaderType type, RequestCode code, std::int32_t opaque, const Fields &fields,
                         std::string_view body) {
  return build(type, {static_cast<int>(code), opaque, 0, {}, fields}, body);
}

BuiltFrame build_response(HeaderType type, int code, std::int32_t opaque, std::string_view remark,
                          const Fields &fields, std::string_view body) {
  return build(type, {code, opaque, 1, remark, fields}, body);
}

void patch_opaque(char *frame, std::size_t opaque_at, HeaderType type, std::int32_t opaque) {
  if (type == HeaderType::kJson) {
    write_digits(frame + opaque_at, static_cast<std::uint64_t>(opaque), kOpaqueDigits);
  } else {
    store_be32(frame + opaque_at, static_cast<std::uint32_t>(opaque));
  }
}

void write_digits(char *at, std::uint64_t value, std::size_t digits) {
  for (std::size_t i = digits; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

}  // namespace gantry::bench
