#include "codec/header.hpp"

#include "codec/codes.hpp"
#include "codec/json_compact.hpp"
#include "codec/json_scan.hpp"
#include "codec/text.hpp"

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kPropertiesMax = 64;  // of the header itself; peers write up to 9

// extFields: names and texts. NULL or what is wrong.
const char *scan_ext_fields(JsonScan &in, Header &out) {
  if (!in.accept('{')) {
    std::string_view ignored;
    bool present = false;
    if (!in.scalar(ignored, present) || present) return "JSON header: extFields is not an object";
    return nullptr;
  }
  if (in.accept('}')) return nullptr;
  do {
    std::string_view key, value;
    bool present = false;
    if (const char letter = in.letter_key(); letter != '\0') {
      if (!in.scalar(value, present)) return "JSON header: damaged ext fields";
      if (present) out.set_letter(letter, value);
      continue;
    }
    if (!in.string(key) || !in.accept(':') || !in.scalar(value, present)) return "JSON header: damaged ext fields";
    if (present && !out.add(key, value)) return "JSON header: over 128 ext fields";
  } while (in.accept(','));
  return in.accept('}') ? nullptr : "JSON header: damaged ext fields";
}

// A number of the header; fastjson takes numeric text too, and null as 0.
bool scan_int(JsonScan &in, std::int32_t &out) {
  if (in.small_number(out)) [[likely]] return true;
  std::string_view text;
  bool present = false;
  if (!in.scalar(text, present)) return false;
  return !present || parse_number(text, out);
}

bool scan_language(JsonScan &in, std::uint8_t &out) {
  std::string_view text;
  bool present = false;
  if (!in.scalar(text, present)) return false;
  out = language_of(text);
  return true;
}

enum class Property : std::uint8_t { kUnknown, kCode, kOpaque, kFlag, kVersion, kLanguage, kRemark, kExtFields };

Property property_of(std::string_view key) {
  switch (key.size()) {
    case 4: return is(key, "code") ? Property::kCode : is(key, "flag") ? Property::kFlag : Property::kUnknown;
    case 6: return is(key, "opaque") ? Property::kOpaque : is(key, "remark") ? Property::kRemark : Property::kUnknown;
    case 7: return is(key, "version") ? Property::kVersion : Property::kUnknown;
    case 8: return is(key, "language") ? Property::kLanguage : Property::kUnknown;
    case 9: return is(key, "extFields") ? Property::kExtFields : Property::kUnknown;
    default: return Property::kUnknown;
  }
}

bool scan_remark(JsonScan &in, std::string_view &out) {
  bool present = false;
  if (!in.scalar(out, present)) return false;
  if (!present) out = {};
  return true;
}

// One property of the header object, the scanner standing at its value.
bool scan_property(JsonScan &in, Property property, Header &out) {
  switch (property) {
    case Property::kCode: return scan_int(in, out.code);
    case Property::kOpaque: return scan_int(in, out.opaque);
    case Property::kFlag: return scan_int(in, out.flag);
    case Property::kVersion: return scan_int(in, out.version);
    case Property::kLanguage: return scan_language(in, out.language);
    case Property::kRemark: return scan_remark(in, out.remark);
    default: return in.skip();
  }
}

}  // namespace

const char *decode_json_header(std::string_view text, Scratch &scratch, Header &out) {
  const Scratch::Mark mark = scratch.mark();
  if (decode_compact_json_header(text, scratch, out)) [[likely]] return nullptr;
  scratch.rewind(mark);
  return decode_general_json_header(text, scratch, out);
}

const char *decode_general_json_header(std::string_view text, Scratch &scratch, Header &out) {
  out.clear();
  JsonScan in(text, scratch);
  if (!in.accept('{')) return "JSON header: not an object";
  if (in.accept('}')) return in.at_end() ? nullptr : "JSON header: bytes after the object";
  std::uint32_t properties = 0;
  do {
    std::string_view key;
    if (++properties > kPropertiesMax) return "JSON header: over 64 properties";
    if (!in.string(key) || !in.accept(':')) return "JSON header: damaged key";
    const Property property = property_of(key);
    if (property == Property::kExtFields) {
      if (const char *wrong = scan_ext_fields(in, out)) return wrong;
    } else if (!scan_property(in, property, out)) {
      return "JSON header: damaged value";
    }
  } while (in.accept(','));
  if (!in.accept('}')) return "JSON header: not closed";
  return in.at_end() ? nullptr : "JSON header: bytes after the object";
}

}  // namespace gantry::remoting
