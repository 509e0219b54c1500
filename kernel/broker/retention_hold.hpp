// What retention must leave alone: the lowest log position that anything held back still needs.
#pragma once

#include <gantry/draft/store.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace gantry::broker {

class RetentionHold {
 public:
  RetentionHold(const gantry_store_v1 *table, void *store) : table_(table), store_(store) {}

  // A new holder, which holds everything until it says otherwise. [thread: any]
  [[nodiscard]] std::size_t add() {
    const std::lock_guard lock(mutex_);
    positions_.push_back(0);
    tell();
    return positions_.size() - 1;
  }
  // The holder needs what is at or after this log position; INT64_MAX = nothing. [thread: any]
  void set(std::size_t holder, std::int64_t phys_pos) {
    const std::lock_guard lock(mutex_);
    if (positions_[holder] == phys_pos) return;
    positions_[holder] = phys_pos;
    tell();
  }
  // The lowest position that another holder needs. [thread: any]
  [[nodiscard]] std::int64_t others_from(std::size_t holder) {
    const std::lock_guard lock(mutex_);
    std::int64_t lowest = INT64_MAX;
    for (std::size_t i = 0; i < positions_.size(); ++i)
      if (i != holder) lowest = std::min(lowest, positions_[i]);
    return lowest;
  }

 private:
  void tell() { table_->retain_from(store_, *std::min_element(positions_.begin(), positions_.end())); }

  const gantry_store_v1 *table_;
  void *store_;
  std::mutex mutex_;
  std::vector<std::int64_t> positions_;
};

}  // namespace gantry::broker
