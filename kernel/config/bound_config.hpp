// The gantry_config of one instance. Internal to kernel/config.
#pragma once

#include "kernel/config/value.hpp"

#include <map>
#include <memory>

namespace gantry::config {

class BoundConfig {
 public:
  explicit BoundConfig(std::string owner);  // owner: for the message of a wrong key, "component remoting"
  BoundConfig(const BoundConfig &) = delete;
  BoundConfig &operator=(const BoundConfig &) = delete;

  void set(std::string key, TypedValue value) { values_.insert_or_assign(std::move(key), std::move(value)); }
  // Aborts with the key's name when there is no such key or it has none of those types: a bug of the plugin that no file can cause.
  [[nodiscard]] const TypedValue &number(const char *key) const;
  [[nodiscard]] const TypedValue &text(const char *key) const;
  [[nodiscard]] const TypedValue &list(const char *key) const;

  [[nodiscard]] static std::shared_ptr<const gantry_config> abi(std::shared_ptr<const BoundConfig> config) {
    const gantry_config *table = &config->abi_;
    return {std::move(config), table};
  }

 private:
  [[nodiscard]] const TypedValue &find(const char *key) const;
  [[noreturn]] void misuse(const char *key, const char *what) const;

  gantry_config abi_{};
  std::string owner_;
  std::map<std::string, TypedValue, std::less<>> values_;
};

}  // namespace gantry::config
