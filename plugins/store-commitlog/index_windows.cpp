#include "index_windows.hpp"

#include <algorithm>

namespace gantry::commitlog {

IndexWindows::IndexWindows(std::int64_t bytes)
    : capacity_(static_cast<std::size_t>(std::max<std::int64_t>(1, bytes / static_cast<std::int64_t>(IndexWindow::kEntries * sizeof(IndexWindow::Row))))) {}

IndexWindowRef IndexWindows::find(std::uint32_t queue, std::uint32_t segment_no, std::uint32_t entry) {
  const std::lock_guard lock(mutex_);
  const auto at = by_key_.find({queue, segment_no, entry / IndexWindow::kEntries});
  if (at == by_key_.end()) return nullptr;
  at->second->used = round_;
  items_.splice(items_.begin(), items_, at->second);
  return at->second->window;
}

void IndexWindows::put(std::uint32_t queue, std::uint32_t segment_no, std::uint32_t entry, IndexWindowRef window) {
  const Key key{queue, segment_no, entry / IndexWindow::kEntries};
  IndexWindowRef left;  // freed after the lock
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  items_.push_front({key, std::move(window), round_});
  by_key_[key] = items_.begin();
  if (items_.size() <= capacity_) return;
  left = std::move(items_.back().window);
  by_key_.erase(items_.back().key);
  items_.pop_back();
}

void IndexWindows::age() {
  std::vector<IndexWindowRef> left;  // freed after the lock
  const std::lock_guard lock(mutex_);
  for (++round_; !items_.empty() && round_ - items_.back().used > kIdleRounds; items_.pop_back()) {
    by_key_.erase(items_.back().key);
    left.push_back(std::move(items_.back().window));
  }
}

std::size_t IndexWindows::count() {
  const std::lock_guard lock(mutex_);
  return items_.size();
}

}  // namespace gantry::commitlog
