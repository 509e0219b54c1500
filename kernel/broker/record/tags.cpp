#include "kernel/broker/record/tags.hpp"

#include "kernel/broker/record/java_hash.hpp"

#include <algorithm>

namespace gantry::broker {

namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && static_cast<unsigned char>(s.front()) <= ' ') s.remove_prefix(1);
  while (!s.empty() && static_cast<unsigned char>(s.back()) <= ' ') s.remove_suffix(1);
  return s;
}

}  // namespace

bool parse_tags(std::string_view expression, TagSet &out) {
  out.any = expression.empty() || expression == "*";
  out.codes.clear();
  if (out.any) return true;
  while (!expression.empty()) {
    const std::size_t at = expression.find("||");
    const std::string_view tag = trim(expression.substr(0, at));
    if (!tag.empty()) out.codes.push_back(java_hash(tag));
    expression = at == std::string_view::npos ? std::string_view() : expression.substr(at + 2);
  }
  std::sort(out.codes.begin(), out.codes.end());
  out.codes.erase(std::unique(out.codes.begin(), out.codes.end()), out.codes.end());
  return !out.codes.empty();
}

}  // namespace gantry::broker
