// Stand-in for the kernel in tests of plugins: implements every table of sdk/gantry/draft/host.h and checks how they are used.
//
// Manual mode: the thread that made the host is the loop. It is shard 0 (or, inside on_shard, another one) and nothing happens
// until it calls turn(), so a test is deterministic. Thread mode: one thread per shard; the maker is the control thread.
// A call that breaks a thread rule of host.h (at_turn_end off a shard, fd_watch on a plugin's thread, ...) aborts with its name.
#pragma once

#include "kernel/kit/shard_loop.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace gantry::test {

enum class LoopMode { kManual, kThreads };

class FakeHost {
 public:
  explicit FakeHost(std::uint32_t shards = 1, LoopMode mode = LoopMode::kManual);
  ~FakeHost();
  FakeHost(const FakeHost &) = delete;
  FakeHost &operator=(const FakeHost &) = delete;

  // What to give to a component's create. Lives as long as this object.
  [[nodiscard]] const gantry_host *abi() const { return &abi_; }
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(loops_.size()); }
  [[nodiscard]] LoopMode mode() const { return mode_; }

  // ---- loops
  // Manual mode: one turn of every shard and of the offloaded work. Sleeps up to max_wait_ms when nothing ran. True: something ran.
  bool turn(int max_wait_ms = 0);
  // Waits until `done` says true; turns the loops meanwhile in manual mode. Returns done's last answer after timeout_ms.
  [[nodiscard]] bool wait_until(const std::function<bool()> &done, int timeout_ms = 20000);
  // Runs fn as that shard and waits for it: directly in manual mode, by a post in thread mode.
  void on_shard(std::uint32_t shard, const std::function<void()> &fn);
  // Runs fn as the control thread, with the shards running meanwhile. For create, open, start, stop, destroy.
  void on_control(const std::function<void()> &fn);
  // Shards run no more; posts and completions are refused with E_CLOSED. The destructor does it too.
  void stop_shards();
  [[nodiscard]] bool stopped() const { return stopping_; }

  // ---- clock: real time until told otherwise
  void start_wall_at(std::int64_t wall_ms);  // the wall clock runs on from there
  void freeze_clock(std::int64_t wall_ms);
  void advance_ms(std::int64_t ms);  // only when frozen; moves wall and monotonic clock, timers become due
  [[nodiscard]] bool clock_frozen() const { return frozen_; }
  [[nodiscard]] std::int64_t wall_ms() const;
  [[nodiscard]] std::int64_t mono_ns() const;

  // ---- what the plugin did
  [[nodiscard]] std::vector<std::string> log_lines() const;  // "WARN text"
  [[nodiscard]] bool logged(const std::string &part) const;
  // Sum of a metric's cells over all shards; 0 when it was never registered. Read it when the shards are quiet.
  [[nodiscard]] std::uint64_t metric(const std::string &name) const;
  [[nodiscard]] bool has_metric(const std::string &name) const;
  // Watches and timers still registered: 0 after a clean stop.
  [[nodiscard]] std::size_t leftovers() const;

  // ---- shape of the host
  void hide_table(const std::string &table_id);                     // query answers NULL
  void add_table(const std::string &table_id, const void *table);  // borrowed; further services a plugin asks for
  // Ids that query was asked for and does not offer.
  [[nodiscard]] std::vector<std::string> missing_tables() const;
  // The k-th call (from 1) of those that can fail (query, post, timer_arm, fd_watch, offload, cq.create, metrics.cell) fails once, as host.h says it may; 0: none does.
  // Counts anew from here.
  void fail_call(std::uint64_t k);
  [[nodiscard]] std::uint64_t calls_that_can_fail() const { return calls_; }
  [[nodiscard]] std::uint32_t this_shard() const;
  [[nodiscard]] bool this_thread_is_control() const;

 private:
  friend struct FakeHostTables;
  struct Offload {
    gantry_task_fn fn;
    void *arg;
  };

  ShardLoop *loop(std::uint32_t shard) { return shard < loops_.size() ? loops_[shard].get() : nullptr; }
  bool run_offloaded();
  void pool_main();
  void shard_main(std::uint32_t shard);

  [[nodiscard]] bool fails_now() { return ++calls_ == fail_at_; }

  gantry_host abi_{};
  std::atomic<std::uint64_t> calls_{0}, fail_at_{0};
  const LoopMode mode_;
  const std::thread::id maker_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};

  std::atomic<bool> frozen_{false};
  std::atomic<std::int64_t> wall_shift_ms_{0};
  std::atomic<std::int64_t> frozen_wall_ms_{0}, frozen_mono_ns_{0};

  mutable std::mutex mutex_;  // everything below
  std::condition_variable pool_wake_;
  std::deque<Offload> offloaded_;
  std::vector<std::string> log_;
  std::map<std::string, std::map<std::uint32_t, std::unique_ptr<std::uint64_t>>> metrics_;
  std::set<std::string> hidden_, missing_;
  std::map<std::string, const void *> extra_tables_;
};

}  // namespace gantry::test
