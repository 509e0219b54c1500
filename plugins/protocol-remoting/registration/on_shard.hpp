// Runs a piece of work on a shard and waits for it: what a component's stop needs to take back its timers.
#pragma once

#include <gantry/draft/host.h>

#include <condition_variable>
#include <functional>
#include <mutex>

namespace gantry::remoting {

// False: the shards have stopped and fn did not run. Never from a shard other than `shard` itself. [thread: control, or that shard]
inline bool run_on_shard(const gantry_host *host, const gantry_exec_v1 *exec, std::uint32_t shard, const std::function<void()> &fn) {
  if (exec->this_shard(host) == shard) {
    fn();
    return true;
  }
  struct Task {
    const std::function<void()> &work;
    std::mutex mutex;
    std::condition_variable done_signal;
    bool done = false;
  } task{fn, {}, {}};
  const gantry_task_fn run = [](void *arg) noexcept {
    auto *self = static_cast<Task *>(arg);
    self->work();
    const std::lock_guard lock(self->mutex);
    self->done = true;
    self->done_signal.notify_one();
  };
  if (exec->post(host, shard, run, &task) != GANTRY_OK) return false;
  std::unique_lock lock(task.mutex);
  task.done_signal.wait(lock, [&task] { return task.done; });
  return true;
}

}  // namespace gantry::remoting
