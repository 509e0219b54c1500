#include "access/access_rules.hpp"

#include "codec/codes.hpp"

#include <gantry/draft/auth.h>

#include <algorithm>
#include <array>
#include <vector>

namespace gantry::remoting {
namespace {

constexpr std::uint32_t kTopic = GANTRY_RESOURCE_TOPIC, kGroup = GANTRY_RESOURCE_GROUP, kCluster = GANTRY_RESOURCE_CLUSTER;

constexpr AccessRule kRules[] = {
#define GANTRY_ACCESS(code, resource, source, field, actions) {code, k##resource, NameSource::k##source, field, actions},
#include "access/access.inc"
#undef GANTRY_ACCESS
};

constexpr std::int32_t kDirectCodes = 1024;  // found by index; the few above are searched

struct Range {
  std::uint16_t first = 0, count = 0;
};

// Rows of one code stand together; a row elsewhere would be lost, so that is asserted.
constexpr std::array<Range, kDirectCodes> index_rules() {
  std::array<Range, kDirectCodes> out{};
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    if (kRules[i].code >= kDirectCodes) continue;
    Range &range = out[static_cast<std::size_t>(kRules[i].code)];
    if (range.count == 0) range.first = static_cast<std::uint16_t>(i);
    ++range.count;
  }
  return out;
}

constexpr bool rows_stand_together() {
  for (std::size_t i = 1; i < std::size(kRules); ++i)
    if (kRules[i].code != kRules[i - 1].code)
      for (std::size_t k = 0; k + 1 < i; ++k)
        if (kRules[k].code == kRules[i].code) return false;
  return true;
}
static_assert(rows_stand_together(), "the rows of one code stand together in access.inc");

constexpr std::array<Range, kDirectCodes> kIndex = index_rules();

}  // namespace

std::span<const AccessRule> all_access_rules() { return kRules; }

std::span<const AccessRule> access_rules(std::int32_t code) {
  if (code >= 0 && code < kDirectCodes) [[likely]] return std::span(kRules).subspan(kIndex[static_cast<std::size_t>(code)].first, kIndex[static_cast<std::size_t>(code)].count);
  const auto first = std::find_if(std::begin(kRules), std::end(kRules), [code](const AccessRule &rule) { return rule.code == code; });
  const auto last = std::find_if(first, std::end(kRules), [code](const AccessRule &rule) { return rule.code != code; });
  return {first, last};
}

}  // namespace gantry::remoting
