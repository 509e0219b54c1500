// The broker: topics, groups, produce, fetch, offsets, sessions and locks over a store plugin. Behind gantry_broker_v1 and gantry_session_v1.
#pragma once

#include "kernel/base/host_context.hpp"
#include "kernel/broker/admin/admin.hpp"
#include "kernel/broker/consumption.hpp"
#include "kernel/broker/core.hpp"
#include "kernel/broker/fetch/fetcher.hpp"
#include "kernel/broker/fetch/key_lookup.hpp"
#include "kernel/broker/produce/producer.hpp"
#include "kernel/broker/produce/redelivery.hpp"
#include "kernel/broker/produce/relay.hpp"
#include "kernel/broker/retention_hold.hpp"

#include <atomic>
#include <optional>

namespace gantry::broker {

class Broker {
 public:
  // `host`: the broker's own, offering log, clock, exec and cq. Everything outlives the broker.
  Broker(BrokerOptions options, const gantry_host *host, StorePort store, EventSink &events);

  // The three tables, found through HostContext::broker of the calling instance.
  static void add_services(ServiceTables &tables);
  // The table of sdk/gantry/draft/usage.h, where Core::meters is set.
  static void add_usage_service(ServiceTables &tables);

  // Opens the store in data_dir, rebuilds topics, groups and offsets from it and adds the built-in topics.
  // [thread: control] May take as long as the store's recovery.
  [[nodiscard]] Result<void> open(const std::string &data_dir);
  // Serves from now on: completion queues and housekeeping. [thread: control, before the shards run]
  void start(std::uint32_t shard_count);
  // Ends parked fetches and writes what is still only remembered. [thread: shard 0]
  void drain();
  // No completion is handled after it returned. [thread: control, after the shards stopped]
  void stop();

  // ---- topics ----
  [[nodiscard]] std::int32_t topic_find(std::string_view name, gantry_topic_info *out);
  [[nodiscard]] std::int32_t topic_ensure(std::string_view name, std::string_view default_topic, std::int32_t queues, std::uint32_t sys_flag, gantry_topic_info *out, gantry_error *err);
  [[nodiscard]] std::int32_t topic_upsert(const gantry_topic_info &info, gantry_error *err);
  void topic_list(gantry_topic_fn fn, void *arg);
  [[nodiscard]] gantry_topics_version topics_version();
  [[nodiscard]] gantry_group group_find(std::string_view name, bool create);
  [[nodiscard]] std::string_view group_name(gantry_group group);

  // ---- consumer state ----
  [[nodiscard]] std::int32_t offset_commit(gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::int64_t offset, std::uint64_t user_data, gantry_cq cq);
  [[nodiscard]] std::int32_t offset_query(gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::uint32_t flags, std::int64_t *out);
  [[nodiscard]] std::int32_t queue_stat(gantry_topic topic, std::uint32_t queue_no, gantry_queue_stat *out);
  [[nodiscard]] std::int32_t seek_time(gantry_topic topic, std::uint32_t queue_no, std::int64_t ms, std::uint64_t user_data, gantry_cq cq);
  void queue_lock(std::string_view group, std::string_view client_id, gantry_lock_item *items, std::uint32_t n);
  void queue_unlock(std::string_view group, std::string_view client_id, const gantry_lock_item *items, std::uint32_t n);

  // ---- sessions ----
  [[nodiscard]] std::int32_t heartbeat(const gantry_heartbeat &hb, gantry_error *err);
  void unregister(gantry_conn conn, std::string_view producer_group, std::string_view consumer_group);
  void conn_closed(gantry_conn conn);
  [[nodiscard]] std::int32_t consumers(std::string_view group, gantry_client_fn fn, void *arg);

  [[nodiscard]] std::int32_t check_filter(std::string_view type, std::string_view expression, gantry_error *err);

  // ---- for tools ----
  [[nodiscard]] std::int32_t consumer_group(std::string_view group, gantry_consumer_fn about, gantry_member_fn each, void *arg);
  [[nodiscard]] std::int32_t producer_group(std::string_view group, gantry_member_fn fn, void *arg);
  void offset_list(gantry_group group, gantry_topic topic, gantry_committed_fn fn, void *arg);

  [[nodiscard]] Admin &admin() { return admin_; }
  [[nodiscard]] Producer &producer() { return producer_; }
  [[nodiscard]] Fetcher &fetcher() { return fetcher_; }
  [[nodiscard]] RetentionHold &retention_hold() { return hold_; }
  [[nodiscard]] Relay &relay() { return relay_; }
  [[nodiscard]] Redelivery &redelivery() { return redelivery_; }
  [[nodiscard]] KeyLookup &key_lookup() { return key_lookup_; }
  [[nodiscard]] Core &core() { return core_; }

 private:
  [[nodiscard]] CompiledFilter compile_subscription(gantry_str group, const gantry_subscription &subscription);
  void add_builtin_topics();
  void add_builtin_groups();
  void drop_orphans();
  [[nodiscard]] std::int32_t change_topic(std::string_view name, TopicSettings settings, std::string_view attribute_changes, gantry_topic_info *out, gantry_error *err);
  [[nodiscard]] std::int32_t persist(std::string_view prefix, std::string_view name, std::string_view value);
  [[nodiscard]] std::optional<gantry_queue> store_queue(gantry_topic topic, std::uint32_t queue_no);
  [[nodiscard]] bool first_message_is_warm(gantry_queue queue);
  void topics_changed();
  void tell(const std::vector<Sessions::Notice> &notices);
  void write_offsets();
  void housekeeping();
  void restore_meta(std::string_view key, std::string_view value);
  [[nodiscard]] Topic *restored_topic(std::string_view name);
  void restore_queue(gantry_queue queue, std::string_view topic, std::uint32_t queue_no);

  Core core_;
  Consumption consumption_{core_};
  Fetcher fetcher_;
  Producer producer_;
  RetentionHold hold_;
  Relay relay_;
  Redelivery redelivery_;
  KeyLookup key_lookup_;
  Admin admin_;
  std::string restore_problem_;  // first row that could not be understood, while open runs
  std::int64_t last_expire_ms_ = 0;
  std::atomic<std::int64_t> next_filter_warning_ms_{0};  // monotonic
  bool draining_ = false;
};

}  // namespace gantry::broker
