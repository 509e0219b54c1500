// Deadlines of parked fetches: a hashed wheel of 100 ms slots with O(1) insert and removal.
#pragma once

#include <array>
#include <cstdint>

namespace gantry::broker {

// Base of what can wait. Intrusive, so that parking allocates nothing.
struct WheelNode {
  WheelNode *wheel_next = nullptr;
  WheelNode **wheel_link = nullptr;  // what points to this node; null when not on the wheel
  std::int64_t deadline_ms = 0;
};

// Guarded by its user's mutex.
class WaitWheel {
 public:
  static constexpr std::int64_t kTickMs = 100;

  void insert(WheelNode &node) {
    WheelNode *&head = slots_[static_cast<std::uint64_t>(node.deadline_ms / kTickMs) % kSlots];
    node.wheel_next = head;
    if (head != nullptr) head->wheel_link = &node.wheel_next;
    node.wheel_link = &head;
    head = &node;
    ++size_;
  }
  void remove(WheelNode &node) {
    *node.wheel_link = node.wheel_next;
    if (node.wheel_next != nullptr) node.wheel_next->wheel_link = node.wheel_link;
    node.wheel_link = nullptr;
    --size_;
  }
  // Calls due(node) for each node whose deadline has passed, after removing it.
  template <typename Due>
  void advance(std::int64_t now_ms, Due due) {
    const std::int64_t now_tick = now_ms / kTickMs;
    // A clock that jumped far needs each slot once, not each tick.
    std::int64_t tick = now_tick - last_tick_ >= static_cast<std::int64_t>(kSlots) ? now_tick - static_cast<std::int64_t>(kSlots) + 1 : last_tick_;
    for (; tick <= now_tick; ++tick) {
      for (WheelNode *node = slots_[static_cast<std::uint64_t>(tick) % kSlots]; node != nullptr;) {
        WheelNode *const next = node->wheel_next;
        if (node->deadline_ms <= now_ms) {
          remove(*node);
          due(*node);
        }
        node = next;
      }
    }
    last_tick_ = now_tick;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kSlots = 1024;
  std::array<WheelNode *, kSlots> slots_{};
  std::int64_t last_tick_ = 0;
  std::size_t size_ = 0;
};

}  // namespace gantry::broker
