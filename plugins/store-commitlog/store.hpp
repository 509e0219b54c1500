// One opened store: the functions of gantry_store_v1 with C++ types. entry.cpp makes the table of them.
#pragma once

#include "background.hpp"
#include "core.hpp"
#include "hot_read.hpp"
#include "pump.hpp"
#include "readers.hpp"
#include "references.hpp"
#include "scrub.hpp"

#include <gantry/draft/store.h>

#include <memory>

namespace gantry::commitlog {

// What a test puts in place of the real thing; empty = the real thing.
struct StoreParts {
  std::unique_ptr<Files> files;
  std::function<Result<std::unique_ptr<IoEngine>>()> make_engine;
};

class Store {
 public:
  static Result<std::unique_ptr<Store>> create(const gantry_host *host, const gantry_config *config, StoreParts parts = {});
  ~Store();
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  // open and start may come in either order; requests are served once both were called.
  Result<void> open(const gantry_store_open &args, const gantry_recovery_sink &sink);
  Result<void> start();
  void stop();

  // As in gantry_store_v1.
  std::int32_t queue_open(gantry_str topic, std::uint32_t queue_no, std::uint32_t kind, gantry_queue *out);
  std::int32_t append(std::uint32_t shard, const gantry_append *requests, std::uint32_t n, gantry_cq cq);
  std::int32_t read(std::uint32_t shard, const gantry_read *requests, std::uint32_t n, const gantry_read_result **inline_out, gantry_cq cq);
  std::int32_t read_at(std::uint32_t shard, std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq);
  std::int32_t queue_stat(gantry_queue queue, gantry_queue_stat *out);
  std::int32_t seek_time(std::uint32_t shard, gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq);
  std::int32_t meta_write(const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq);
  std::int32_t sync(std::uint32_t shard, std::uint64_t user_data, gantry_cq cq);
  std::int32_t queue_drop(gantry_queue queue);
  std::int32_t query_key(std::uint32_t shard, const gantry_key_query &query, gantry_cq cq);
  void retain_from(std::int64_t phys_pos);
  void stats(gantry_store_stats *out);
  std::uint32_t refusal(char *out, std::uint32_t bytes);

 private:
  Store(const Host &host, Options options, StoreParts parts, Arena &arena);
  Result<void> serve();
  Result<std::unique_ptr<IoEngine>> make_engine();
  void complete(gantry_cq cq, std::uint64_t user_data, std::int32_t status) const;
  [[nodiscard]] bool serving() const { return serving_.load(std::memory_order_acquire); }
  const gantry_read_result *deliver(HotReader::Answer answer, ReadResult *result, ColdRead cold);

  std::function<Result<std::unique_ptr<IoEngine>>()> make_engine_;
  Core core_;
  HotReader hot_;  // guarded by Core::mutex
  References references_;  // the same
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<Background> background_;
  std::unique_ptr<Readers> readers_;
  std::unique_ptr<Scrubber> scrubber_;
  bool opened_ = false, started_ = false;
  std::atomic<bool> serving_{false};
  std::vector<std::uint8_t> op_bytes_;  // guarded by Core::mutex
};

}  // namespace gantry::commitlog
