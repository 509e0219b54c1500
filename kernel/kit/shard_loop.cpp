#include "kernel/kit/shard_loop.hpp"

#include "kernel/kit/fake_host.hpp"
#include "kernel/kit/test_util.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace gantry::test {

constexpr std::uint32_t kMaxDelivery = 256;  // as host.h promises to gantry_cq_ready_fn

ShardLoop::ShardLoop(FakeHost &host, std::uint32_t index) : host_(host), index_(index) {
  wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  require(wake_fd_ >= 0, "eventfd failed: raise the limit of open files (ulimit -n)");
}

ShardLoop::~ShardLoop() { ::close(wake_fd_); }

void ShardLoop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_fd_, &one, sizeof one);
}

bool ShardLoop::turn(int max_wait_ms) {
  coarse_ms = host_.wall_ms();
  bool ran = run_all(posts_);
  ran |= run_timers();
  ran |= run_watches(ran ? 0 : wait_budget(max_wait_ms));
  ran |= deliver();
  ran |= run_all(turn_end_);
  return ran;
}

bool ShardLoop::run_all(std::vector<Task> &list) {
  std::vector<Task> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(list);
  }
  for (const Task &task : now) task.fn(task.arg);
  return !now.empty();
}

bool ShardLoop::run_timers() {
  const std::int64_t now_ns = host_.mono_ns();
  std::vector<std::uint64_t> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[id, timer] : timers_) {
      if (timer.due_ns <= now_ns) due.push_back(id);
    }
    std::stable_sort(due.begin(), due.end(), [&](auto a, auto b) { return timers_.at(a).due_ns < timers_.at(b).due_ns; });
  }
  bool ran = false;
  for (const std::uint64_t id : due) {
    Task task{};
    {
      const std::lock_guard lock(mutex_);
      const auto at = timers_.find(id);
      if (at == timers_.end()) continue;  // an earlier one cancelled it
      task = at->second.task;
      timers_.erase(at);
    }
    task.fn(task.arg);
    ran = true;
  }
  return ran;
}

int ShardLoop::wait_budget(int max_wait_ms) {
  const std::lock_guard lock(mutex_);
  if (!posts_.empty() || !turn_end_.empty()) return 0;
  for (const auto &[id, queue] : queues_) {
    if (!queue.waiting.empty()) return 0;
  }
  if (host_.clock_frozen()) return max_wait_ms;
  std::int64_t wait = max_wait_ms;
  for (const auto &[id, timer] : timers_) {
    wait = std::min<std::int64_t>(wait, std::max<std::int64_t>(0, (timer.due_ns - host_.mono_ns() + 999999) / 1000000));
  }
  return static_cast<int>(wait);
}

bool ShardLoop::run_watches(int wait_ms) {
  std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
  std::vector<std::uint64_t> ids{0};
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[id, watch] : watches_) {
      fds.push_back({watch.fd, POLLIN, 0});
      ids.push_back(id);
    }
  }
  if (::poll(fds.data(), fds.size(), wait_ms) <= 0) return false;
  if (fds[0].revents != 0) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(wake_fd_, &count, sizeof count);
  }
  bool ran = false;
  for (std::size_t i = 1; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    require((fds[i].revents & POLLNVAL) == 0, "a watched descriptor was closed before fd_unwatch");
    Task task{};
    {
      const std::lock_guard lock(mutex_);
      const auto at = watches_.find(ids[i]);
      if (at == watches_.end()) continue;
      task = at->second.task;
    }
    task.fn(task.arg);
    ran = true;
  }
  return ran;
}

bool ShardLoop::deliver() {
  std::vector<gantry_cq> with_work;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[id, queue] : queues_) {
      if (!queue.waiting.empty()) with_work.push_back(id);
    }
  }
  for (const gantry_cq id : with_work) {
    std::vector<gantry_cqe> cqes;
    {
      const std::lock_guard lock(mutex_);
      if (const auto at = queues_.find(id); at != queues_.end()) cqes.swap(at->second.waiting);
    }
    for (std::size_t i = 0; i < cqes.size(); i += kMaxDelivery) {
      Queue target{};
      {
        const std::lock_guard lock(mutex_);
        const auto at = queues_.find(id);
        if (at == queues_.end()) break;  // closed from inside a delivery
        target.ready = at->second.ready;
        target.self = at->second.self;
      }
      target.ready(target.self, cqes.data() + i, static_cast<std::uint32_t>(std::min<std::size_t>(kMaxDelivery, cqes.size() - i)));
    }
  }
  return !with_work.empty();
}

bool ShardLoop::post(gantry_task_fn fn, void *arg) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    posts_.push_back({fn, arg});
  }
  wake();
  return true;
}

void ShardLoop::at_turn_end(gantry_task_fn fn, void *arg) {
  const std::lock_guard lock(mutex_);
  turn_end_.push_back({fn, arg});
}

std::uint64_t ShardLoop::timer_arm(std::int64_t due_ns, gantry_task_fn fn, void *arg) {
  std::uint64_t id;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return 0;
    id = next_id();
    timers_[id] = {due_ns, {fn, arg}};
  }
  wake();
  return id;
}

bool ShardLoop::timer_cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return timers_.erase(id) == 1;
}

std::uint64_t ShardLoop::fd_watch(int fd, gantry_task_fn fn, void *arg) {
  std::uint64_t id;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return 0;
    id = next_id();
    watches_[id] = {fd, {fn, arg}};
  }
  wake();
  return id;
}

bool ShardLoop::fd_unwatch(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return watches_.erase(id) == 1;
}

gantry_cq ShardLoop::cq_create(gantry_cq_ready_fn ready, void *self) {
  const std::lock_guard lock(mutex_);
  const gantry_cq id = next_id();
  queues_[id] = {ready, self, {}};
  return id;
}

bool ShardLoop::cq_push(gantry_cq cq, const gantry_cqe *cqes, std::uint32_t n) {
  {
    const std::lock_guard lock(mutex_);
    const auto at = queues_.find(cq);
    if (closed_ || at == queues_.end()) return false;
    at->second.waiting.insert(at->second.waiting.end(), cqes, cqes + n);
  }
  wake();
  return true;
}

bool ShardLoop::cq_close(gantry_cq cq) {
  const std::lock_guard lock(mutex_);
  return queues_.erase(cq) == 1;
}

void ShardLoop::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake();
}

std::size_t ShardLoop::watches() const {
  const std::lock_guard lock(mutex_);
  return watches_.size();
}

std::size_t ShardLoop::timers() const {
  const std::lock_guard lock(mutex_);
  return timers_.size();
}

}  // namespace gantry::test
