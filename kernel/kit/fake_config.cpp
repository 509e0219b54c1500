#include "kernel/kit/fake_config.hpp"

#include "kernel/kit/test_util.hpp"

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <utility>

namespace gantry::test {

namespace {
std::string trimmed(const std::string &text) {
  const auto begin = text.find_first_not_of(" \t\"'[]");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\"'[]") - begin + 1);
}

bool is_number_type(std::uint32_t type) {
  return type == GANTRY_KEY_BOOL || type == GANTRY_KEY_INT || type == GANTRY_KEY_SIZE || type == GANTRY_KEY_DURATION;
}

bool has_word(const char *words, const std::string &word) {
  std::istringstream in(words != nullptr ? words : "");
  for (std::string each; in >> each;) {
    if (each == word) return true;
  }
  return false;
}
}  // namespace

bool parse_quantity(const std::string &text, std::int64_t *out) {
  static const std::map<std::string, std::int64_t> kUnits{
      {"", 1},         {"B", 1},       {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1LL << 40},
      {"ms", 1},       {"s", 1000},    {"m", 60000},     {"min", 60000},   {"h", 3600000},   {"d", 86400000}};
  const std::string body = trimmed(text);
  char *end = nullptr;
  errno = 0;
  const long long number = std::strtoll(body.c_str(), &end, 10);
  if (end == body.c_str() || errno != 0) return false;
  const auto unit = kUnits.find(trimmed(end));
  if (unit == kUnits.end()) return false;
  return !__builtin_mul_overflow(number, unit->second, out);
}

struct FakeConfigTable {
  static const FakeConfig &self(const gantry_config *c) { return *static_cast<const FakeConfig *>(c->ctx); }

  static std::int64_t get_int(const gantry_config *c, const char *key) noexcept {
    const auto &value = self(c).at(key);
    require(is_number_type(value.type), std::string("config.get_int of a text key: ") + key);
    return value.number;
  }
  static gantry_str get_text(const gantry_config *c, const char *key) noexcept {
    const auto &value = self(c).at(key);
    require(!is_number_type(value.type) && value.type != GANTRY_KEY_LIST, std::string("config.get_text of another type of key: ") + key);
    return {value.text.data(), static_cast<std::uint32_t>(value.text.size()), 0};
  }
  static std::uint32_t list_size(const gantry_config *c, const char *key) noexcept {
    const auto &value = self(c).at(key);
    require(value.type == GANTRY_KEY_LIST, std::string("config.list_size of another type of key: ") + key);
    return static_cast<std::uint32_t>(value.list.size());
  }
  static gantry_str list_at(const gantry_config *c, const char *key, std::uint32_t i) noexcept {
    require(i < list_size(c, key), std::string("config.list_at past the end of ") + key);
    const std::string &text = self(c).at(key).list[i];
    return {text.data(), static_cast<std::uint32_t>(text.size()), 0};
  }
};

FakeConfig::FakeConfig(const gantry_component &component, const ConfigTexts &texts) {
  abi_.size = sizeof abi_;
  abi_.ctx = this;
  abi_.get_int = FakeConfigTable::get_int;
  abi_.get_text = FakeConfigTable::get_text;
  abi_.list_size = FakeConfigTable::list_size;
  abi_.list_at = FakeConfigTable::list_at;
  for (std::uint32_t i = 0; i < component.n_keys; ++i) {
    const gantry_config_key &key = component.keys[i];
    const auto set = texts.find(key.name);
    require(set != texts.end() || (key.flags & GANTRY_KEY_REQUIRED) == 0, std::string("config: missing required key ") + key.name);
    const std::string fallback = key.default_text != nullptr ? key.default_text : "";
    values_.emplace(key.name, parse(key, set != texts.end() ? set->second : fallback));
  }
  for (const auto &[name, text] : texts) {
    require(values_.contains(name), std::string("config: ") + component.name + " declares no key " + name);
  }
}

FakeConfig::Value FakeConfig::parse(const gantry_config_key &key, const std::string &text) {
  Value value;
  value.type = key.type;
  value.text = trimmed(text);
  if (value.text.empty()) return value;
  const std::string place = std::string("config key ") + key.name + " = " + text;
  if (key.type == GANTRY_KEY_BOOL) {
    require(value.text == "true" || value.text == "false", place + ": not true or false");
    value.number = value.text == "true" ? 1 : 0;
  } else if (is_number_type(key.type)) {
    require(parse_quantity(value.text, &value.number), place + ": not a quantity");
    const bool ranged = key.min != 0 || key.max != 0;
    require(!ranged || (value.number >= key.min && value.number <= key.max), place + ": out of the declared range");
  } else if (key.type == GANTRY_KEY_ENUM) {
    require(has_word(key.enum_values, value.text), place + ": not one of " + (key.enum_values != nullptr ? key.enum_values : ""));
  } else if (key.type == GANTRY_KEY_LIST) {
    std::istringstream in(value.text);
    for (std::string item; std::getline(in, item, ',');) value.list.push_back(trimmed(item));
  }
  return value;
}

const FakeConfig::Value &FakeConfig::at(const char *key) const {
  const auto found = values_.find(std::string_view(key));
  require(found != values_.end(), std::string("config: undeclared key ") + key + " was read");
  return found->second;
}

}  // namespace gantry::test
