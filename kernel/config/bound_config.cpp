#include "kernel/config/bound_config.hpp"

#include <gantry++/str.hpp>

#include <cstdio>
#include <cstdlib>

namespace gantry::config {
namespace {

const BoundConfig &self(const gantry_config *c) { return *static_cast<const BoundConfig *>(c->ctx); }

}  // namespace

BoundConfig::BoundConfig(std::string owner) : owner_(std::move(owner)) {
  abi_.size = sizeof abi_;
  abi_.ctx = this;
  abi_.get_int = [](const gantry_config *c, const char *key) noexcept { return self(c).number(key).number; };
  abi_.get_text = [](const gantry_config *c, const char *key) noexcept { return str(self(c).text(key).text); };
  abi_.list_size = [](const gantry_config *c, const char *key) noexcept {
    return static_cast<std::uint32_t>(self(c).list(key).list.size());
  };
  abi_.list_at = [](const gantry_config *c, const char *key, std::uint32_t i) noexcept {
    const TypedValue &value = self(c).list(key);
    if (i >= value.list.size()) self(c).misuse(key, "was asked for an item past its end");
    return str(value.list[i]);
  };
}

void BoundConfig::misuse(const char *key, const char *what) const {
  std::fprintf(stderr, "gantry: %s: configuration key \"%s\" %s; this is a bug of the plugin\n", owner_.c_str(), key, what);
  std::abort();
}

const TypedValue &BoundConfig::find(const char *key) const {
  const auto found = values_.find(std::string_view(key));
  if (found == values_.end()) misuse(key, "is not declared");
  return found->second;
}

const TypedValue &BoundConfig::number(const char *key) const {
  const TypedValue &value = find(key);
  if (value.type < GANTRY_KEY_BOOL || value.type > GANTRY_KEY_DURATION) misuse(key, "is no number but was asked for one");
  return value;
}

const TypedValue &BoundConfig::text(const char *key) const {
  const TypedValue &value = find(key);
  if (value.type < GANTRY_KEY_STRING || value.type > GANTRY_KEY_PATH) misuse(key, "is no text but was asked for one");
  return value;
}

const TypedValue &BoundConfig::list(const char *key) const {
  const TypedValue &value = find(key);
  if (value.type != GANTRY_KEY_LIST) misuse(key, "is no list but was asked for one");
  return value;
}

}  // namespace gantry::config
