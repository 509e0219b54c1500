// Tasks sent to a shard from anywhere: many producers, one consumer, order of each producer kept.
#pragma once

#include <gantry/draft/host.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace gantry::io {

struct Task {
  gantry_task_fn fn;
  void *arg;
};

class Inbox {
 public:
  // False: closed, nothing was taken. [thread: any]
  [[nodiscard]] bool push(Task task) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    tasks_.push_back(task);
    // Sequentially consistent together with the shard's sleep flag: either the pusher sees the sleeper or the sleeper sees the task.
    filled_.store(true);
    return true;
  }
  [[nodiscard]] bool filled() const { return filled_.load(); }  // [thread: any]
  // Swaps the waiting tasks into `out`, which must be empty. [thread: the consumer]
  void take(std::vector<Task> &out) {
    if (!filled_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    filled_.store(false, std::memory_order_relaxed);
    tasks_.swap(out);
  }
  // From now on push is refused, unless a task waits: then false and nothing changes. [thread: the consumer]
  [[nodiscard]] bool close_if_empty() {
    const std::lock_guard lock(mutex_);
    closed_ = tasks_.empty();
    return closed_;
  }

 private:
  std::mutex mutex_;
  std::vector<Task> tasks_;
  std::atomic<bool> filled_{false};
  bool closed_ = false;
};

}  // namespace gantry::io
