#include "extent_cache.hpp"

namespace gantry::commitlog {

ExtentCache::Extent ExtentCache::find(std::int64_t log_pos) {
  const std::lock_guard lock(mutex_);
  const auto at = by_pos_.find(log_pos);
  if (at == by_pos_.end()) return nullptr;
  items_.splice(items_.begin(), items_, at->second);
  return at->second->extent;
}

void ExtentCache::put(std::int64_t log_pos, Extent extent) {
  const std::lock_guard lock(mutex_);
  if (by_pos_.contains(log_pos)) return;
  items_.push_front({log_pos, std::move(extent)});
  by_pos_[log_pos] = items_.begin();
  while (items_.size() > capacity_) {
    by_pos_.erase(items_.back().pos);
    items_.pop_back();
  }
}

void ExtentCache::drop(std::int64_t log_pos) {
  const std::lock_guard lock(mutex_);
  const auto at = by_pos_.find(log_pos);
  if (at == by_pos_.end()) return;
  items_.erase(at->second);
  by_pos_.erase(at);
}

}  // namespace gantry::commitlog
