// What the parts of the broker share: settings, the store, the kernel's services, and the tables guarded by one mutex.
//
// Lock order: Core::mutex before the store's own locks; nothing of the broker is locked while a completion queue delivers. The mutex is
// taken once per batch of requests, not per message (only those that are delayed, given back or dead letters take it once more), and never
// held across record building or store.append.
#pragma once

#include "kernel/base/call_meter.hpp"
#include "kernel/broker/admin/stats.hpp"
#include "kernel/broker/filter/filters.hpp"
#include "kernel/broker/record/record.hpp"
#include "kernel/broker/registry/groups.hpp"
#include "kernel/broker/registry/locks.hpp"
#include "kernel/broker/registry/offsets.hpp"
#include "kernel/broker/registry/sessions.hpp"
#include "kernel/broker/registry/topics.hpp"
#include "kernel/config/delay_levels.hpp"

#include <gantry/draft/broker.h>
#include <gantry/draft/protocol.h>

#include <map>
#include <mutex>
#include <set>
#include <string>

namespace gantry::broker {

struct BrokerOptions {
  std::string cluster = "DefaultCluster";
  std::string name = "broker-a";
  std::int64_t id = 0;
  bool auto_create_topics = true;
  bool auto_create_groups = true;
  std::uint32_t default_topic_queues = 8;
  std::uint32_t max_message_bytes = 4u << 20;
  std::uint32_t default_durability = GANTRY_DURABILITY_DURABLE;
  std::int64_t max_timer_delay_ms = std::int64_t{3} * 24 * 3600 * 1000;  // RocketMQ's timerMaxDelaySec
  std::int64_t transaction_timeout_ms = 6'000;
  std::int64_t transaction_check_interval_ms = 30'000;
  std::uint32_t transaction_check_max = 15;
  std::int64_t retention_ms = -1;  // the store's, for tools
  config::DelayLevels delay_levels = *config::DelayLevels::parse(config::kDefaultDelayLevels);
};

// The store plugin's instance.
struct StorePort {
  const gantry_store_v1 *table = nullptr;
  void *self = nullptr;
};

// Where events for protocols go. Implemented over kernel/io; called from any shard, without the broker's mutex.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void to_conn(gantry_conn conn, const gantry_event &event) = 0;
  virtual void to_all(const gantry_event &event) = 0;
};

// Takes back messages that wait for a due time. Implemented above the broker.
class Recaller {
 public:
  virtual ~Recaller() = default;
  // gantry_broker_v1.recall.
  [[nodiscard]] virtual std::int32_t recall(const gantry_recall &req, gantry_cq cq) = 0;
};

// Ends transactions. Implemented above the broker.
class TransactionEnder {
 public:
  virtual ~TransactionEnder() = default;
  // gantry_broker_v1.end_transaction.
  [[nodiscard]] virtual std::int32_t end_transaction(const gantry_end_transaction &req, gantry_cq cq) = 0;
};

// Told, without the broker's mutex, what was deleted. Implemented above the broker.
class Forgetter {
 public:
  virtual ~Forgetter() = default;
  virtual void topic_deleted(const Topic &topic) = 0;
  virtual void group_deleted(gantry_group group) = 0;
};

struct Core {
  Core(BrokerOptions o, const gantry_host *h, StorePort s, EventSink &e)
      : options(std::move(o)), host(h), store(s), events(e), topics(options.cluster) {
    exec = static_cast<const gantry_exec_v1 *>(h->query(h, GANTRY_EXEC_ID));
    cq = static_cast<const gantry_cq_v1 *>(h->query(h, GANTRY_CQ_ID));
    clock = static_cast<const gantry_clock_v1 *>(h->query(h, GANTRY_CLOCK_ID));
    log = static_cast<const gantry_log_v1 *>(h->query(h, GANTRY_LOG_ID));
    GANTRY_ASSERT(exec != nullptr && cq != nullptr && clock != nullptr && log != nullptr);
    store_host = HostAddress{{127, 0, 0, 1}, 4, 10911};
  }

  [[nodiscard]] std::int64_t now_ms() const { return clock->coarse_ms(host); }
  [[nodiscard]] std::int64_t monotonic_ms() const { return clock->now_ns(host) / 1'000'000; }
  void say(std::int32_t level, const std::string &text) const {
    log->write(host, level, text.data(), static_cast<std::uint32_t>(text.size()));
  }
  // One completion to a protocol's queue. A closed queue drops it: its connection is gone.
  void complete(gantry_cq to, std::uint64_t user_data, std::int32_t status, std::uint32_t flags, std::int64_t result = 0, std::uint64_t aux = 0) const {
    const gantry_cqe cqe{user_data, result, aux, status, flags};
    (void)cq->push(host, to, &cqe, 1);
  }
  // The store's handle of a queue, made on first use; GANTRY_NO_QUEUE with `status` when the store refuses or the topic is deleted
  // (NOT_FOUND). Under the mutex.
  [[nodiscard]] gantry_queue open_queue(Topic &topic, std::uint32_t queue_no, std::int32_t *status);

  const BrokerOptions options;
  const gantry_host *const host;
  const gantry_exec_v1 *exec;
  const gantry_cq_v1 *cq;
  const gantry_clock_v1 *clock;
  const gantry_log_v1 *log;
  const StorePort store;
  EventSink &events;
  Recaller *recaller = nullptr;  // set while starting
  TransactionEnder *transaction_ender = nullptr;  // set while starting
  Forgetter *forgetter = nullptr;  // set while starting
  HostAddress store_host;  // set while starting
  PluginMeters *meters = nullptr;  // of all plugins; set while starting, may stay null
  Filters filters;         // has a lock of its own; before what holds its programs

  std::mutex mutex;  // guards everything below
  Topics topics;
  Groups groups;
  Offsets offsets;
  Sessions sessions;
  Locks locks;
  Stats stats;
  std::set<std::string, std::less<>> burying;  // names of topics whose queues go; no new topic gets one yet
  gantry_topics_version version{};
  // Set while opening. Delayed messages wait in queue level - 1 of the first; a record in the same queue of the second says by its tag
  // which of them, by queue offset, was delivered with that record.
  Topic *schedule_topic = nullptr;
  Topic *schedule_op_topic = nullptr;
  // The same for messages with a due time of their own, in queue 0 and in no order.
  Topic *timer_topic = nullptr;
  Topic *timer_op_topic = nullptr;
  // The same for half messages of transactions; and where those go that nobody ever decided.
  Topic *half_topic = nullptr;
  Topic *half_op_topic = nullptr;
  Topic *discarded_topic = nullptr;

  // For kernel/semantics: its rows as recovery found them, with their whole keys; whoever understands them takes them out. And what stands behind the
  // tables of sdk/gantry/draft/pop.h. Set while starting.
  std::map<std::string, std::string, std::less<>> restored_rows;
  void *pop = nullptr;         // gantry::semantics::Pop
  void *assignment = nullptr;  // gantry::semantics::Assignment
};

}  // namespace gantry::broker
