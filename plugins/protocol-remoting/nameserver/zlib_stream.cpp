#include "nameserver/zlib_stream.hpp"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <memory>

namespace gantry::remoting {

std::int32_t body_crc32(std::string_view bytes) {
  const std::uint32_t crc = crc32_gzip_refl(0, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
  return static_cast<std::int32_t>(crc & 0x7FFFFFFFu);
}

Result<std::string> inflate_zlib(std::string_view stream, std::size_t max_bytes) {
  const auto state = std::make_unique<inflate_state>();  // 80 KiB: not for the stack
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_ZLIB;
  state->next_in = reinterpret_cast<std::uint8_t *>(const_cast<char *>(stream.data()));
  state->avail_in = static_cast<std::uint32_t>(stream.size());
  std::string out;
  std::size_t used = 0;
  while (state->block_state != ISAL_BLOCK_FINISH) {
    if (used > max_bytes) return Error{GANTRY_E_LIMIT, "it inflates to more than " + std::to_string(max_bytes) + " bytes"};
    const std::size_t room = std::min(std::max(stream.size() * 4, std::size_t{4096}), max_bytes + 1 - used);
    out.resize(used + room);
    state->next_out = reinterpret_cast<std::uint8_t *>(out.data() + used);
    state->avail_out = static_cast<std::uint32_t>(room);
    const int code = isal_inflate(state.get());
    used += room - state->avail_out;
    const bool stuck = state->avail_in == 0 && state->avail_out == room;
    if (code != ISAL_DECOMP_OK || (stuck && state->block_state != ISAL_BLOCK_FINISH)) {
      return Error{GANTRY_E_CORRUPT, "it is no whole zlib stream"};
    }
  }
  if (used > max_bytes) return Error{GANTRY_E_LIMIT, "it inflates to more than " + std::to_string(max_bytes) + " bytes"};
  out.resize(used);
  return out;
}

}  // namespace gantry::remoting
