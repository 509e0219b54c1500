#include "kernel/kit/fake_host_tables.hpp"

#include "kernel/kit/fake_host.hpp"
#include "kernel/kit/test_util.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gantry::test {

namespace {
FakeHost &host_of(const gantry_host *host) { return *static_cast<FakeHost *>(host->ctx); }
constexpr std::size_t kOffloadLimit = 1024;
}  // namespace

struct FakeHostTables {
  // ---- log
  static std::int32_t log_enabled(const gantry_host *, std::int32_t) noexcept { return 1; }

  static void log_write(const gantry_host *host, std::int32_t level, const char *text, std::uint32_t n) noexcept {
    static constexpr const char *kNames[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    require(level >= GANTRY_LOG_DEBUG && level <= GANTRY_LOG_ERROR, "log.write: unknown level");
    const std::string line = std::string(kNames[level]) + " " + std::string(text, n);
    static const bool echo = std::getenv("GANTRY_TEST_LOG") != nullptr;
    if (echo) std::fprintf(stderr, "%s\n", line.c_str());
    FakeHost &self = host_of(host);
    const std::lock_guard lock(self.mutex_);
    self.log_.push_back(line);
  }

  // ---- clock
  static std::int64_t coarse_ms(const gantry_host *host) noexcept {
    FakeHost &self = host_of(host);
    ShardLoop *loop = self.loop(self.this_shard());
    return loop != nullptr ? loop->coarse_ms.load() : self.wall_ms();
  }
  static std::int64_t now_ns(const gantry_host *host) noexcept { return host_of(host).mono_ns(); }

  // ---- exec
  static std::uint32_t shard_count(const gantry_host *host) noexcept { return host_of(host).shards(); }
  static std::uint32_t this_shard(const gantry_host *host) noexcept { return host_of(host).this_shard(); }

  static std::int32_t post(const gantry_host *host, std::uint32_t shard, gantry_task_fn fn, void *arg) noexcept {
    ShardLoop *loop = host_of(host).loop(shard);
    if (loop == nullptr || fn == nullptr) return GANTRY_E_INVALID;
    if (host_of(host).fails_now()) return GANTRY_E_CLOSED;
    return loop->post(fn, arg) ? GANTRY_OK : GANTRY_E_CLOSED;
  }

  static std::int32_t at_turn_end(const gantry_host *host, gantry_task_fn fn, void *arg) noexcept {
    FakeHost &self = host_of(host);
    require(self.this_shard() != GANTRY_NO_SHARD, "exec.at_turn_end was called off a shard");
    if (fn == nullptr) return GANTRY_E_INVALID;
    self.loop(self.this_shard())->at_turn_end(fn, arg);
    return GANTRY_OK;
  }

  static std::uint64_t timer_arm(const gantry_host *host, std::uint32_t shard, std::int64_t delay_ms, gantry_task_fn fn,
                                 void *arg) noexcept {
    FakeHost &self = host_of(host);
    require(self.this_shard() == shard || self.this_thread_is_control(), "exec.timer_arm was called off the timer's shard");
    ShardLoop *loop = self.loop(shard);
    if (loop == nullptr || fn == nullptr || delay_ms < 0 || self.fails_now()) return 0;
    return loop->timer_arm(self.mono_ns() + delay_ms * 1000000, fn, arg);
  }

  static std::int32_t timer_cancel(const gantry_host *host, std::uint64_t timer) noexcept {
    FakeHost &self = host_of(host);
    const std::uint32_t shard = ShardLoop::shard_of(timer);
    require(self.this_shard() == shard || self.this_thread_is_control(), "exec.timer_cancel was called off the timer's shard");
    ShardLoop *loop = self.loop(shard);
    return loop != nullptr && loop->timer_cancel(timer) ? GANTRY_OK : GANTRY_E_NOT_FOUND;
  }

  static std::uint64_t fd_watch(const gantry_host *host, std::uint32_t shard, std::int32_t fd, gantry_task_fn fn, void *arg) noexcept {
    FakeHost &self = host_of(host);
    require(self.this_shard() != GANTRY_NO_SHARD || self.this_thread_is_control(), "exec.fd_watch was called on a plugin's thread");
    ShardLoop *loop = self.loop(shard);
    if (loop == nullptr || fn == nullptr || fd < 0 || self.fails_now()) return 0;
    return loop->fd_watch(fd, fn, arg);
  }

  static void fd_unwatch(const gantry_host *host, std::uint64_t watch) noexcept {
    FakeHost &self = host_of(host);
    const std::uint32_t shard = ShardLoop::shard_of(watch);
    const bool stopped = self.this_thread_is_control() && self.stopping_;
    const bool own_loop = self.mode_ == LoopMode::kManual && std::this_thread::get_id() == self.maker_;
    require(self.this_shard() == shard || stopped || own_loop, "exec.fd_unwatch was called off the watch's shard while the shards run");
    ShardLoop *loop = self.loop(shard);
    require(loop != nullptr && loop->fd_unwatch(watch), "exec.fd_unwatch: no such watch");
  }

  static std::int32_t offload(const gantry_host *host, gantry_task_fn fn, void *arg) noexcept {
    FakeHost &self = host_of(host);
    if (fn == nullptr) return GANTRY_E_INVALID;
    if (self.fails_now()) return GANTRY_E_AGAIN;
    {
      const std::lock_guard lock(self.mutex_);
      if (self.stopping_) return GANTRY_E_CLOSED;
      if (self.offloaded_.size() >= kOffloadLimit) return GANTRY_E_AGAIN;
      self.offloaded_.push_back({fn, arg});
    }
    self.pool_wake_.notify_one();
    if (self.mode_ == LoopMode::kManual) self.loops_[0]->wake();
    return GANTRY_OK;
  }

  // ---- completion queues
  static gantry_cq cq_create(const gantry_host *host, std::uint32_t shard, gantry_cq_ready_fn ready, void *self_arg) noexcept {
    FakeHost &self = host_of(host);
    require(self.this_shard() != GANTRY_NO_SHARD || self.this_thread_is_control(), "cq.create was called on a plugin's thread");
    ShardLoop *loop = self.loop(shard);
    return loop != nullptr && ready != nullptr && !self.fails_now() ? loop->cq_create(ready, self_arg) : 0;
  }

  static std::int32_t cq_push(const gantry_host *host, gantry_cq cq, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    ShardLoop *loop = host_of(host).loop(ShardLoop::shard_of(cq));
    return loop != nullptr && loop->cq_push(cq, cqes, n) ? GANTRY_OK : GANTRY_E_CLOSED;
  }

  static void cq_close(const gantry_host *host, gantry_cq cq) noexcept {
    FakeHost &self = host_of(host);
    const std::uint32_t shard = ShardLoop::shard_of(cq);
    require(self.this_shard() == shard || (self.this_thread_is_control() && self.stopping_) || self.mode_ == LoopMode::kManual,
            "cq.close was called off the queue's shard while the shards run");
    ShardLoop *loop = self.loop(shard);
    require(loop != nullptr && loop->cq_close(cq), "cq.close: no such queue");
  }

  // ---- metrics
  static bool name_ok(const char *name) {
    return *name != '\0' && std::all_of(name, name + std::strlen(name), [](unsigned char c) {
      return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
    });
  }

  static std::uint64_t *cell(const gantry_host *host, std::uint32_t kind, const char *name, const char *help,
                             std::uint32_t shard) noexcept {
    FakeHost &self = host_of(host);
    require(self.this_shard() != GANTRY_NO_SHARD || self.this_thread_is_control(), "metrics.cell was called on a plugin's thread");
    const bool known_kind = kind == GANTRY_METRIC_COUNTER || kind == GANTRY_METRIC_GAUGE;
    if (!known_kind || name == nullptr || help == nullptr || !name_ok(name)) return nullptr;
    if ((shard != GANTRY_NO_SHARD && shard >= self.shards()) || self.fails_now()) return nullptr;
    const std::lock_guard lock(self.mutex_);
    auto &slot = self.metrics_[name][shard];
    if (!slot) slot = std::make_unique<std::uint64_t>(0);
    return slot.get();
  }

  static const void *query(const gantry_host *host, const char *table_id) noexcept {
    static const gantry_log_v1 log{log_enabled, log_write};
    static const gantry_clock_v1 clock{coarse_ms, now_ns};
    static const gantry_exec_v1 exec{shard_count, this_shard,  post,     at_turn_end, timer_arm,
                                     timer_cancel, fd_watch, fd_unwatch, offload};
    static const gantry_cq_v1 cq{cq_create, cq_push, cq_close};
    static const gantry_metrics_v1 metrics{cell};
    static const std::map<std::string, const void *> kTables{
        {GANTRY_LOG_ID, &log}, {GANTRY_CLOCK_ID, &clock}, {GANTRY_EXEC_ID, &exec}, {GANTRY_CQ_ID, &cq}, {GANTRY_METRICS_ID, &metrics}};
    FakeHost &self = host_of(host);
    if (self.fails_now()) return nullptr;
    const std::lock_guard lock(self.mutex_);
    if (self.hidden_.contains(table_id)) return nullptr;
    if (const auto own = kTables.find(table_id); own != kTables.end()) return own->second;
    if (const auto added = self.extra_tables_.find(table_id); added != self.extra_tables_.end()) return added->second;
    self.missing_.insert(table_id);
    return nullptr;
  }
};

gantry_host make_host_abi(FakeHost *host) {
  gantry_host abi{};
  abi.size = sizeof abi;
  abi.abi_minor = GANTRY_ABI_MINOR;
  abi.ctx = host;
  abi.query = FakeHostTables::query;
  return abi;
}

}  // namespace gantry::test
