#include "codec/header.hpp"

#include "codec/codes.hpp"
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
    if (!in.string(key) || !in.accept(':') || !in.scalar(value, present)) return "JSON header: damaged ext fields";
    if (present && !out.add(key, value)) return "JSON header: over 128 ext fields";
  } while (in.accept(','));
  return in.accept('}') ? nullptr : "JSON header: damaged ext fields";
}

// A number of the header; fastjson takes numeric text too, and null as 0.
bool scan_int(JsonScan &in, std::int32_t &out) {
  std::string_view text;
  bool present = false;
  if (!in.scalar(text, present)) return false;
  return !present || parse_number(text, out);
}

bool scan_language(JsonScan &in, std::uint8_t &out) {
  std::string_view text;
  bool present = false;
  if (!in.scalar(text, present)) return false;
  std::uint8_t ordinal = 0;
  if (parse_number(text, ordinal)) out = ordinal < 14 ? ordinal : kLanguageOther;
  else if (text == "JAVA") out = kLanguageJava;
  else out = language_code(text);
  return true;
}

// One property of the header object, the scanner standing at its value.
const char *scan_property(JsonScan &in, std::string_view key, Header &out) {
  bool done = true;
  if (key == "extFields") return scan_ext_fields(in, out);
  if (key == "code") {
    done = scan_int(in, out.code);
  } else if (key == "opaque") {
    done = scan_int(in, out.opaque);
  } else if (key == "flag") {
    done = scan_int(in, out.flag);
  } else if (key == "version") {
    done = scan_int(in, out.version);
  } else if (key == "language") {
    done = scan_language(in, out.language);
  } else if (key == "remark") {
    bool present = false;
    done = in.scalar(out.remark, present);
    if (!present) out.remark = {};
  } else {
    done = in.skip();
  }
  return done ? nullptr : "JSON header: damaged value";
}

}  // namespace

const char *decode_json_header(std::string_view text, Scratch &scratch, Header &out) {
  out.clear();
  JsonScan in(text, scratch);
  if (!in.accept('{')) return "JSON header: not an object";
  if (in.accept('}')) return in.at_end() ? nullptr : "JSON header: bytes after the object";
  std::uint32_t properties = 0;
  do {
    std::string_view key;
    if (++properties > kPropertiesMax) return "JSON header: over 64 properties";
    if (!in.string(key) || !in.accept(':')) return "JSON header: damaged key";
    if (const char *wrong = scan_property(in, key, out)) return wrong;
  } while (in.accept(','));
  if (!in.accept('}')) return "JSON header: not closed";
  return in.at_end() ? nullptr : "JSON header: bytes after the object";
}

}  // namespace gantry::remoting
