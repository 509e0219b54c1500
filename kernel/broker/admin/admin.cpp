#include "kernel/broker/admin/admin.hpp"

#include "kernel/broker/fetch/fetcher.hpp"
#include "kernel/broker/meta_rows.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <utility>

namespace gantry::broker {

namespace {

constexpr std::uint32_t kMaxRetryQueues = 65536;
constexpr std::uint32_t kMaxReadBytes = 16u << 20;
constexpr std::uint32_t kMaxReadRecords = 1024;
constexpr std::size_t kRowsPerCall = 256;
constexpr std::int64_t kStoreBusyMs = 5, kStoreFailedMs = 1000;

std::int32_t fail(gantry_error *err, std::int32_t code, std::uint32_t subject, std::string text) {
  return report(Error{code, std::move(text), static_cast<std::int32_t>(subject)}, err);
}

std::string levels_text(const config::DelayLevels &levels) {
  std::string out;
  for (std::uint32_t level = 1; level <= levels.count(); ++level) {
    const std::int64_t s = levels.delay_ms(level) / 1000;
    out += level == 1 ? "" : " ";
    if (s % 86400 == 0)
      out += std::to_string(s / 86400) + "d";
    else if (s % 3600 == 0)
      out += std::to_string(s / 3600) + "h";
    else
      out += s % 60 == 0 ? std::to_string(s / 60) + "m" : std::to_string(s) + "s";
  }
  return out;
}

}  // namespace

Admin::Admin(Core &core, Fetcher &fetcher) : core_(core), fetcher_(fetcher), delay_levels_(levels_text(core.options.delay_levels)) {}

void Admin::start(std::uint32_t shard_count) {
  boot_ms_ = core_.now_ms();
  groups_version_ = gantry_topics_version{boot_ms_, 0};
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].store_cq = core_.cq->create(core_.host, i, &Admin::on_written, &shards_[i]);
  }
  finish_deletions();
}

void Admin::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
  shards_.clear();
}

void Admin::sample() {
  if (!orphans_.empty()) run(take({this, 0, {}, {}, std::exchange(orphans_, {}), 0, 0}));
  const std::int64_t now_ms = core_.monotonic_ms();
  if (sampled_ms_ != 0 && now_ms - sampled_ms_ < Samples::kEveryMs) return;
  sampled_ms_ = now_ms;
  const std::lock_guard lock(core_.mutex);
  core_.stats.take(now_ms, core_.now_ms());
  for (const auto &topic : core_.topics.all())
    if (!topic->deleted && (topic->sampled || topic->puts.messages.load(std::memory_order_relaxed) != 0)) {
      topic->sampled = true;
      topic->samples.take(now_ms, topic->puts);
    }
}

std::int32_t Admin::settle(std::uint64_t user_data, gantry_cq cq) {
  const std::uint32_t shard = core_.exec->this_shard(core_.host);
  if (shard >= shards_.size()) return GANTRY_E_CLOSED;
  run(take({this, shard, {}, {}, {}, user_data, cq}));
  return GANTRY_OK;
}

Admin::Job *Admin::take(Job job) {
  const std::lock_guard lock(core_.mutex);
  return jobs_.emplace_back(std::make_unique<Job>(std::move(job))).get();
}

void Admin::give_back(const Job *job) {
  const std::lock_guard lock(core_.mutex);
  std::erase_if(jobs_, [job](const auto &each) { return each.get() == job; });
}

// ---- deleting ----

// The row goes in the same call as a note of it, then the queues, then the note. A crash in between leaves the note, and the next start does the rest.
std::int32_t Admin::bury(Topic &topic, Job &job) {
  const std::vector<OffsetKey> offsets = core_.offsets.keys_of(topic.handle);
  std::vector<Row> rows;
  for (const OffsetKey &key : offsets) rows.push_back({encode_offset_key(core_.groups.at(key.group)->name, topic.name, key.queue_no), GANTRY_META_DELETE});
  rows.push_back({std::string(kDeletedRows) + topic.name, GANTRY_META_PUT});
  rows.push_back({std::string(kTopicRows) + topic.name, GANTRY_META_DELETE});
  if (const std::int32_t status = write_rows(rows, 0, 0); status != GANTRY_OK) {
    for (const OffsetKey &key : offsets) core_.offsets.mark_dirty(key);  // some may be gone from the log
    return status;
  }
  for (Queue &queue : topic.queues) {
    const gantry_queue handle = queue.store_queue.exchange(GANTRY_NO_QUEUE, std::memory_order_acq_rel);
    if (handle != GANTRY_NO_QUEUE) (void)core_.store.table->queue_drop(core_.store.self, handle);
  }
  core_.topics.bury(topic);
  core_.burying.insert(topic.name);
  job.topics.push_back(topic.name);
  (void)core_.offsets.erase(0, topic.handle);
  core_.stats.forget(0, topic.handle);
  core_.version.timestamp_ms = core_.now_ms();
  ++core_.version.counter;
  return GANTRY_OK;
}

// In calls of kRowsPerCall; only the last one completes, and that speaks for the ones before it. A pair that belongs together stands at the end.
std::int32_t Admin::write_rows(const std::vector<Row> &rows, std::uint64_t user_data, gantry_cq cq) {
  std::vector<gantry_meta_op> ops;
  for (std::size_t at = 0; at < rows.size(); at += ops.size()) {
    ops.clear();
    std::size_t n = std::min(kRowsPerCall, rows.size() - at);
    if (rows.size() - at - n == 1) --n;  // the last two are not torn apart
    for (std::size_t i = at; i < at + n; ++i) ops.push_back({rows[i].op, 0, str(rows[i].key), {}});
    const bool last = at + n == rows.size();
    const std::int32_t status = core_.store.table->meta_write(core_.store.self, ops.data(), static_cast<std::uint32_t>(n), GANTRY_DURABILITY_DEFAULT, last ? user_data : 0, last ? cq : 0);
    if (status != GANTRY_OK) return status;
  }
  return GANTRY_OK;
}

// What a crash left of a deletion.
void Admin::finish_deletions() {
  for (const std::string &name : half_deleted_) {
    for (const gantry_queue queue : left_over_[name]) (void)core_.store.table->queue_drop(core_.store.self, queue);
    (void)write_rows({{std::string(kDeletedRows) + name, GANTRY_META_DELETE}}, 0, 0);
  }
  left_over_.clear();
  half_deleted_.clear();
}

void Admin::restore() {
  const std::lock_guard lock(core_.mutex);
  for (const std::string &name : half_deleted_) {
    Topic *const topic = core_.topics.find(name);
    if (topic == nullptr || topic->built_in) continue;
    for (Queue &queue : topic->queues)
      if (const gantry_queue handle = queue.store_queue.exchange(GANTRY_NO_QUEUE, std::memory_order_acq_rel); handle != GANTRY_NO_QUEUE) left_over_[name].push_back(handle);
    (void)core_.offsets.erase(0, topic->handle);
    core_.topics.bury(*topic);
  }
}

void Admin::drop_offsets(gantry_group group, gantry_topic topic, Job &job) {
  for (const OffsetKey &key : core_.offsets.erase(group, topic))
    job.offsets.push_back({core_.groups.at(key.group)->name, core_.topics.at(key.topic)->name, key.queue_no});
}

// Where pops of the group store again what they did not acknowledge of the topic; of all topics for an empty name.
std::vector<Topic *> Admin::pop_retry_topics(gantry_group group, std::string_view topic) {
  const std::string prefix = std::string(kRetryPrefix) + core_.groups.at(group)->name + "_";
  std::vector<Topic *> out;
  if (!topic.empty()) {
    if (Topic *const found = core_.topics.find(prefix + std::string(topic)); found != nullptr) out.push_back(found);
    return out;
  }
  for (const auto &each : core_.topics.all()) {
    if (each->deleted || !each->name.starts_with(prefix)) continue;
    const Topic *const base = core_.topics.find(std::string_view(each->name).substr(prefix.size()));
    if (base != nullptr && core_.offsets.groups_of(base->handle).contains(group)) out.push_back(each.get());
  }
  return out;
}

std::int32_t Admin::topic_delete(std::string_view name, std::uint64_t user_data, gantry_cq cq, gantry_error *err) {
  const std::uint32_t shard = core_.exec->this_shard(core_.host);
  if (shard >= shards_.size()) return fail(err, GANTRY_E_CLOSED, GANTRY_SUBJECT_BROKER, "the broker is shutting down");
  Job job{this, shard, {}, {}, {}, user_data, cq};
  std::vector<Topic *> gone;
  {
    const std::lock_guard lock(core_.mutex);
    Topic *const topic = core_.topics.find(name);
    if (topic != nullptr && topic->built_in) return fail(err, GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, "the topic[" + std::string(name) + "] is conflict with system topic.");
    if (topic != nullptr) {
      for (const gantry_group group : core_.offsets.groups_of(topic->handle))
        for (Topic *const retry : pop_retry_topics(group, name)) gone.push_back(retry);
      gone.push_back(topic);
    }
    for (Topic *const each : gone)
      if (const std::int32_t status = bury(*each, job); status != GANTRY_OK) return fail(err, status, GANTRY_SUBJECT_STORE, "topic[" + std::string(name) + "] was not deleted: the store does not take it (code " + std::to_string(status) + ")");
  }
  forget_topics(gone);
  run(take(std::move(job)));
  return GANTRY_OK;
}

// Without the mutex: who waits for a topic that is gone is told, and what pops remember of it goes too.
void Admin::forget_topics(const std::vector<Topic *> &topics) {
  for (Topic *const topic : topics) {
    fetcher_.forget(*topic);
    if (core_.forgetter != nullptr) core_.forgetter->topic_deleted(*topic);
  }
  if (topics.empty()) return;
  gantry_event event{};
  event.kind = GANTRY_EVENT_TOPICS_CHANGED;
  core_.events.to_all(event);
}

std::int32_t Admin::group_delete(std::string_view name, bool drop, std::uint64_t user_data, gantry_cq cq, gantry_error *err) {
  const std::uint32_t shard = core_.exec->this_shard(core_.host);
  if (shard >= shards_.size()) return fail(err, GANTRY_E_CLOSED, GANTRY_SUBJECT_BROKER, "the broker is shutting down");
  Job job{this, shard, {}, {}, {}, user_data, cq};
  std::vector<Topic *> gone;
  gantry_group handle = 0;
  {
    const std::lock_guard lock(core_.mutex);
    Group *const group = core_.groups.find(name);
    if (group != nullptr) {
      handle = group->handle;
      if (drop) gone = pop_retry_topics(handle, {});
      for (Topic *const each : gone)
        if (const std::int32_t status = bury(*each, job); status != GANTRY_OK) return fail(err, status, GANTRY_SUBJECT_STORE, "group[" + std::string(name) + "] was not deleted: the store does not take it (code " + std::to_string(status) + ")");
      if (drop) drop_offsets(handle, 0, job);
      core_.groups.remove(*group);
      core_.stats.forget(handle, 0);
      job.groups.push_back(group->name);
      groups_version_ = {core_.now_ms(), groups_version_.counter + 1};
    }
  }
  forget_topics(gone);
  if (handle != 0 && core_.forgetter != nullptr) core_.forgetter->group_deleted(handle);
  run(take(std::move(job)));
  return GANTRY_OK;
}

// All rows of a job. Under the mutex, so that nothing is made again in between.
std::int32_t Admin::write(Job &job) {
  std::vector<Row> rows;
  for (const Offset &o : job.offsets) {
    const Group *const group = core_.groups.find(o.group);
    const Topic *const topic = core_.topics.find(o.topic);
    if (group == nullptr || topic == nullptr || !core_.offsets.find(OffsetKey{group->handle, topic->handle, o.queue_no}).has_value())
      rows.push_back({encode_offset_key(o.group, o.topic, o.queue_no), GANTRY_META_DELETE});
  }
  for (const std::string &name : job.groups)
    if (core_.groups.find(name) == nullptr) rows.push_back({std::string(kGroupRows) + name, GANTRY_META_DELETE});
  for (const std::string &name : job.topics) rows.push_back({std::string(kDeletedRows) + name, GANTRY_META_DELETE});
  // With nothing to write it still waits for what went before it.
  if (rows.empty()) rows.push_back({std::string(kDeletedRows), GANTRY_META_DELETE});
  const std::int32_t status = write_rows(rows, reinterpret_cast<std::uint64_t>(&job), shards_[job.shard].store_cq);
  if (status == GANTRY_OK)
    for (const std::string &name : job.topics) core_.burying.erase(name);
  return status;
}

void Admin::run(Job *job) {
  std::int32_t status = GANTRY_OK;
  {
    const std::lock_guard lock(core_.mutex);
    status = write(*job);
  }
  if (status == GANTRY_OK) return;
  const auto again = [](void *arg) noexcept {
    auto *const waiting = static_cast<Job *>(arg);
    waiting->owner->run(waiting);
  };
  const bool busy = status == GANTRY_E_AGAIN;
  if (!busy && job->cq != 0) core_.complete(std::exchange(job->cq, 0), job->user_data, status, GANTRY_SUBJECT_STORE);
  // The name of a topic is not free before the note of its deletion is gone, however long that takes.
  if ((busy || !job->topics.empty()) && core_.exec->timer_arm(core_.host, job->shard, busy ? kStoreBusyMs : kStoreFailedMs, again, job) != 0) return;
  if (job->cq != 0) core_.complete(job->cq, job->user_data, status, GANTRY_SUBJECT_STORE);
  give_back(job);
}

void Admin::on_written(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  Admin &admin = *static_cast<Shard *>(self)->owner;
  for (std::uint32_t i = 0; i < n; ++i) {
    auto *const job = reinterpret_cast<Job *>(cqes[i].user_data);
    if (job->cq != 0) admin.core_.complete(job->cq, job->user_data, cqes[i].status, cqes[i].status == GANTRY_OK ? GANTRY_SUBJECT_NONE : GANTRY_SUBJECT_STORE);
    admin.give_back(job);
  }
}

// ---- groups ----

std::int32_t Admin::group_settings(std::string_view name, gantry_group_settings *out) {
  const std::lock_guard lock(core_.mutex);
  const Group *const group = core_.groups.find(name);
  if (group == nullptr) return GANTRY_E_NOT_FOUND;
  *out = group->info();
  return GANTRY_OK;
}

std::int32_t Admin::group_upsert(const gantry_group_settings &settings, std::uint64_t user_data, gantry_cq cq, gantry_error *err) {
  const std::uint32_t shard = core_.exec->this_shard(core_.host);
  if (shard >= shards_.size()) return fail(err, GANTRY_E_CLOSED, GANTRY_SUBJECT_BROKER, "the broker is shutting down");
  const std::string_view name = view(settings.name);
  if (!valid_name(name, kMaxGroupBytes)) return fail(err, GANTRY_E_INVALID, GANTRY_SUBJECT_GROUP, "group name '" + std::string(name.substr(0, 64)) + "' is not valid: 1 to 255 of %|a-zA-Z0-9_-");
  if (settings.retry_queues > kMaxRetryQueues) return fail(err, GANTRY_E_LIMIT, GANTRY_SUBJECT_QUEUE, "group[" + std::string(name) + "] may have at most " + std::to_string(kMaxRetryQueues) + " retry queues");
  const GroupSettings wanted = settings_of(settings);
  const std::string key = std::string(kGroupRows).append(name), value = encode_group(wanted);
  const gantry_meta_op op{GANTRY_META_PUT, 0, str(key), str(value)};
  const std::lock_guard lock(core_.mutex);
  jobs_.push_back(std::make_unique<Job>(Job{this, shard, {}, {}, {}, user_data, cq}));
  const std::int32_t status = core_.store.table->meta_write(core_.store.self, &op, 1, GANTRY_DURABILITY_DEFAULT, reinterpret_cast<std::uint64_t>(jobs_.back().get()), shards_[shard].store_cq);
  if (status != GANTRY_OK) {
    jobs_.pop_back();
    return fail(err, status, GANTRY_SUBJECT_STORE, "group[" + std::string(name) + "] was not changed: the store does not take its settings (code " + std::to_string(status) + ")");
  }
  bool made = false;
  static_cast<GroupSettings &>(core_.groups.put(name, &made)) = wanted;
  groups_version_ = {core_.now_ms(), groups_version_.counter + 1};
  return GANTRY_OK;
}

void Admin::group_list(gantry_group_fn fn, void *arg) {
  std::vector<gantry_group_settings> all;
  {
    const std::lock_guard lock(core_.mutex);
    for (const auto &group : core_.groups.all())
      if (group->exists) all.push_back(group->info());
  }
  for (const gantry_group_settings &settings : all) fn(arg, &settings);
}

gantry_topics_version Admin::groups_version() {
  const std::lock_guard lock(core_.mutex);
  return groups_version_;
}

// ---- what tools read ----

std::int32_t Admin::queue_read(const gantry_queue_read &req, gantry_cq cq) {
  if (req.max_records < 1 || req.max_records > kMaxReadRecords || req.max_bytes > kMaxReadBytes || (req.flags & ~GANTRY_READ_INDEX_ONLY) != 0) return GANTRY_E_INVALID;
  gantry_read read{};
  {
    const std::lock_guard lock(core_.mutex);
    Topic *const topic = core_.topics.by_handle(req.topic);
    if (topic == nullptr || req.queue_no >= topic->queues.size()) return GANTRY_E_NOT_FOUND;
    read.queue = topic->queues[req.queue_no].store_queue.load(std::memory_order_acquire);
  }
  if (read.queue == GANTRY_NO_QUEUE) return GANTRY_E_NOT_FOUND;
  read.offset = req.offset;
  read.max_records = req.max_records;
  read.max_bytes = std::max(req.max_bytes, 1u);
  read.flags = GANTRY_READ_ANY_TAG | req.flags;
  return fetcher_.read_queue(read, req.user_data, cq);
}

std::int32_t Admin::stat(std::uint32_t kind, std::string_view topic_name, std::string_view group_name, gantry_stat *out) {
  *out = gantry_stat{};
  out->size = sizeof *out;
  const auto tell = [out](const Traffic &traffic, const Samples &samples) {
    out->messages = static_cast<std::int64_t>(traffic.messages.load(std::memory_order_relaxed));
    out->bytes = static_cast<std::int64_t>(traffic.bytes.load(std::memory_order_relaxed));
    samples.fill(out);
    return out->messages != 0 ? GANTRY_OK : GANTRY_E_NOT_FOUND;
  };
  const std::lock_guard lock(core_.mutex);
  if (kind == GANTRY_STAT_BROKER_PUT) return tell(core_.stats.put.traffic, core_.stats.put.samples);
  if (kind == GANTRY_STAT_BROKER_GET) return tell(core_.stats.get.traffic, core_.stats.get.samples);
  const Topic *const topic = core_.topics.find(topic_name);
  if (topic == nullptr) return GANTRY_E_NOT_FOUND;
  if (kind == GANTRY_STAT_TOPIC_PUT) return tell(topic->puts, topic->samples);
  const Group *const group = core_.groups.find(group_name);
  const Stats::Item *const item = group != nullptr ? core_.stats.find_gets(group->handle, topic->handle) : nullptr;
  return item != nullptr ? tell(item->traffic, item->samples) : GANTRY_E_NOT_FOUND;
}

void Admin::runtime(gantry_broker_runtime *out) {
  *out = gantry_broker_runtime{};
  out->size = sizeof *out;
  out->boot_ms = boot_ms_;
  gantry_store_stats store{};
  store.size = sizeof store;
  core_.store.table->stats(core_.store.self, &store);
  out->log_begin_pos = store.log_begin_pos;
  out->log_end_pos = store.log_end_pos;
  out->durable_pos = store.durable_pos;
  out->bytes_on_disk = store.bytes_on_disk;
  out->free_bytes = store.free_bytes;
  out->disk_bytes = store.disk_bytes;
  out->write_bytes_per_s = store.write_bytes_per_s;
  out->full_in_ms = store.full_in_ms;
  out->space = store.space;
  out->dropped_unconsumed = store.dropped_unconsumed_total;
  out->bad_records = store.bad_records_total;
  out->scrub_done_bytes = store.scrub_done_bytes;
  out->scrub_total_bytes = store.scrub_total_bytes;
  out->scrub_last_ms = store.scrub_last_ms;
  out->scrub_bad_records = store.scrub_bad_records_total;
  const std::lock_guard lock(core_.mutex);
  core_.stats.fill(out);
}

void Admin::settings(gantry_broker_settings *out) const {
  const BrokerOptions &o = core_.options;
  *out = gantry_broker_settings{sizeof *out, o.auto_create_topics ? 1u : 0u, o.auto_create_groups ? 1u : 0u, o.default_topic_queues, str(delay_levels_), o.max_timer_delay_ms, o.transaction_timeout_ms, o.transaction_check_interval_ms, o.transaction_check_max, 0, o.retention_ms};
}

}  // namespace gantry::broker
