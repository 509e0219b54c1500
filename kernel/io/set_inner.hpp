// What the shards of a set share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "kernel/io/blocking_pool.hpp"
#include "kernel/io/completion_queues.hpp"
#include "kernel/io/connection.hpp"
#include "kernel/io/listen.hpp"
#include "kernel/io/options.hpp"
#include "kernel/io/shard.hpp"

namespace gantry::io {

enum class RunState : std::uint8_t { kCreated, kRunning, kStopped };

struct ShardSetInner {
  explicit ShardSetInner(const IoOptions &o) : options(o), pool(o.blocking_threads, o.blocking_queue) {}

  const IoOptions options;
  std::atomic<RunState> state{RunState::kCreated};
  CompletionQueues queues;
  std::vector<std::unique_ptr<Shard>> shards;
  BlockingPool pool;
  std::atomic<std::uint64_t> next_watch{1};
  std::atomic<bool> closing{false};  // draining or stopping: no new connections
  std::uint64_t *wakeups = nullptr;  // metric cell shared by all threads
  std::uint64_t wakeups_start = 0;

  std::mutex instances_mutex;  // guards the three below; a leaf
  std::vector<std::unique_ptr<Instance>> instances;
  std::vector<std::unique_ptr<Origin>> outbound_origins;
  std::shared_ptr<TlsContext> outbound_tls;

  std::vector<std::unique_ptr<Listening>> listenings;  // control thread; destroyed before the shards

  std::mutex drain_mutex;  // guards the three below; a leaf
  std::condition_variable drained;
  std::uint32_t shards_drained = 0;
  std::int64_t drain_deadline_ms = 0;
  std::atomic<std::uint32_t> forced_closings{0};

  // Of a protocol component; null when `host` is something else. [thread: any]
  [[nodiscard]] Instance *instance_of(HostContext &host);
  [[nodiscard]] Origin *outbound_origin_of(HostContext &host);  // [thread: any]
  [[nodiscard]] Shard *shard(std::uint32_t i) { return i < shards.size() ? shards[i].get() : nullptr; }
  // Whether the calling thread may touch this shard's own members.
  [[nodiscard]] bool owns(const Shard &shard) const { return Shard::current() == &shard || state.load() != RunState::kRunning; }
};

[[nodiscard]] std::int64_t monotonic_ms();
[[nodiscard]] std::int64_t monotonic_ns();
[[nodiscard]] std::int64_t wall_clock_ms();

}  // namespace gantry::io
