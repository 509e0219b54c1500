// The home shard's part: submits what the writer hands out, reaps, answers requests.
#pragma once

#include "core.hpp"

#include <condition_variable>
#include <vector>

namespace gantry::commitlog {

class Pump {
 public:
  Pump(Core &core, std::unique_ptr<IoEngine> engine);
  ~Pump();
  Pump(const Pump &) = delete;
  Pump &operator=(const Pump &) = delete;

  // Watches the engine's descriptor on the home shard. [thread: control]
  Result<void> start();
  // Ends all writing: waits for what is in flight, writes what is left, answers everything. Nothing more is taken by then.
  // [thread: control] [blocking: may]
  void drain();
  // After drain, and when no other thread wakes any more: no task of ours is left on the shard, the engine is gone. [thread: control]
  void quiesce();

  // A request was taken on `shard`: submit at the end of its turn. Mutex not held. [thread: shard or control]
  void arm(std::uint32_t shard);
  // Look again soon. [thread: any]
  void wake();
  // When everything taken so far is flushed, a completion. [thread: shard] Mutex held.
  void add_sync(gantry_cq cq, std::uint64_t user_data);
  // True: a flush that no write brings is waited for. Mutex held.
  [[nodiscard]] bool wants_flush() const;
  [[nodiscard]] const std::string &engine_description() const { return description_; }

 private:
  struct Sync {
    LogPos target;
    gantry_cq cq;
    gantry_cqe cqe;
  };
  static void on_turn_end(void *self) noexcept;
  static void on_posted(void *self) noexcept;
  static void on_event(void *self) noexcept;
  void turn(bool reap);
  void collect();      // mutex held
  void answer();       // mutex not held
  void finish_syncs();
  void check_drained();
  void drain_without_engine();
  void unwatch();
  [[nodiscard]] bool shards_run() const;
  void publish_counts();

  Core &core_;
  std::unique_ptr<IoEngine> engine_;
  std::uint64_t watch_ = 0;
  const std::string description_;
  std::atomic<bool> turn_armed_{false}, post_armed_{false}, draining_{false};

  // Home shard only.
  std::vector<AckBatch> batches_;
  std::size_t batch_count_ = 0;
  std::vector<Sync> done_syncs_;
  LogWriter::Counts published_;

  std::vector<Sync> syncs_;  // guarded by Core::mutex

  std::mutex drain_mutex_;
  std::condition_variable drain_changed_;
  bool drained_ = false;

  struct Cells {
    std::uint64_t *records, *record_bytes, *writes, *written_bytes, *filler_bytes, *again, *in_flight;
  } cells_{};
};

}  // namespace gantry::commitlog
