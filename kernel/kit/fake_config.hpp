// A gantry_config made of a component's declared keys: their defaults, and what the test sets instead.
#pragma once

#include <gantry/abi.h>

#include <map>
#include <string>
#include <vector>

namespace gantry::test {

// Texts as they stand in broker.toml without quotes: "64 MiB", "500ms", "true", "auto"; a list is "a, b".
using ConfigTexts = std::map<std::string, std::string>;

class FakeConfig {
 public:
  // Aborts with the key's name when a text sets an undeclared key, does not parse or is out of the declared range:
  // the kernel would refuse such a file before the component sees it.
  FakeConfig(const gantry_component &component, const ConfigTexts &texts);
  FakeConfig(const FakeConfig &) = delete;
  FakeConfig &operator=(const FakeConfig &) = delete;

  [[nodiscard]] const gantry_config *abi() const { return &abi_; }

 private:
  friend struct FakeConfigTable;
  struct Value {
    std::uint32_t type = 0;
    std::int64_t number = 0;
    std::string text;
    std::vector<std::string> list;
  };
  static Value parse(const gantry_config_key &key, const std::string &text);
  [[nodiscard]] const Value &at(const char *key) const;

  gantry_config abi_{};
  std::map<std::string, Value, std::less<>> values_;
};

// "64 MiB" in bytes, "500ms" in ms, a plain number as it is. False: neither.
[[nodiscard]] bool parse_quantity(const std::string &text, std::int64_t *out);

}  // namespace gantry::test
