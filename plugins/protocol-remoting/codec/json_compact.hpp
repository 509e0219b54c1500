// The header's JSON as clients' libraries write it, read in one pass without a general scanner.
#pragma once

#include "codec/header.hpp"

#include <string_view>

namespace gantry::remoting {

// Takes compact JSON of the header's own properties, in any order: numbers of up to ten digits, a language and a remark that are texts without
// escapes (or a remark that is null), ext fields that are all texts, their keys without escapes. False: the text is anything else, good or damaged, and only
// decode_general_json_header can tell; `out` and what was taken from the scratch are then garbage. True: `out` is what that one would give.
[[nodiscard]] bool decode_compact_json_header(std::string_view text, Scratch &scratch, Header &out);

// Any JSON of a header. Results as decode_header.
[[nodiscard]] const char *decode_general_json_header(std::string_view text, Scratch &scratch, Header &out);

// Language of a header: an enum name or an ordinal. Anything unknown is kLanguageOther.
[[nodiscard]] std::uint8_t language_of(std::string_view text);

}  // namespace gantry::remoting
