// The kernel's services as this plugin uses them.
#pragma once

#include "types.hpp"

#include <gantry/draft/host.h>

#include <cstdint>
#include <span>
#include <string>

namespace gantry::commitlog {

class Host {
 public:
  // UNSUPPORTED naming the table this kernel lacks; metrics may be missing.
  static Result<Host> from(const gantry_host *host);
  // For tools, which have no shards: a host that can only write its log, or not even that. Nothing but log() may be called.
  static Host of_tool(const gantry_host *host);

  void log(std::int32_t level, const std::string &text) const;
  [[nodiscard]] std::int64_t now_ms() const { return clock_->now_ns(host_) / 1000000; }  // monotonic
  [[nodiscard]] std::int64_t wall_ms() const { return clock_->coarse_ms(host_); }
  [[nodiscard]] std::uint32_t this_shard() const { return exec_->this_shard(host_); }
  [[nodiscard]] std::uint32_t shard_count() const { return exec_->shard_count(host_); }
  [[nodiscard]] std::int32_t post(std::uint32_t shard, gantry_task_fn fn, void *arg) const { return exec_->post(host_, shard, fn, arg); }
  [[nodiscard]] std::int32_t at_turn_end(gantry_task_fn fn, void *arg) const { return exec_->at_turn_end(host_, fn, arg); }
  [[nodiscard]] std::uint64_t fd_watch(std::uint32_t shard, int fd, gantry_task_fn fn, void *arg) const { return exec_->fd_watch(host_, shard, fd, fn, arg); }
  void fd_unwatch(std::uint64_t watch) const { exec_->fd_unwatch(host_, watch); }
  // E_CLOSED when the queue is gone: the caller releases what the completions carry.
  std::int32_t push(gantry_cq cq, std::span<const gantry_cqe> cqes) const;
  // Never null: a kernel without metrics gets a cell nobody reads.
  [[nodiscard]] std::uint64_t *cell(std::uint32_t kind, const char *name, const char *help, std::uint32_t shard) const;

 private:
  const gantry_host *host_ = nullptr;
  const gantry_log_v1 *log_ = nullptr;
  const gantry_clock_v1 *clock_ = nullptr;
  const gantry_exec_v1 *exec_ = nullptr;
  const gantry_cq_v1 *cq_ = nullptr;
  const gantry_metrics_v1 *metrics_ = nullptr;
};

}  // namespace gantry::commitlog
