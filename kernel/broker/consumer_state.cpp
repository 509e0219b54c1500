// What consumers leave with the broker: offsets, positions in queues, locks, heartbeats.
#include "kernel/broker/broker.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

#include <unistd.h>

#include <set>

namespace gantry::broker {

namespace {

// RocketMQ counts a message as "in memory" while it lies within this share of the machine's memory from the log's end.
constexpr std::int64_t kWarmPercent = 40;

constexpr std::int64_t kFilterWarningMs = 1000;

std::int64_t memory_bytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
}

}  // namespace

std::int32_t Broker::offset_commit(gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::int64_t offset, std::uint64_t user_data, gantry_cq cq) {
  // A row that is waited for is written under the mutex, so that a deletion of topic or group comes after it.
  const std::lock_guard lock(core_.mutex);
  const Group *g = core_.groups.by_handle(group);
  const Topic *t = core_.topics.by_handle(topic);
  if (g == nullptr || t == nullptr) return GANTRY_E_NOT_FOUND;
  if (offset < 0 || queue_no >= t->queues.size()) return GANTRY_E_INVALID;
  core_.offsets.set(OffsetKey{group, topic, queue_no}, offset);
  if (cq == 0) return GANTRY_OK;
  const std::string key = encode_offset_key(g->name, t->name, queue_no);
  const std::string value = encode_offset_value(offset);
  const gantry_meta_op op{GANTRY_META_PUT, 0, str(key), str(value)};
  return fetcher_.write_meta(&op, 1, user_data, cq);
}

std::optional<gantry_queue> Broker::store_queue(gantry_topic topic, std::uint32_t queue_no) {
  const std::lock_guard lock(core_.mutex);
  Topic *t = core_.topics.by_handle(topic);
  if (t == nullptr || queue_no >= t->queues.size()) return std::nullopt;
  const gantry_queue queue = t->queues[queue_no].store_queue.load(std::memory_order_acquire);
  return queue == GANTRY_NO_QUEUE ? std::nullopt : std::optional(queue);
}

// RocketMQ starts a new group at 0 when the queue's first message is still "in memory": here, when it is among the newest 40 % of memory
// worth of log. With a log smaller than that nothing needs to be looked up.
bool Broker::first_message_is_warm(gantry_queue queue) {
  gantry_store_stats stats{};
  stats.size = sizeof stats;
  core_.store.table->stats(core_.store.self, &stats);
  const std::int64_t warm_bytes = memory_bytes() / 100 * kWarmPercent;
  if (stats.log_end_pos - stats.log_begin_pos <= warm_bytes) return true;
  gantry_read read{};
  read.queue = queue;
  read.max_records = 1;
  read.max_bytes = 1;
  read.flags = GANTRY_READ_ANY_TAG;
  const gantry_read_result *result = nullptr;
  // Cold data is not at hand, which answers the question.
  const std::int32_t accepted = core_.store.table->read(core_.store.self, core_.exec->this_shard(core_.host), &read, 1, &result, 0);
  if (accepted < 1 || result == nullptr) return false;
  const bool warm = result->n == 1 && stats.log_end_pos - result->records[0].phys_pos <= warm_bytes;
  result->owner->release(result->owner);
  return warm;
}

std::int32_t Broker::offset_query(gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::uint32_t flags, std::int64_t *out) {
  {
    const std::lock_guard lock(core_.mutex);
    if (const auto offset = core_.offsets.find(OffsetKey{group, topic, queue_no}); offset.has_value()) {
      *out = *offset;
      return GANTRY_OK;
    }
  }
  if ((flags & GANTRY_OFFSET_EXACT) != 0) return GANTRY_E_NOT_FOUND;
  const auto queue = store_queue(topic, queue_no);
  gantry_queue_stat stat{};
  if (queue.has_value()) (void)core_.store.table->queue_stat(core_.store.self, *queue, &stat);
  if (stat.min_off > 0 || (queue.has_value() && stat.max_off > 0 && !first_message_is_warm(*queue))) return GANTRY_E_NOT_FOUND;
  *out = 0;
  return GANTRY_OK;
}

std::int32_t Broker::queue_stat(gantry_topic topic, std::uint32_t queue_no, gantry_queue_stat *out) {
  *out = gantry_queue_stat{};
  const auto queue = store_queue(topic, queue_no);
  return queue.has_value() ? core_.store.table->queue_stat(core_.store.self, *queue, out) : GANTRY_E_NOT_FOUND;
}

std::int32_t Broker::seek_time(gantry_topic topic, std::uint32_t queue_no, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) {
  const auto queue = store_queue(topic, queue_no);
  return queue.has_value() ? fetcher_.seek_time(*queue, ms, user_data, cq) : GANTRY_E_NOT_FOUND;
}

void Broker::queue_lock(std::string_view group, std::string_view client_id, gantry_lock_item *items, std::uint32_t n) {
  const std::lock_guard lock(core_.mutex);
  const std::int64_t now_ms = core_.monotonic_ms();
  for (std::uint32_t i = 0; i < n; ++i) items[i].held = core_.locks.lock(group, view(items[i].topic), items[i].queue_no, client_id, now_ms) ? 1 : 0;
}

void Broker::queue_unlock(std::string_view group, std::string_view client_id, const gantry_lock_item *items, std::uint32_t n) {
  const std::lock_guard lock(core_.mutex);
  for (std::uint32_t i = 0; i < n; ++i) core_.locks.unlock(group, view(items[i].topic), items[i].queue_no, client_id);
}

std::int32_t Broker::heartbeat(const gantry_heartbeat &hb, gantry_error *err) {
  for (std::uint32_t i = 0; i < hb.n_consumers; ++i) {
    const gantry_consumer &consumer = hb.consumers[i];
    const std::string_view group = view(consumer.group);
    if (!valid_name(group, kMaxGroupBytes))
      return report(Error{GANTRY_E_INVALID, "consumer group '" + std::string(group.substr(0, 64)) + "' is not a valid name: 1 to 255 of %|a-zA-Z0-9_-", GANTRY_SUBJECT_GROUP}, err);
    if (group_find(group, true) == 0)
      return report(Error{GANTRY_E_NOT_FOUND, "consumer group '" + std::string(group) + "' does not exist and may not be made: allow [broker] auto_create_groups", GANTRY_SUBJECT_GROUP}, err);
    gantry_topic_info retry{};
    std::string retry_topic(kRetryPrefix);
    retry_topic += group;
    if (retry_topic.size() <= kMaxTopicNameBytes) (void)topic_ensure(retry_topic, {}, 1, 0, &retry, nullptr);
  }
  // What does not compile is remembered as such and refused when it is pulled, as RocketMQ does: the other subscriptions of the client go on.
  std::vector<CompiledFilter> filters;
  for (std::uint32_t i = 0; i < hb.n_consumers; ++i)
    for (std::uint32_t s = 0; s < hb.consumers[i].n_subscriptions; ++s) filters.push_back(compile_subscription(hb.consumers[i].group, hb.consumers[i].subscriptions[s]));
  std::vector<Sessions::Notice> notices;
  {
    const std::lock_guard lock(core_.mutex);
    core_.sessions.heartbeat(hb, filters, core_.exec->this_shard(core_.host), core_.now_ms(), notices);
  }
  tell(notices);
  return GANTRY_OK;
}

CompiledFilter Broker::compile_subscription(gantry_str group, const gantry_subscription &subscription) {
  if (is_tag_type(view(subscription.expr_type))) return {};
  gantry_error why{};
  CompiledFilter made = core_.filters.compile(view(subscription.expr_type), view(subscription.expr), &why);
  // Clients repeat themselves: one of their warnings in a second is enough.
  const std::int64_t now_ms = core_.monotonic_ms();
  if (made.program != nullptr || now_ms < next_filter_warning_ms_.load(std::memory_order_relaxed)) return made;
  next_filter_warning_ms_.store(now_ms + kFilterWarningMs, std::memory_order_relaxed);
  const std::string topic(valid_name(view(subscription.topic), kMaxTopicNameBytes) ? view(subscription.topic) : "?");
  core_.say(GANTRY_LOG_WARN, "the subscription of group '" + std::string(view(group)) + "' to topic '" + topic + "' gets nothing: " + why.text);
  return made;
}

std::int32_t Broker::check_filter(std::string_view type, std::string_view expression, gantry_error *err) {
  return is_tag_type(type) ? GANTRY_OK : core_.filters.compile(type, expression, err).status;
}

void Broker::unregister(gantry_conn conn, std::string_view producer_group, std::string_view consumer_group) {
  std::vector<Sessions::Notice> notices;
  {
    const std::lock_guard lock(core_.mutex);
    core_.sessions.unregister(conn, producer_group, consumer_group, notices);
  }
  tell(notices);
}

void Broker::conn_closed(gantry_conn conn) {
  std::vector<Sessions::Notice> notices;
  {
    const std::lock_guard lock(core_.mutex);
    core_.sessions.conn_closed(conn, notices);
  }
  tell(notices);
}

std::int32_t Broker::consumers(std::string_view name, gantry_client_fn fn, void *arg) {
  std::set<std::string> ids;
  {
    const std::lock_guard lock(core_.mutex);
    const ConsumerGroup *group = core_.sessions.group(name);
    if (group == nullptr) return GANTRY_E_NOT_FOUND;
    for (const auto &[conn, member] : group->members) ids.insert(member.client_id);
  }
  for (const std::string &id : ids) fn(arg, str(id));
  return GANTRY_OK;
}

}  // namespace gantry::broker
