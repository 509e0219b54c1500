// RocketMQ's property string taken apart, changed and put together again. For records that are stored anew; what clients send is only
// looked through (properties.hpp).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::broker {

class PropertyEdit {
 public:
  // Views into `text` are kept. Entries without a value separator or without a key are dropped, as RocketMQ's decoder does.
  explicit PropertyEdit(std::string_view text) {
    while (!text.empty()) {
      const std::size_t stop = text.find('\2');
      const std::string_view entry = text.substr(0, stop);
      text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
      const std::size_t middle = entry.find('\1');
      if (middle == std::string_view::npos || middle == 0) continue;
      entries_.emplace_back(entry.substr(0, middle), entry.substr(middle + 1));
    }
  }

  // Empty when absent.
  [[nodiscard]] std::string_view get(std::string_view key) const {
    for (const auto &[k, v] : entries_)
      if (k == key) return v;
    return {};
  }
  [[nodiscard]] bool has(std::string_view key) const {
    for (const auto &[k, v] : entries_)
      if (k == key) return true;
    return false;
  }
  void remove(std::string_view key) {
    std::erase_if(entries_, [key](const auto &entry) { return entry.first == key; });
  }
  // `value` is kept as a view; `key` lives forever.
  void set(std::string_view key, std::string_view value) {
    for (auto &[k, v] : entries_) {
      if (k != key) continue;
      v = value;
      return;
    }
    entries_.emplace_back(key, value);
  }
  // Every entry with its separator at the end.
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto &[k, v] : entries_) {
      out += k;
      out += '\1';
      out += v;
      out += '\2';
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string_view, std::string_view>> entries_;
};

}  // namespace gantry::broker
