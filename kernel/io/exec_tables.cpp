// Clock, exec and completion queue tables.
#include "kernel/io/service_tables.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/shard_set.hpp"

namespace gantry::io {
namespace {

constexpr int kShardShift = 56;  // of timer and watch ids; the shard itself knows them by the bits below
constexpr std::uint64_t kInShard = (std::uint64_t{1} << kShardShift) - 1;

ShardSetInner &set_of(const gantry_host *host) {
  auto *set = static_cast<ShardSet *>(HostContext::of(host)->io);
  GANTRY_ASSERT(set != nullptr);
  return set->inner();
}

// The shard the calling thread is, if it belongs to the host's set.
Shard *own_shard(const gantry_host *host) {
  Shard *shard = Shard::current();
  return shard != nullptr && &shard->set == &set_of(host) ? shard : nullptr;
}

struct WatchOrder {  // fd_watch from the control thread while the shards run
  std::uint64_t name;
  int fd;
  gantry_task_fn fn;
  void *arg;
  static void run(void *arg) noexcept {
    const std::unique_ptr<WatchOrder> self(static_cast<WatchOrder *>(arg));
    (void)Shard::current()->watch(self->name, self->fd, self->fn, self->arg);
  }
};

int64_t coarse_ms(const gantry_host *) noexcept {
  const Shard *shard = Shard::current();
  return shard != nullptr ? shard->wall_ms() : wall_clock_ms();
}
int64_t now_ns(const gantry_host *) noexcept { return monotonic_ns(); }

uint32_t shard_count(const gantry_host *host) noexcept { return static_cast<uint32_t>(set_of(host).shards.size()); }

uint32_t this_shard(const gantry_host *host) noexcept {
  const Shard *shard = own_shard(host);
  return shard != nullptr ? shard->index : GANTRY_NO_SHARD;
}

int32_t post(const gantry_host *host, uint32_t index, gantry_task_fn fn, void *arg) noexcept {
  Shard *shard = set_of(host).shard(index);
  if (shard == nullptr || fn == nullptr) return GANTRY_E_INVALID;
  return shard->post({fn, arg}) ? GANTRY_OK : GANTRY_E_CLOSED;
}

int32_t at_turn_end(const gantry_host *host, gantry_task_fn fn, void *arg) noexcept {
  Shard *shard = own_shard(host);
  if (shard == nullptr || fn == nullptr) return GANTRY_E_INVALID;
  shard->at_turn_end({fn, arg});
  return GANTRY_OK;
}

uint64_t timer_arm(const gantry_host *host, uint32_t index, int64_t delay_ms, gantry_task_fn fn, void *arg) noexcept {
  ShardSetInner &set = set_of(host);
  Shard *shard = set.shard(index);
  if (shard == nullptr || fn == nullptr || delay_ms < 0 || !set.owns(*shard)) return 0;
  return std::uint64_t{index} << kShardShift | shard->arm(delay_ms, fn, arg);
}

int32_t timer_cancel(const gantry_host *host, uint64_t timer) noexcept {
  ShardSetInner &set = set_of(host);
  Shard *shard = set.shard(static_cast<std::uint32_t>(timer >> kShardShift));
  if (timer == 0 || shard == nullptr || !set.owns(*shard)) return GANTRY_E_INVALID;
  return shard->cancel(timer & kInShard) ? GANTRY_OK : GANTRY_E_NOT_FOUND;
}

uint64_t fd_watch(const gantry_host *host, uint32_t index, int32_t fd, gantry_task_fn fn, void *arg) noexcept {
  ShardSetInner &set = set_of(host);
  Shard *shard = set.shard(index);
  if (shard == nullptr || fn == nullptr || fd < 0) return 0;
  const std::uint64_t name = set.next_watch.fetch_add(1);
  const std::uint64_t id = std::uint64_t{index} << kShardShift | name;
  if (set.owns(*shard)) return shard->watch(name, fd, fn, arg) ? id : 0;
  auto order = std::make_unique<WatchOrder>(WatchOrder{name, fd, fn, arg});
  if (!shard->post({&WatchOrder::run, order.get()})) return 0;
  (void)order.release();
  return id;
}

void fd_unwatch(const gantry_host *host, uint64_t watch) noexcept {
  ShardSetInner &set = set_of(host);
  Shard *shard = set.shard(static_cast<std::uint32_t>(watch >> kShardShift));
  if (watch == 0 || shard == nullptr) return;
  GANTRY_ASSERT(set.owns(*shard));
  shard->unwatch(watch & kInShard);
}

int32_t offload(const gantry_host *host, gantry_task_fn fn, void *arg) noexcept {
  return fn == nullptr ? GANTRY_E_INVALID : set_of(host).pool.run(fn, arg);
}

gantry_cq cq_create(const gantry_host *host, uint32_t index, gantry_cq_ready_fn ready, void *self) noexcept {
  ShardSetInner &set = set_of(host);
  Shard *shard = set.shard(index);
  return shard == nullptr || ready == nullptr ? 0 : set.queues.create(*shard, ready, self);
}

int32_t cq_push(const gantry_host *host, gantry_cq cq, const gantry_cqe *cqes, uint32_t n) noexcept {
  return n == 0 ? GANTRY_OK : set_of(host).queues.push(cq, cqes, n);
}

void cq_close(const gantry_host *host, gantry_cq cq) noexcept { set_of(host).queues.close(cq); }

}  // namespace

const gantry_clock_v1 &clock_table() {
  static constexpr gantry_clock_v1 table{coarse_ms, now_ns};
  return table;
}
const gantry_exec_v1 &exec_table() {
  static constexpr gantry_exec_v1 table{shard_count, this_shard, post, at_turn_end, timer_arm, timer_cancel, fd_watch, fd_unwatch, offload};
  return table;
}
const gantry_cq_v1 &cq_table() {
  static constexpr gantry_cq_v1 table{cq_create, cq_push, cq_close};
  return table;
}

}  // namespace gantry::io
