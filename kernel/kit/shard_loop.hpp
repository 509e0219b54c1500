// One shard of the fake host: posts, timers, watched descriptors, completions and end-of-turn work, run one turn at a time.
#pragma once

#include <gantry/draft/host.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace gantry::test {

class FakeHost;

class ShardLoop {
 public:
  ShardLoop(FakeHost &host, std::uint32_t index);
  ~ShardLoop();
  ShardLoop(const ShardLoop &) = delete;
  ShardLoop &operator=(const ShardLoop &) = delete;

  // One turn in this order: posts, timers, descriptors, completions, end-of-turn work. What these add waits for the next turn.
  // Sleeps up to max_wait_ms when there is nothing to do. Returns whether anything ran.
  bool turn(int max_wait_ms);

  // All of these: any thread. Ids carry the shard in their upper 16 bits (shard + 1), so 0 is never one.
  bool post(gantry_task_fn fn, void *arg);  // false once closed
  void at_turn_end(gantry_task_fn fn, void *arg);
  std::uint64_t timer_arm(std::int64_t due_ns, gantry_task_fn fn, void *arg);
  bool timer_cancel(std::uint64_t id);
  std::uint64_t fd_watch(int fd, gantry_task_fn fn, void *arg);
  bool fd_unwatch(std::uint64_t id);
  gantry_cq cq_create(gantry_cq_ready_fn ready, void *self);
  bool cq_push(gantry_cq cq, const gantry_cqe *cqes, std::uint32_t n);
  bool cq_close(gantry_cq cq);

  void wake();
  void close();  // refuses posts and completions from now on
  [[nodiscard]] std::size_t watches() const;
  [[nodiscard]] std::size_t timers() const;

  std::atomic<std::int64_t> coarse_ms{0};

  static std::uint32_t shard_of(std::uint64_t id) { return static_cast<std::uint32_t>(id >> 48) - 1; }

 private:
  struct Task {
    gantry_task_fn fn;
    void *arg;
  };
  struct Timer {
    std::int64_t due_ns;
    Task task;
  };
  struct Watch {
    int fd;
    Task task;
  };
  struct Queue {
    gantry_cq_ready_fn ready;
    void *self;
    std::vector<gantry_cqe> waiting;
  };

  std::uint64_t next_id() { return (static_cast<std::uint64_t>(index_) + 1) << 48 | ++last_id_; }
  bool run_all(std::vector<Task> &list);
  bool run_timers();
  bool run_watches(int wait_ms);
  bool deliver();
  int wait_budget(int max_wait_ms);

  FakeHost &host_;
  const std::uint32_t index_;
  int wake_fd_;
  mutable std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  bool closed_ = false;
  std::vector<Task> posts_, turn_end_;
  std::map<std::uint64_t, Timer> timers_;
  std::map<std::uint64_t, Watch> watches_;
  std::map<gantry_cq, Queue> queues_;
};

}  // namespace gantry::test
