// One instance of the memory store: checks requests, answers reads, completes appends at the end of the turn.
//
// Nothing survives the process, so only durability MEMORY is offered; see entry.cpp for the keys that loosen or tighten things.
// Any number of shards; one mutex, never held while anything waits.
#pragma once

#include "memory_log.h"

#include <gantry/draft/store.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace memory_store {

struct Settings {
  std::uint64_t capacity_bytes = 0;       // records kept; beyond: NO_SPACE
  std::uint64_t max_waiting_bytes = 0;    // accepted and not yet acknowledged; beyond: AGAIN
  std::uint32_t max_record_bytes = 0;     // beyond: LIMIT
  std::uint64_t max_queues = 0;           // beyond: LIMIT
  std::int64_t keep_per_queue = 0;        // newest records kept per queue; 0 = all
  bool accept_stronger = false;           // take WRITTEN and DURABLE for MEMORY instead of E_UNSUPPORTED
  bool complete_reads = false;            // answer reads by completion instead of inline
};

class MemoryStore {
 public:
  MemoryStore(const gantry_host *host, const Settings &settings);

  [[nodiscard]] bool host_has_all_tables() const { return exec_ != nullptr && cq_ != nullptr; }
  std::int32_t open(const gantry_store_open &args, gantry_error *err);
  std::int32_t start();
  void stop();  // acknowledges what was accepted

  std::int32_t queue_open(gantry_str topic, std::uint32_t queue_no, std::uint32_t kind, gantry_queue *out);
  std::int32_t append(std::uint32_t shard, const gantry_append *requests, std::uint32_t n, gantry_cq cq);
  std::int32_t read(const gantry_read *requests, std::uint32_t n, const gantry_read_result **inline_out, gantry_cq cq);
  std::int32_t read_at(std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq);
  std::int32_t queue_stat(gantry_queue queue, gantry_queue_stat *out);
  std::int32_t seek_time(gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq);
  std::int32_t meta_write(const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq);
  std::int32_t sync(std::uint64_t user_data, gantry_cq cq);
  std::int32_t queue_drop(gantry_queue queue);
  std::int32_t query_key(const gantry_key_query &query, gantry_cq cq);
  void retain_from(std::int64_t phys_pos);
  std::uint32_t refusal(char *out, std::uint32_t bytes);
  void stats(gantry_store_stats *out);

 private:
  struct Waiting {
    gantry_cq cq;
    gantry_cqe cqe;
  };
  struct TurnEnd { // argument of at_turn_end and post; one per shard
    MemoryStore *store = nullptr;
    bool armed = false;
  };

  [[nodiscard]] std::int32_t check_level(std::uint32_t durability) const;
  [[nodiscard]] std::int32_t check(const gantry_append &request);
  [[nodiscard]] std::int32_t check_base(const gantry_append &request) const;
  [[nodiscard]] std::int32_t check(const gantry_read &request) const;
  [[nodiscard]] std::int32_t answer(const gantry_read &request, const gantry_read_result **out);
  void wait_for_turn_end();
  void acknowledge_all();
  void complete(gantry_cq cq, std::uint64_t user_data, std::int32_t status, std::int64_t result, const gantry_read_result *read = nullptr);
  static void on_turn_end(void *arg) noexcept;

  const gantry_host *host_;
  const gantry_exec_v1 *exec_;
  const gantry_cq_v1 *cq_;
  const Settings settings_;
  std::mutex mutex_;  // everything below
  std::condition_variable turn_ended_;
  bool running_ = false, refused_ = false;  // refused_: the newest record did not fit
  std::uint32_t home_shard_ = 0, armed_ = 0;
  MemoryLog log_;
  std::vector<TurnEnd> turn_ends_;
  std::vector<Waiting> waiting_;
  std::uint64_t waiting_bytes_ = 0, appended_bytes_total_ = 0;
};

}  // namespace memory_store
