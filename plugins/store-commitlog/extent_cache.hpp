// Recently read stretches of log files, shared by the reader threads. Keyed by log position, which is never reused.
#pragma once

#include "files.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace gantry::commitlog {

class ExtentCache {
 public:
  static constexpr std::int64_t kExtentBytes = 256 << 10;
  using Extent = std::shared_ptr<const AlignedBuffer>;

  explicit ExtentCache(std::int64_t bytes) : capacity_(static_cast<std::size_t>(bytes / kExtentBytes)) {}

  // Null when it is not here. Both: [thread: any]
  [[nodiscard]] Extent find(std::int64_t log_pos);
  void put(std::int64_t log_pos, Extent extent);
  void drop(std::int64_t log_pos);

 private:
  struct Item {
    std::int64_t pos;
    Extent extent;
  };
  const std::size_t capacity_;
  std::mutex mutex_;
  std::list<Item> items_;  // most recently used first
  std::unordered_map<std::int64_t, std::list<Item>::iterator> by_pos_;
};

}  // namespace gantry::commitlog
