// Request and response codes of the remoting protocol. The tables are request_codes.inc and response_codes.inc.
#pragma once

#include <cstdint>

namespace gantry::remoting {

enum RequestCode : std::int32_t {
#define GANTRY_REQUEST(constant, number, name, doc) constant = number,
#include "request_codes.inc"
#undef GANTRY_REQUEST
};

enum ResponseCode : std::int32_t {
#define GANTRY_RESPONSE(constant, number, name, doc) constant = number,
#include "response_codes.inc"
#undef GANTRY_RESPONSE
};

// "SEND_MESSAGE"; NULL for a number that no row has.
[[nodiscard]] const char *request_name(std::int32_t code);
[[nodiscard]] const char *response_name(std::int32_t code);

// The version that this broker announces (V4_9_8) and the language it claims: clients gate features on the former.
inline constexpr std::int32_t kVersion = 409;
inline constexpr std::uint8_t kLanguageJava = 0;
inline constexpr std::uint8_t kLanguageOther = 7;

}  // namespace gantry::remoting
