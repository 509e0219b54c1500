// A configuration as read: sections, keys and values, each with the place it came from. Internal to kernel/config.
#pragma once

#include "kernel/config/problem.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

struct Source {  // a file, or one override
  std::string name;
  std::vector<std::string> lines;  // empty for an override
};

struct Place {
  std::shared_ptr<const Source> source;
  std::uint32_t line = 0, column = 0, length = 1;
};

enum class ValueKind : std::uint8_t {
  kText,
  kInt,
  kFloat,
  kBool,
  kList,
  kTable,
  kTime,
  kRaw,  // text of an override, typed by the key that reads it
};

struct Value {
  ValueKind kind = ValueKind::kRaw;
  std::string text;         // kText, kRaw
  std::int64_t number = 0;  // kInt, kBool
  std::vector<Value> items; // kList
  Place place;
};

struct Entry {
  std::string key;
  Place place;  // of the key
  Value value;
};

struct Section {
  std::string title;  // "[store]", "[[protocol]] number 2"
  Place place;        // of the header
  std::vector<Entry> entries;

  [[nodiscard]] const Entry *find(std::string_view key) const {
    for (const Entry &entry : entries)
      if (entry.key == key) return &entry;
    return nullptr;
  }
};

struct TopLevel {
  std::string key;
  Place place;
  enum class Shape : std::uint8_t { kTable, kTables, kValue } shape = Shape::kValue;
  std::vector<Section> sections;  // one, or those of [[key]]
};

struct Tree {
  std::shared_ptr<const Source> source;
  std::vector<TopLevel> tops;
  bool whole = true;  // false: lines were left out because of syntax errors, so what is missing may only be unreadable
};

// Collects problems; rendering and sorting by place.
class Problems {
 public:
  void add(const Place &place, std::string message, std::string help = {}, bool secret = false);
  [[nodiscard]] const std::vector<Problem> &all() const { return all_; }

 private:
  std::vector<Problem> all_;
};

// Reads TOML 1.0. After a syntax error the line is left out and the rest read again, so that several are reported at once.
[[nodiscard]] Tree read_toml(std::string_view text, std::string origin, Problems &problems);

}  // namespace gantry::config
