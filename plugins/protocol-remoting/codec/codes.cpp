#include "codec/codes.hpp"

namespace gantry::remoting {

const char *request_name(std::int32_t code) {
  switch (code) {
#define GANTRY_REQUEST(constant, number, name, doc) \
  case number:                                      \
    return name;
#include "codec/request_codes.inc"
#undef GANTRY_REQUEST
    default:
      return nullptr;
  }
}

const char *response_name(std::int32_t code) {
  switch (code) {
#define GANTRY_RESPONSE(constant, number, name, doc) \
  case number:                                       \
    return name;
#include "codec/response_codes.inc"
#undef GANTRY_RESPONSE
    default:
      return nullptr;
  }
}

}  // namespace gantry::remoting
