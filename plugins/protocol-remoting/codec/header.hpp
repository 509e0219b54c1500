// The header of a request or a response, decoded from JSON or from the binary form into one reusable struct without allocation.
#pragma once

#include "codec/frame.hpp"
#include "codec/scratch.hpp"

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

inline constexpr std::uint32_t kExtFieldsMax = 128;  // in one header; real clients send up to 25
inline constexpr std::int32_t kFlagResponse = 1;
inline constexpr std::int32_t kFlagOneway = 2;

struct ExtField {
  std::string_view key, value;
};

// Values are views into the frame or the scratch; both must outlive them. Absent scalars are 0, absent texts are empty.
struct Header {
  std::int32_t code = 0;
  std::int32_t version = 0;
  std::int32_t opaque = 0;
  std::int32_t flag = 0;
  std::uint8_t language = 0;  // RocketMQ's language code
  SerializeType type = SerializeType::kJson;
  std::string_view remark;

  // Ext fields. One-letter keys a..z, which the hot requests use, have slots of their own; the others come in wire order.
  // Numbers and booleans appear as their text; null values do not appear. A repeated key: the last one counts.
  std::uint32_t letters_set = 0;  // bit i: letters[i] holds the value of key 'a' + i
  std::uint32_t n_ext = 0;
  std::string_view letters[26];
  ExtField ext[kExtFieldsMax];

  [[nodiscard]] bool is_response() const { return (flag & kFlagResponse) != 0; }
  [[nodiscard]] bool is_oneway() const { return (flag & kFlagOneway) != 0; }

  // NULL when the header has no such key. Exact, case-sensitive.
  [[nodiscard]] const std::string_view *find(std::string_view key) const;
  // Empty when the header has no such key.
  [[nodiscard]] std::string_view text(std::string_view key) const {
    const std::string_view *value = find(key);
    return value != nullptr ? *value : std::string_view();
  }
  void set_letter(char letter, std::string_view value) {
    letters[letter - 'a'] = value;
    letters_set |= 1u << (letter - 'a');
  }
  // False: the table is full.
  [[nodiscard]] bool add(std::string_view key, std::string_view value) {
    if (key.size() == 1 && key[0] >= 'a' && key[0] <= 'z') {
      set_letter(key[0], value);
      return true;
    }
    if (n_ext == kExtFieldsMax) return false;
    ext[n_ext++] = {key, value};
    return true;
  }
  void clear();
};

// Decodes frame.header by frame.type. Needs scratch.left() >= frame.header.size() + kScratchSlack. NULL: done; otherwise what is wrong: close the
// connection, as the peers do.
[[nodiscard]] const char *decode_header(const Frame &frame, Scratch &scratch, Header &out);

[[nodiscard]] const char *decode_json_header(std::string_view text, Scratch &scratch, Header &out);
[[nodiscard]] const char *decode_binary_header(std::string_view bytes, Header &out);

// Language code of an enum name ("JAVA" -> 0); kLanguageOther when there is none.
[[nodiscard]] std::uint8_t language_code(std::string_view name);

}  // namespace gantry::remoting
