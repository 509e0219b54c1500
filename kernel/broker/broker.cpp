#include "kernel/broker/broker.hpp"

#include "kernel/broker/meta_rows.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::broker {

namespace {

constexpr std::int64_t kHousekeepingMs = 1000;    // lazily remembered offsets are at most this old on disk
constexpr std::int64_t kExpirePeriodMs = 10'000;  // RocketMQ's scan period for silent clients

}  // namespace

Broker::Broker(BrokerOptions options, const gantry_host *host, StorePort store, EventSink &events)
    : core_(std::move(options), host, store, events), fetcher_(core_), producer_(core_, *this, fetcher_), hold_(store.table, store.self), relay_(core_, fetcher_), redelivery_(core_, *this, relay_), key_lookup_(core_), admin_(core_, fetcher_) {}

Result<void> Broker::open(const std::string &data_dir) {
  const gantry_store_open args{sizeof args, 0, str(data_dir), core_.options.default_durability, 0, consumption_.table()};
  gantry_recovery_sink sink{};
  sink.self = this;
  sink.on_meta = [](void *self, gantry_str key, gantry_str value) noexcept { static_cast<Broker *>(self)->restore_meta(view(key), view(value)); };
  sink.on_queue = [](void *self, gantry_queue queue, gantry_str topic, std::uint32_t queue_no, const gantry_queue_stat *) noexcept {
    static_cast<Broker *>(self)->restore_queue(queue, view(topic), queue_no);
  };
  gantry_error err{};
  const std::int32_t status = core_.store.table->open(core_.store.self, &args, &sink, &err);
  if (status != GANTRY_OK) return Error{status, std::string("open store in ") + data_dir + ": " + err.text, err.detail};
  if (!restore_problem_.empty()) return Error{GANTRY_E_CORRUPT, "store in " + data_dir + ": " + restore_problem_};
  add_builtin_topics();
  add_builtin_groups();
  admin_.restore();
  drop_orphans();
  core_.version = gantry_topics_version{core_.now_ms(), 0};
  return {};
}

void Broker::restore_meta(std::string_view key, std::string_view value) {
  const auto strip = [&key](std::string_view prefix) {
    if (key.substr(0, prefix.size()) != prefix) return false;
    key.remove_prefix(prefix.size());
    return true;
  };
  bool changed = false;
  if (key.starts_with(kPopRows) || key.starts_with(kRequestModeRows) || key.starts_with(kHeldRows)) {
    core_.restored_rows.emplace(key, value);
  } else if (strip(kTopicRows)) {
    auto settings = decode_settings(value);
    if (settings)
      (void)core_.topics.put(key, *settings, &changed);
    else if (restore_problem_.empty())
      restore_problem_ = "topic '" + std::string(key) + "': " + settings.error().text;
  } else if (strip(kDeletedRows)) {
    admin_.add_half_deleted(std::string(key));
  } else if (strip(kGroupRows)) {
    auto settings = decode_group(value);
    if (settings)
      static_cast<GroupSettings &>(core_.groups.put(key, &changed)) = *settings;
    else if (restore_problem_.empty())
      restore_problem_ = "group '" + std::string(key) + "': " + settings.error().text;
  } else if (strip(kOffsetRows)) {
    const auto row = decode_offset(key, value);
    if (!row) {
      if (restore_problem_.empty()) restore_problem_ = row.error().text;
      return;
    }
    // Rows come in key order, so the topic's own row may still be to come: it gets its settings then.
    const Topic *topic = restored_topic(row->topic);
    core_.offsets.restore(OffsetKey{core_.groups.meet(row->group).handle, topic->handle, row->queue_no}, row->offset);
  }
}

// A group that was deleted may have left offsets, for when it comes back: it is known then, but is not there.
// A topic without a row is built in and gets its settings below, or lost its row with a torn tail and keeps the defaults.
Topic *Broker::restored_topic(std::string_view name) {
  if (Topic *topic = core_.topics.find(name); topic != nullptr) return topic;
  bool changed = false;
  Topic &topic = core_.topics.put(name, TopicSettings{}, &changed);
  topic.placeholder = true;
  return &topic;
}

void Broker::restore_queue(gantry_queue queue, std::string_view name, std::uint32_t queue_no) {
  Topic *topic = restored_topic(name);
  while (topic->queues.size() <= queue_no) topic->queues.emplace_back();
  topic->queues[queue_no].store_queue.store(queue, std::memory_order_release);
}

// Offsets of a topic without settings and without queues: it was deleted while they were being written.
void Broker::drop_orphans() {
  for (const auto &topic : core_.topics.all()) {
    const bool used = std::any_of(topic->queues.begin(), topic->queues.end(), [](const Queue &queue) { return queue.store_queue.load(std::memory_order_relaxed) != GANTRY_NO_QUEUE; });
    if (!topic->placeholder || used) continue;
    for (const OffsetKey &key : core_.offsets.erase(0, topic->handle)) admin_.add_orphan(core_.groups.at(key.group)->name, topic->name, key.queue_no);
    core_.topics.bury(*topic);
  }
}

// RocketMQ's built-in topics, so that tools and clients find what they expect. They are made anew at each start and have no rows.
void Broker::add_builtin_topics() {
  constexpr std::uint32_t kReadWrite = GANTRY_PERM_READ | GANTRY_PERM_WRITE;
  const auto add = [this](std::string_view name, std::uint32_t queues, std::uint32_t perm, std::uint32_t flags = 0) {
    bool changed = false;
    Topic *known = core_.topics.find(name);
    if (known == nullptr || known->placeholder) known = &core_.topics.put(name, TopicSettings{perm, queues, queues, 0, flags}, &changed);
    known->built_in = true;
  };
  const std::uint32_t inherit = core_.options.auto_create_topics ? GANTRY_PERM_INHERIT : 0;
  add(kDefaultTopic, core_.options.default_topic_queues, kReadWrite | inherit);
  add("SELF_TEST_TOPIC", 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add("BenchmarkTest", 1024, kReadWrite);
  add("OFFSET_MOVED_EVENT", 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  const std::uint32_t levels = core_.options.delay_levels.count();
  add(kScheduleTopic, levels, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add(kScheduleOpTopic, levels, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add(kPopReviveOpTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  core_.schedule_topic = core_.topics.find(kScheduleTopic);
  core_.schedule_op_topic = core_.topics.find(kScheduleOpTopic);
  add(kTimerTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add(kTimerOpTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  core_.timer_topic = core_.topics.find(kTimerTopic);
  core_.timer_op_topic = core_.topics.find(kTimerOpTopic);
  add("RMQ_SYS_TRACE_TOPIC", 1, kReadWrite);
  add(kHalfTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add(kHalfOpTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  add(kDiscardedTopic, 1, kReadWrite, GANTRY_TOPIC_SYSTEM);
  core_.half_topic = core_.topics.find(kHalfTopic);
  core_.half_op_topic = core_.topics.find(kHalfOpTopic);
  core_.discarded_topic = core_.topics.find(kDiscardedTopic);
  if (valid_name(core_.options.cluster, kMaxTopicNameBytes)) add(core_.options.cluster, 16, kReadWrite | GANTRY_PERM_INHERIT);
  // Where answers of request-reply exchanges are addressed to; clients ask for its route.
  if (const std::string reply = core_.options.cluster + "_REPLY_TOPIC"; valid_name(reply, kMaxTopicNameBytes)) add(reply, 1, kReadWrite);
  if (valid_name(core_.options.name, kMaxTopicNameBytes)) add(core_.options.name, 1, kReadWrite | GANTRY_PERM_INHERIT);
}

// Of RocketMQ's tools, which pull without having registered.
void Broker::add_builtin_groups() {
  bool made = false;
  for (const char *name : {"TOOLS_CONSUMER", "SELF_TEST_C_GROUP"}) (void)core_.groups.put(name, &made);
}

void Broker::start(std::uint32_t shard_count) {
  fetcher_.start(shard_count);
  producer_.start(shard_count);
  relay_.start(shard_count);
  redelivery_.start(shard_count);
  key_lookup_.start(shard_count);
  admin_.start(shard_count);
  const auto tick = [](void *self) noexcept { static_cast<Broker *>(self)->housekeeping(); };
  (void)core_.exec->timer_arm(core_.host, 0, kHousekeepingMs, tick, this);
}

void Broker::housekeeping() {
  if (draining_) return;
  write_offsets();
  admin_.sample();
  const std::int64_t now_ms = core_.now_ms();
  if (now_ms - last_expire_ms_ >= kExpirePeriodMs) {
    last_expire_ms_ = now_ms;
    std::vector<Sessions::Notice> notices;
    {
      const std::lock_guard lock(core_.mutex);
      core_.sessions.expire(now_ms, notices);
      core_.locks.expire(core_.monotonic_ms());
    }
    tell(notices);
  }
  const auto tick = [](void *self) noexcept { static_cast<Broker *>(self)->housekeeping(); };
  (void)core_.exec->timer_arm(core_.host, 0, kHousekeepingMs, tick, this);
}

// Each call writes under the mutex, so that what is deleted meanwhile stays deleted.
void Broker::write_offsets() {
  constexpr std::size_t kRowsPerCall = 256;
  struct Row {
    std::string key, value;
  };
  std::vector<OffsetKey> keys;
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.offsets.has_dirty()) return;
    keys = core_.offsets.take_dirty();
  }
  std::vector<Row> rows;
  std::vector<gantry_meta_op> ops;
  for (std::size_t at = 0; at < keys.size(); at += kRowsPerCall) {
    rows.clear();
    ops.clear();
    const std::size_t end = std::min(at + kRowsPerCall, keys.size());
    const std::lock_guard lock(core_.mutex);
    for (std::size_t i = at; i < end; ++i)
      if (const auto offset = core_.offsets.find(keys[i]); offset.has_value())
        rows.push_back({encode_offset_key(core_.groups.at(keys[i].group)->name, core_.topics.at(keys[i].topic)->name, keys[i].queue_no), encode_offset_value(*offset)});
    if (rows.empty()) continue;
    for (const Row &row : rows) ops.push_back({GANTRY_META_PUT, 0, str(row.key), str(row.value)});
    const std::int32_t status = core_.store.table->meta_write(core_.store.self, ops.data(), static_cast<std::uint32_t>(ops.size()), GANTRY_DURABILITY_WRITTEN, 0, 0);
    if (status == GANTRY_OK) continue;
    if (status != GANTRY_E_AGAIN) core_.say(GANTRY_LOG_WARN, "consumer offsets were not written (store says " + std::to_string(status) + "); they are kept in memory and tried again");
    for (std::size_t i = at; i < keys.size(); ++i) core_.offsets.mark_dirty(keys[i]);
    return;
  }
}

void Broker::drain() {
  draining_ = true;
  fetcher_.release_all();
  write_offsets();
}

void Broker::stop() {
  admin_.stop();
  redelivery_.stop();
  relay_.stop();
  key_lookup_.stop();
  producer_.stop();
  fetcher_.stop();
  core_.filters.close();
}

void Broker::tell(const std::vector<Sessions::Notice> &notices) {
  for (const Sessions::Notice &notice : notices) {
    {
      const std::lock_guard lock(core_.mutex);
      const Group *const group = core_.groups.find(notice.group);
      if (group != nullptr && !group->notify_members) continue;
    }
    gantry_event event{};
    event.kind = GANTRY_EVENT_CONSUMERS_CHANGED;
    event.conn = notice.conn;
    event.subject = group_find(notice.group, false);
    core_.events.to_conn(notice.conn, event);
  }
}

}  // namespace gantry::broker
