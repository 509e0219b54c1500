#include "power.hpp"

#include <utility>

namespace gantry::test::powercut {

std::uint64_t Power::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::uint64_t Power::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

void Power::cut_now() {
  std::mt19937_64 random(seed_);
  ++state_;
  left_ = 0;
  report_ = disk_.cut(random);
  happened_.notify_all();
}

void Power::step() {
  const std::lock_guard lock(mutex_);
  ++changes_;
  if (left_ > 0 && --left_ == 0) cut_now();
}

CutReport Power::cut(std::uint64_t seed, std::uint64_t after, std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  if (state_ % 2 == 1) return {};
  seed_ = seed;
  report_.reset();
  left_ = after;
  if (after > 0) happened_.wait_for(lock, at_most, [this] { return report_.has_value(); });
  if (!report_) cut_now();
  return *std::exchange(report_, std::nullopt);
}

void Power::restore() {
  const std::lock_guard lock(mutex_);
  state_ += state_ % 2;
}

}  // namespace gantry::test::powercut
