// What clients sign: the values of all ext fields but Signature, in ascending order of their names (AccessKey before lower-case ones), one after the other.
#pragma once

#include "codec/header.hpp"

#include <string>
#include <string_view>

namespace gantry::remoting {

// Appends to `out`. Of a repeated name the last value counts. `left_out`: a further field that is not signed; empty: none.
void append_signed_content(const Header &header, std::string_view left_out, std::string &out);
// The same of fields to be sent. n up to kExtFieldsMax.
void append_signed_content(const ExtField *fields, std::uint32_t n, std::string &out);

}  // namespace gantry::remoting
