#include "codec/header.hpp"

#include "codec/codes.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting {

namespace {

constexpr std::string_view kLanguages[] = {"JAVA", "CPP",  "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
                                           "OTHER", "HTTP", "GO",     "PHP",    "OMS",    "RUST",   "NODE_JS"};

// A length field of the binary form; Java writes it signed.
bool length_ok(const ByteReader &in, std::int32_t length) { return length >= 0 && static_cast<std::size_t>(length) <= in.left(); }

}  // namespace

const std::string_view *Header::find(std::string_view key) const {
  if (key.size() == 1 && key[0] >= 'a' && key[0] <= 'z') {
    const int i = key[0] - 'a';
    return (letters_set >> i & 1u) != 0 ? &letters[i] : nullptr;
  }
  for (std::uint32_t i = n_ext; i-- > 0;)
    if (ext[i].key == key) return &ext[i].value;
  return nullptr;
}

void Header::clear() {
  code = version = opaque = flag = 0;
  language = kLanguageOther;
  type = SerializeType::kJson;
  remark = {};
  letters_set = n_ext = 0;
}

std::uint8_t language_code(std::string_view name) {
  for (std::uint8_t i = 0; i < std::size(kLanguages); ++i)
    if (kLanguages[i] == name) return i;
  return kLanguageOther;
}

const char *decode_binary_header(std::string_view bytes, Header &out) {
  ByteReader in(bytes);
  out.clear();
  out.type = SerializeType::kBinary;
  out.code = in.i16();
  const std::uint8_t language = in.u8();
  out.language = language < std::size(kLanguages) ? language : kLanguageOther;
  out.version = in.i16();
  out.opaque = in.i32();
  out.flag = in.i32();
  const std::int32_t remark_bytes = in.i32();
  if (in.failed() || !length_ok(in, remark_bytes)) return "binary header: too short";
  out.remark = in.bytes(static_cast<std::size_t>(remark_bytes));
  const std::int32_t ext_bytes = in.i32();
  if (in.failed() || !length_ok(in, ext_bytes)) return "binary header: wrong length of the ext fields";

  ByteReader fields(in.bytes(static_cast<std::size_t>(ext_bytes)));
  while (!fields.at_end()) {
    const std::int16_t key_bytes = fields.i16();
    if (fields.failed() || !length_ok(fields, key_bytes)) return "binary header: wrong key length";
    const std::string_view key = fields.bytes(static_cast<std::size_t>(key_bytes));
    const std::int32_t value_bytes = fields.i32();
    if (fields.failed() || !length_ok(fields, value_bytes)) return "binary header: wrong value length";
    const std::string_view value = fields.bytes(static_cast<std::size_t>(value_bytes));
    // Java reads an empty value of this form as null, which is the same as absent.
    if (value_bytes != 0 && !out.add(key, value)) return "binary header: over 128 ext fields";
  }
  return nullptr;
}

const char *decode_header(const Frame &frame, Scratch &scratch, Header &out) {
  if (frame.type == SerializeType::kBinary) return decode_binary_header(frame.header, out);
  return decode_json_header(frame.header, scratch, out);
}

}  // namespace gantry::remoting
