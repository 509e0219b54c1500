#include "segment.hpp"

#include <algorithm>
#include <cstdio>

namespace gantry::commitlog {

SegmentRef SegmentList::find(LogPos pos) const {
  auto at = std::upper_bound(live.begin(), live.end(), pos, [](LogPos p, const SegmentRef &s) { return p < s->base; });
  if (at == live.begin()) return nullptr;
  --at;
  return pos < (*at)->end() ? *at : nullptr;
}

bool SegmentList::oldest_is_base() const {
  const LogPos end = live.front()->end();
  const auto first = live.begin() + (first_no() - live.front()->no);
  return std::any_of(first, live.end(), [end](const SegmentRef &segment) { return segment->oldest_base < end; });
}

std::string segment_file_name(LogPos base) {
  char name[24];
  std::snprintf(name, sizeof name, "%020lld", static_cast<long long>(base.v));
  return name;
}

bool parse_position(const std::string &text, LogPos *out) {
  if (text.size() != 20 || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  if (text > "09223372036854775807") return false;
  out->v = std::stoll(text);
  return true;
}

}  // namespace gantry::commitlog
