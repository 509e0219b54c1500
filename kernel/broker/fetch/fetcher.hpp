// Fetches: admission, reads from the store, parking until something arrives (long polling), and results for protocols.
#pragma once

#include "kernel/broker/core.hpp"
#include "kernel/broker/fetch/wait_wheel.hpp"
#include "kernel/broker/filter/select.hpp"

#include <memory>
#include <vector>

namespace gantry::broker {

// One fetch, from its request to its completion; parked on its queue's list while it waits. Also look-ups by position and time, which
// only pass through the store. Owned by the fetcher's pool.
struct Waiter : WheelNode {
  enum class Kind : std::uint8_t { kFetch, kMessageAt, kPassThrough };

  std::uint64_t user_data = 0;
  gantry_cq cq = 0;
  Kind kind = Kind::kFetch;
  bool may_wait = false;
  bool parked = false;                // waited at least once: what is filtered out no longer ends the wait
  Queue *queue = nullptr;
  Waiter *queue_next = nullptr;       // list of the queue's waiters
  Waiter **queue_link = nullptr;
  std::int64_t offset = 0;            // asked for
  std::int64_t scan_off = 0;          // everything before it was looked at and did not match
  std::uint32_t max_records = 0, max_bytes = 0;
  std::shared_ptr<const TagSet> tags;
  std::shared_ptr<const FilterProgram> filter;  // looks at what the tags let through
  std::uint32_t looked_at = 0;                  // messages, by the filter since the fetch came or was woken
  std::shared_ptr<Stats::Item> gets;  // counts what is found
};

class Fetcher {
 public:
  explicit Fetcher(Core &core) : core_(core) {}

  // [thread: control, before the shards serve]
  void start(std::uint32_t shard_count);
  // Answers every parked fetch with NO_NEW. [thread: shard]
  void release_all();
  // Answers those parked for a topic that was deleted. [thread: shard]
  void forget(Topic &topic);
  void stop();

  // gantry_broker_v1.fetch, message_at, seek_time; offset_commit that waits for its row.
  [[nodiscard]] std::int32_t fetch(const gantry_fetch *reqs, std::uint32_t n, gantry_cq cq);
  [[nodiscard]] std::int32_t message_at(std::int64_t phys_pos, std::uint64_t user_data, gantry_cq cq);
  // Records of a queue, told as by message_at.
  [[nodiscard]] std::int32_t read_queue(gantry_read read, std::uint64_t user_data, gantry_cq cq);
  [[nodiscard]] std::int32_t seek_time(gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq);
  [[nodiscard]] std::int32_t write_meta(const gantry_meta_op *ops, std::uint32_t n, std::uint64_t user_data, gantry_cq cq);

  // A record of this queue became readable. [thread: shard] Cheap when nobody waits.
  void on_progress(Queue &queue) {
    if (queue.waiter_count.load(std::memory_order_seq_cst) != 0) wake(queue);
  }
  // Who else waits for records counts itself in Queue::waiter_count; `fn` is called, without a lock, for each queue that got one. [thread: control]
  void on_wake(void (*fn)(void *arg, Queue &queue), void *arg) {
    wake_fn_ = fn;
    wake_arg_ = arg;
  }
  // Ends waits whose deadline passed. [thread: shard 0, every WaitWheel::kTickMs while anything waits]
  void on_tick();

 private:
  struct Shard {
    Fetcher *owner = nullptr;
    gantry_cq store_cq = 0;
  };
  struct Verdict {
    std::int32_t status = GANTRY_OK;
    std::uint32_t subject = GANTRY_SUBJECT_NONE;
  };

  Verdict admit(const gantry_fetch &req, const CompiledFilter &own, Waiter &waiter);
  Verdict admit_subscription(const gantry_fetch &req, const CompiledFilter &own, const Group &group, const Topic &topic, Waiter &waiter);
  template <typename Ask>
  [[nodiscard]] std::int32_t ask_store(Waiter::Kind kind, std::uint64_t user_data, gantry_cq cq, Ask ask);
  void run(Waiter *waiter);
  [[nodiscard]] bool on_result(Waiter *waiter, const gantry_read_result *result);
  [[nodiscard]] bool on_filtered(Waiter *waiter, const gantry_read_result *result);
  [[nodiscard]] bool on_nothing(Waiter *waiter, std::uint32_t stop, std::int64_t next_off, const gantry_queue_stat &stat);
  bool park(Waiter *waiter);
  void unlink(Waiter &waiter);
  void wake(Queue &queue);
  void answer(Waiter *waiter, const gantry_fetch_result *result);
  void finish(Waiter *waiter, std::uint32_t outcome, std::int64_t next_off, const gantry_read_result *result, const gantry_queue_stat &stat);
  void fail(Waiter *waiter, std::int32_t status, std::uint32_t subject);
  [[nodiscard]] gantry_queue_stat stat_of(const Queue &queue) const;
  [[nodiscard]] std::uint32_t shard_index() const { return core_.exec->this_shard(core_.host); }
  void arm_tick();
  [[nodiscard]] Waiter *take();
  void give_back(Waiter *waiter);
  static void on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  Core &core_;
  std::vector<Shard> shards_;
  void (*wake_fn_)(void *arg, Queue &queue) = nullptr;
  void *wake_arg_ = nullptr;
  WaitWheel wheel_;                            // guarded by Core::mutex
  bool tick_armed_ = false;                    // guarded by Core::mutex
  bool releasing_ = false;                     // guarded by Core::mutex
  std::mutex pool_mutex_;                      // guards what follows; leaf lock
  std::vector<std::unique_ptr<Waiter>> pool_;
  std::vector<Waiter *> free_;
};

}  // namespace gantry::broker
