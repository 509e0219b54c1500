#include "extent_cache.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
constexpr std::size_t kSpareBuffers = 8;  // as many as are read with one call
}

AlignedBuffer ExtentBuffers::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      AlignedBuffer buffer = std::move(free_.back());
      free_.pop_back();
      return buffer;
    }
  }
  return AlignedBuffer(static_cast<std::size_t>(Extent::kBytes));
}

void ExtentBuffers::give_back(AlignedBuffer buffer) {
  const std::lock_guard lock(mutex_);
  if (free_.size() < spare_) free_.push_back(std::move(buffer));
}

void ExtentBuffers::free_spare() {
  std::vector<AlignedBuffer> spare;  // freed after the lock
  const std::lock_guard lock(mutex_);
  spare.swap(free_);
}

Extent::Extent(std::shared_ptr<ExtentBuffers> buffers, LogPos begin, std::int64_t bytes)
    : buffers_(std::move(buffers)), begin_(begin), bytes_(bytes), buffer_(buffers_->take()) {}

Extent::~Extent() { buffers_->give_back(std::move(buffer_)); }

// ---- cache

ExtentCache::ExtentCache(std::int64_t bytes)
    : capacity_(static_cast<std::size_t>(std::max<std::int64_t>(1, bytes / Extent::kBytes))),
      probation_share_(std::max<std::size_t>(1, capacity_ / 4)),
      buffers_(std::make_shared<ExtentBuffers>(kSpareBuffers)) {}

ExtentRef ExtentCache::look_up(std::int64_t key) {
  const auto at = by_pos_.find(key);
  if (at == by_pos_.end()) return nullptr;
  at->second->used = round_;
  if (at->second->main) main_.splice(main_.begin(), main_, at->second);
  return at->second->extent;
}

ExtentRef ExtentCache::find(LogPos begin) {
  const std::lock_guard lock(mutex_);
  return look_up(begin.v);
}

bool ExtentCache::is_known(LogPos begin) {
  const std::lock_guard lock(mutex_);
  return by_pos_.contains(begin.v) || claims_.contains(begin.v);
}

ExtentRef ExtentCache::find_or_claim(LogPos begin) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (ExtentRef extent = look_up(begin.v)) return extent;
    if (claims_.insert(begin.v).second) return nullptr;
    filled_.wait(lock);
  }
}

bool ExtentCache::claim(LogPos begin) {
  const std::lock_guard lock(mutex_);
  return begin >= first_wanted_ && !by_pos_.contains(begin.v) && claims_.insert(begin.v).second;
}

void ExtentCache::filled(LogPos begin, ExtentRef extent) {
  std::vector<ExtentRef> left;  // freed after the lock
  {
    const std::lock_guard lock(mutex_);
    claims_.erase(begin.v);
    if (extent != nullptr && begin >= first_wanted_) {
      admit(begin.v, std::move(extent));
      evict(&left);
    }
  }
  filled_.notify_all();
}

void ExtentCache::admit(std::int64_t key, ExtentRef extent) {
  const auto ghost = ghost_by_pos_.find(key);
  const bool seen = ghost != ghost_by_pos_.end();
  if (seen) {
    ghosts_.erase(ghost->second);
    ghost_by_pos_.erase(ghost);
  }
  Items &list = seen ? main_ : probation_;
  list.push_front({std::move(extent), seen, round_});
  by_pos_[key] = list.begin();
}

void ExtentCache::evict(std::vector<ExtentRef> *out) {
  while (by_pos_.size() > capacity_) {
    const bool from_probation = probation_.size() > probation_share_ || main_.empty();
    Items &list = from_probation ? probation_ : main_;
    const std::int64_t key = list.back().extent->begin().v;
    out->push_back(std::move(list.back().extent));
    list.pop_back();
    by_pos_.erase(key);
    if (from_probation) remember(key);
  }
}

void ExtentCache::remember(std::int64_t key) {
  ghosts_.push_front(key);
  ghost_by_pos_[key] = ghosts_.begin();
  if (ghosts_.size() <= std::max<std::size_t>(1, capacity_ / 2)) return;
  ghost_by_pos_.erase(ghosts_.back());
  ghosts_.pop_back();
}

void ExtentCache::drop_before(LogPos begin) {
  std::vector<ExtentRef> left;
  const std::lock_guard lock(mutex_);
  first_wanted_ = std::max(first_wanted_, begin);
  for (Items *list : {&probation_, &main_}) {
    std::erase_if(*list, [&](Item &item) {
      if (item.extent->begin() >= begin) return false;
      by_pos_.erase(item.extent->begin().v);
      left.push_back(std::move(item.extent));
      return true;
    });
  }
}

void ExtentCache::age() {
  std::vector<ExtentRef> left;  // freed after the lock
  bool empty;
  {
    const std::lock_guard lock(mutex_);
    ++round_;
    for (Items *list : {&probation_, &main_}) {
      std::erase_if(*list, [&](Item &item) {
        if (round_ - item.used <= kIdleRounds) return false;
        by_pos_.erase(item.extent->begin().v);
        left.push_back(std::move(item.extent));
        return true;
      });
    }
    empty = by_pos_.empty() && claims_.empty();
  }
  left.clear();
  if (empty) buffers_->free_spare();
}

std::size_t ExtentCache::count() {
  const std::lock_guard lock(mutex_);
  return by_pos_.size();
}

}  // namespace gantry::commitlog
