// Completion queues: handles with a generation, delivered on their shard at the end of a turn, never from inside push.
#pragma once

#include <gantry/draft/host.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace gantry::io {

class Shard;

// All queues of a ShardSet. Lock order: a queue's mutex, then an inbox's.
class CompletionQueues {
 public:
  static constexpr std::uint32_t kMaxBatch = 256;

  CompletionQueues() = default;
  ~CompletionQueues();
  CompletionQueues(const CompletionQueues &) = delete;
  CompletionQueues &operator=(const CompletionQueues &) = delete;

  [[nodiscard]] gantry_cq create(Shard &shard, gantry_cq_ready_fn ready, void *self);  // 0: too many queues. [thread: any]
  // GANTRY_OK or GANTRY_E_CLOSED. On the queue's own shard without a lock. [thread: any]
  [[nodiscard]] std::int32_t push(gantry_cq cq, const gantry_cqe *cqes, std::uint32_t n);
  void close(gantry_cq cq);  // [thread: the queue's shard, or control while the shards do not run]
  // Hands everything that waits in `cq` to its owner; stops early when it closes the queue. Returns the number delivered.
  std::uint64_t deliver(gantry_cq cq, std::vector<gantry_cqe> &spare);  // [thread: the queue's shard]

 private:
  struct Slot;
  struct Chunk;
  static constexpr std::uint32_t kChunkSlots = 64;
  static constexpr std::uint32_t kChunks = 256;

  [[nodiscard]] Slot *find(gantry_cq cq) const;
  bool hand_over(Slot &slot, std::uint32_t generation, const std::vector<gantry_cqe> &records, std::uint64_t &delivered);

  std::array<std::atomic<Chunk *>, kChunks> chunks_{};
  std::mutex mutex_;  // creating and closing
  std::vector<std::uint32_t> free_;
  std::uint32_t used_ = 0;
};

}  // namespace gantry::io
