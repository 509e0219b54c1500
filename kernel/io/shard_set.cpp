#include "kernel/io/shard_set.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernel/io/service_tables.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/tls.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {

constexpr std::uint32_t kMaxShards = 64;
constexpr std::uint32_t kDefaultMaxInput = 16 * 1024 * 1024 + 4;
constexpr auto kDrainGrace = std::chrono::seconds(2);  // for closing at the deadline itself
constexpr std::int64_t kReadWhileDrainingMs = 1'000;

struct EventOrder {
  gantry_conn conn;
  gantry_event event;
  static void run(void *arg) noexcept {
    const std::unique_ptr<EventOrder> self(static_cast<EventOrder *>(arg));
    Shard::current()->add_event(self->conn, self->event);
  }
};

void send_to(Shard *shard, gantry_conn conn, const gantry_event &event) {
  if (shard == nullptr) return;
  if (shard == Shard::current()) return shard->add_event(conn, event);
  auto order = std::make_unique<EventOrder>(EventOrder{conn, event});
  if (shard->post({&EventOrder::run, order.get()})) (void)order.release();
}

void begin_shard_drain(void *arg) noexcept {
  auto *set = static_cast<ShardSetInner *>(arg);
  Shard *shard = Shard::current();
  if (shard->index == 0)
    for (const auto &listening : set->listenings)
      for (const auto &acceptor : listening->acceptors) acceptor->stop();
  const std::int64_t left = std::max<std::int64_t>(0, set->drain_deadline_ms - shard->now_ms());
  shard->begin_drain(set->drain_deadline_ms, shard->now_ms() + std::min(left / 2, kReadWhileDrainingMs));
}

void start_acceptor(void *acceptor) noexcept { static_cast<Acceptor *>(acceptor)->start(*Shard::current()); }
void stop_this_shard(void *) noexcept { Shard::current()->stop_loop(); }

}  // namespace

Instance *ShardSetInner::instance_of(HostContext &host) {
  const std::lock_guard lock(instances_mutex);
  for (const auto &known : instances)
    if (known->host == &host) return known.get();
  if (host.component == nullptr || std::strcmp(host.component->interface_id, GANTRY_PROTOCOL_ID) != 0) return nullptr;
  auto made = std::make_unique<Instance>();
  made->host = &host;
  made->protocol = static_cast<const gantry_protocol_v1 *>(host.component->vtable);
  gantry_protocol_description what{};
  what.size = sizeof what;
  made->protocol->describe(host.self, &what);
  made->max_input_bytes = what.max_input_bytes == 0 ? kDefaultMaxInput : what.max_input_bytes;
  instances.push_back(std::move(made));
  return instances.back().get();
}

Origin *ShardSetInner::outbound_origin_of(HostContext &host) {
  Instance *instance = instance_of(host);
  if (instance == nullptr) return nullptr;
  const std::lock_guard lock(instances_mutex);
  for (const auto &known : outbound_origins)
    if (known->instance == instance) return known.get();
  auto made = std::make_unique<Origin>();
  made->instance = instance;
  made->max_input_bytes = instance->max_input_bytes;
  made->idle_timeout_ms = options.outbound_idle_timeout_ms;
  outbound_origins.push_back(std::move(made));
  return outbound_origins.back().get();
}

ShardSet::ShardSet(std::unique_ptr<ShardSetInner> inner) : inner_(std::move(inner)) {}

ShardSet::~ShardSet() { stop(); }

Result<std::unique_ptr<ShardSet>> ShardSet::create(const IoOptions &options) {
  const auto wrong = [](const std::string &what) { return Error{GANTRY_E_INVALID, "io: " + what, 0}; };
  if (options.shard_count < 1 || options.shard_count > kMaxShards) return wrong("the number of shards must be 1 to " + std::to_string(kMaxShards));
  if (options.blocking_threads < 1 || options.blocking_queue < 1) return wrong("the blocking pool needs a thread and room for a job");
  if (options.output_soft_bytes < 1 || options.output_hard_bytes < options.output_soft_bytes)
    return wrong("the hard output limit must not be below the soft one");
  auto inner = std::make_unique<ShardSetInner>(options);
  inner->wakeups = metrics().cell(MetricKind::kCounter, "io_wakeups", "wake-ups of sleeping shards by other threads", kNoShard);
  inner->wakeups_start = __atomic_load_n(inner->wakeups, __ATOMIC_RELAXED);
  if (!options.outbound_ca_file.empty()) {
    auto tls = TlsContext::client(options.outbound_ca_file);
    if (!tls) return std::move(tls.error());
    inner->outbound_tls = std::move(*tls);
  }
  for (std::uint32_t i = 0; i < options.shard_count; ++i) {
    inner->shards.push_back(std::make_unique<Shard>(*inner, i));
    GANTRY_TRY(inner->shards.back()->open());
  }
  return std::unique_ptr<ShardSet>(new ShardSet(std::move(inner)));
}

void ShardSet::add_services(ServiceTables &tables) {
  tables.add(GANTRY_CLOCK_ID, &clock_table());
  tables.add(GANTRY_EXEC_ID, &exec_table());
  tables.add(GANTRY_CQ_ID, &cq_table());
  tables.add(GANTRY_NET_ID, &net_table());
}

Result<void> ShardSet::start() {
  auto expected = RunState::kCreated;
  if (!inner_->state.compare_exchange_strong(expected, RunState::kRunning)) return Error{GANTRY_E_INVALID, "io: started twice, or after stop", 0};
  for (const auto &shard : inner_->shards) shard->start();
  return {};
}

Result<ListenerInfo> ShardSet::listen(const ListenOptions &options) {
  if (inner_->closing.load()) return Error{GANTRY_E_CLOSED, "io: no listening while the broker stops", 0};
  Instance *instance = options.instance == nullptr ? nullptr : inner_->instance_of(*options.instance);
  if (instance == nullptr) return Error{GANTRY_E_INVALID, "io: only a protocol instance can listen", 0};
  auto bound = bind_all(options, *instance);
  if (!bound) return std::move(bound.error());
  inner_->listenings.push_back(std::move(*bound));
  Listening &listening = *inner_->listenings.back();
  instance->listens.store(true);
  for (const auto &acceptor : listening.acceptors)
    if (!inner_->shards.front()->post({&start_acceptor, acceptor.get()})) return Error{GANTRY_E_CLOSED, "io: the shards have stopped", 0};
  for (const BoundPort &port : listening.info.ports) log_info("io", options.instance->label, " listens on ", port.address);
  return listening.info;
}

Result<void> ShardSet::reload_tls() {
  std::vector<std::pair<TlsContext *, TlsContext::Native>> fresh;
  for (const auto &listening : inner_->listenings) {
    TlsContext *tls = listening->origin.tls.get();
    if (tls == nullptr) continue;
    auto native = tls->load();
    if (!native) return std::move(native.error());
    fresh.emplace_back(tls, std::move(*native));
  }
  for (auto &[tls, native] : fresh) tls->use(std::move(native));
  return {};
}

void ShardSet::begin_drain(std::int64_t timeout_ms) {
  if (inner_->state.load() != RunState::kRunning || inner_->closing.exchange(true)) return;
  {
    const std::lock_guard lock(inner_->drain_mutex);
    inner_->drain_deadline_ms = monotonic_ms() + std::max<std::int64_t>(0, timeout_ms);
  }
  for (const auto &shard : inner_->shards) (void)shard->post({&begin_shard_drain, inner_.get()});
}

bool ShardSet::wait_drained() {
  std::unique_lock lock(inner_->drain_mutex);
  if (inner_->state.load() != RunState::kRunning || !inner_->closing.load()) return true;
  const auto until = std::chrono::steady_clock::time_point(std::chrono::milliseconds(inner_->drain_deadline_ms)) + kDrainGrace;
  const bool all = inner_->drained.wait_until(lock, until, [this] { return inner_->shards_drained == inner_->shards.size(); });
  return all && inner_->forced_closings.load() == 0;
}

void ShardSet::stop() {
  if (inner_->state.load() == RunState::kStopped) return;
  inner_->closing.store(true);
  inner_->pool.stop();  // its last jobs may still post to the shards
  if (inner_->state.load() == RunState::kRunning) {
    for (const auto &shard : inner_->shards) (void)shard->post({&stop_this_shard, nullptr});
    for (const auto &shard : inner_->shards) shard->join();
  } else {
    for (const auto &shard : inner_->shards) shard->refuse_posts();
  }
  inner_->state.store(RunState::kStopped);
  inner_->listenings.clear();
}

void ShardSet::send_event(gantry_conn conn, const gantry_event &event) {
  if (conn != 0) send_to(inner_->shard(shard_of(conn)), conn, event);
}

void ShardSet::send_event_to_all(const gantry_event &event) { send_to(inner_->shard(0), 0, event); }

std::uint32_t ShardSet::shard_count() const { return static_cast<std::uint32_t>(inner_->shards.size()); }

IoStats ShardSet::stats() const {
  IoStats sum;
  for (const auto &shard : inner_->shards) {
    const Counters &c = shard->counters();
    sum.connections += c.connections();
    sum.accepted += c.value(Count::kAccepted);
    sum.refused += c.value(Count::kRefused);
    sum.connected += c.value(Count::kConnected);
    sum.connect_failed += c.value(Count::kConnectFailed);
    sum.closed_by_peer += c.value(Count::kClosedByPeer);
    sum.closed_by_protocol += c.value(Count::kClosedByProtocol);
    sum.closed_idle += c.value(Count::kClosedIdle);
    sum.closed_slow_reader += c.value(Count::kClosedSlowReader);
    sum.closed_limit += c.value(Count::kClosedLimit);
    sum.closed_error += c.value(Count::kClosedError);
    sum.closed_shutdown += c.value(Count::kClosedShutdown);
    sum.bytes_in += c.value(Count::kBytesIn);
    sum.bytes_out += c.value(Count::kBytesOut);
    sum.turns += c.value(Count::kTurns);
  }
  sum.wakeups = __atomic_load_n(inner_->wakeups, __ATOMIC_RELAXED) - inner_->wakeups_start;
  return sum;
}

}  // namespace gantry::io
