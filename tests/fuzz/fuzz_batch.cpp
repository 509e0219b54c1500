// Batch bodies and property strings: every view lies in the input, and a batch that counts as whole is used up exactly.
#include "codec/batch.hpp"
#include "codec/properties.hpp"

#include <gantry++/result.hpp>

using namespace gantry::remoting;

namespace {

void inside(std::string_view part, std::string_view whole) {
  GANTRY_ASSERT(part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size()));
}

void check_properties(std::string_view text) {
  (void)scan_properties(text);
  PropertyReader in(text);
  std::string_view key, value, entry;
  std::size_t seen = 0;
  while (in.next(key, value, entry)) {
    inside(key, text);
    inside(value, text);
    inside(entry, text);
    GANTRY_ASSERT(!key.empty() && !value.empty() && key.find('\1') == std::string_view::npos);
    seen += entry.size();
  }
  GANTRY_ASSERT(seen <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char *>(data), size);
  check_properties(body);
  const std::int32_t items = count_batch(body);
  BatchReader in(body);
  BatchItem item;
  std::size_t used = 0;
  std::int32_t n = 0;
  while (!in.at_end() && in.next(item)) {
    inside(item.body, body);
    inside(item.properties, body);
    check_properties(item.properties);
    used += 22 + item.body.size() + item.properties.size();
    ++n;
  }
  GANTRY_ASSERT(items == -1 || (n == items && used == size));
  return 0;
}
