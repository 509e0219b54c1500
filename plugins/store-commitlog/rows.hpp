// The meta rows as of the last acknowledged frame that was applied; written out whole with each checkpoint.
#pragma once

#include "format.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace gantry::commitlog {

// Guarded by its own mutex, a leaf.
class Rows {
 public:
  // Encoded operations in log order; those about queues are passed over. Returns the number of rows afterwards.
  std::uint64_t apply(std::span<const std::uint8_t> ops, std::uint64_t count);
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  void each(const std::function<void(const std::string &key, const std::string &value)> &visit);
  [[nodiscard]] std::uint64_t size();

 private:
  std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> rows_;
};

}  // namespace gantry::commitlog
