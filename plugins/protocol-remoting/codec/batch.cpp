#include "codec/batch.hpp"

namespace gantry::remoting {

bool BatchReader::next(BatchItem &out) {
  constexpr std::uint32_t kFixedBytes = 4 + 4 + 4 + 4 + 4 + 2;
  const std::uint32_t total = in_.u32();
  in_.skip(8);
  out.flag = in_.i32();
  const std::int32_t body_bytes = in_.i32();
  if (in_.failed() || body_bytes < 0) return false;
  out.body = in_.bytes(static_cast<std::size_t>(body_bytes));
  const std::int16_t properties_bytes = in_.i16();
  if (in_.failed() || properties_bytes < 0) return false;
  out.properties = in_.bytes(static_cast<std::size_t>(properties_bytes));
  return !in_.failed() && total == kFixedBytes + out.body.size() + out.properties.size();
}

std::int32_t count_batch(std::string_view body) {
  BatchReader in(body);
  BatchItem item;
  std::int32_t n = 0;
  while (!in.at_end()) {
    if (!in.next(item)) return -1;
    ++n;
  }
  return n;
}

}  // namespace gantry::remoting
