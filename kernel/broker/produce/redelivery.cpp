#include "kernel/broker/produce/redelivery.hpp"

#include "kernel/broker/broker.hpp"
#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {

constexpr std::int64_t kFirstRetryLevel = 3;  // of a message that comes back for the first time, when the consumer names none
constexpr std::int64_t kStoreBusyMs = 5;

// RocketMQ's message id: address of the storing broker and log position, in upper-case hexadecimal.
std::string message_id(const StoredMessage &m) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::uint8_t raw[16 + 4 + 8];
  std::memcpy(raw, m.store.ip, m.store.ip_bytes);
  store_be32(raw + m.store.ip_bytes, m.store.port);
  store_be64(raw + m.store.ip_bytes + 4, static_cast<std::uint64_t>(m.phys_pos));
  std::string id;
  for (std::uint32_t i = 0; i < m.store.ip_bytes + 12; ++i) {
    id += kDigits[raw[i] >> 4];
    id += kDigits[raw[i] & 15];
  }
  return id;
}

}  // namespace

void Redelivery::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].index = i;
    shards_[i].store_cq = core_.cq->create(core_.host, i, &Redelivery::on_store, &shards_[i]);
  }
}

void Redelivery::stop() {
  for (Shard &shard : shards_) {
    core_.cq->close(core_.host, shard.store_cq);
    for (Job &job : shard.jobs) let_go(job);
  }
  shards_.clear();
}

Redelivery::Job &Redelivery::take(Shard &shard) {
  if (shard.free == nullptr) {
    shard.jobs.emplace_back().shard = &shard;
    return shard.jobs.back();
  }
  Job &job = *shard.free;
  shard.free = job.next_free;
  return job;
}

std::int32_t Redelivery::send_back(const gantry_send_back &req, gantry_cq cq) {
  const std::uint32_t index = core_.exec->this_shard(core_.host);
  if (index >= shards_.size()) return GANTRY_E_INVALID;
  const std::string_view group = broker_.group_name(req.group);
  if (group.empty()) return GANTRY_E_NOT_FOUND;
  Job &job = take(shards_[index]);
  job.user_data = req.user_data;
  job.cq = cq;
  job.group = group;
  job.phys_pos = req.phys_pos;
  job.delay_level = req.delay_level;
  job.max_reconsume_times = req.max_reconsume_times;
  begin(job);
  return GANTRY_OK;
}

void Redelivery::begin(Job &job) {
  const std::int32_t status = core_.store.table->read_at(core_.store.self, job.shard->index, job.phys_pos, reinterpret_cast<std::uint64_t>(&job), &job.record, job.shard->store_cq);
  if (status < 0)
    finish(job, status, GANTRY_SUBJECT_BODY);
  else if (job.record != nullptr)
    run(job);
}

void Redelivery::on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &shard = *static_cast<Shard *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    auto &job = *reinterpret_cast<Job *>(cqes[i].user_data);
    if (cqes[i].status != GANTRY_OK) {
      shard.owner->finish(job, cqes[i].status, GANTRY_SUBJECT_BODY);
      continue;
    }
    job.record = reinterpret_cast<const gantry_read_result *>(cqes[i].aux);
    shard.owner->run(job);
  }
}

// Stores what was read again; comes back later when the store is busy. What was read is not held meanwhile: it may lie just where the store would go on.
void Redelivery::run(Job &job) {
  StoredMessage message;
  if (job.record->n == 0 || !parse_record(view(job.record->records[0].bytes), &message)) return finish(job, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
  const std::int32_t status = store_again(job, message);
  let_go(job);
  if (status == GANTRY_OK) return;
  if (status != GANTRY_E_AGAIN) return finish(job, status, status == GANTRY_E_DENIED ? GANTRY_SUBJECT_TOPIC : GANTRY_SUBJECT_STORE);
  const auto again = [](void *arg) noexcept {
    auto *waiting = static_cast<Job *>(arg);
    waiting->shard->owner->begin(*waiting);
  };
  if (core_.exec->timer_arm(core_.host, job.shard->index, kStoreBusyMs, again, &job) == 0) finish(job, GANTRY_E_AGAIN, GANTRY_SUBJECT_STORE);
}

// RocketMQ's rules (SendMessageProcessor.consumerSendMsgBack of 4.9 and 5.x).
std::int32_t Redelivery::store_again(Job &job, const StoredMessage &message) {
  std::int32_t retry_limit = job.max_reconsume_times;
  bool wanted = true;
  {
    const std::lock_guard lock(core_.mutex);
    const Group *group = core_.groups.find(job.group);
    wanted = group == nullptr || group->retry_queues != 0;
    if (retry_limit < 0) retry_limit = group != nullptr ? static_cast<std::int32_t>(group->retry_max_times) : 0;
  }
  if (!wanted) {
    finish(job, GANTRY_OK, GANTRY_SUBJECT_NONE);
    return GANTRY_OK;
  }
  const bool dead = job.delay_level < 0 || static_cast<std::int64_t>(message.reconsume_times) >= retry_limit;
  const std::string name = std::string(dead ? kDlqPrefix : kRetryPrefix) + job.group;
  std::int32_t status = GANTRY_OK;
  Topic *const topic = topic_of(name, &status);
  if (topic == nullptr) return status;
  if ((topic->settings.perm & GANTRY_PERM_WRITE) == 0) return GANTRY_E_DENIED;

  const std::string id = message_id(message);
  PropertyEdit props(message.props);
  props.remove("CLUSTER");
  if (!props.has("RETRY_TOPIC")) props.set("RETRY_TOPIC", message.topic);
  if (props.get("ORIGIN_MESSAGE_ID").empty()) props.set("ORIGIN_MESSAGE_ID", id);

  RelayItem item;
  item.message = &message;
  item.topic = topic;
  item.store_ms = core_.now_ms();
  item.sys_flags = message.sys_flags;
  item.reconsume_times = message.reconsume_times + 1;
  item.tag = java_hash(props.get("TAGS"));
  item.done = &Redelivery::on_stored;
  item.arg = &job;
  std::string level_text = "0", queue_text = "0";
  if (!dead) {
    const config::DelayLevels &levels = core_.options.delay_levels;
    const std::int64_t asked = job.delay_level > 0 ? job.delay_level : kFirstRetryLevel + message.reconsume_times;
    const std::uint32_t level = levels.clamp(asked);
    level_text = std::to_string(asked);
    queue_text = std::to_string(message.reconsume_times % std::max(topic->settings.write_queues, 1u));
    props.set("REAL_TOPIC", name);
    props.set("REAL_QID", queue_text);
    item.topic = core_.schedule_topic;
    item.queue_no = level - 1;
    item.tag = item.store_ms + levels.delay_ms(level);
  }
  props.set("DELAY", level_text);
  const std::string text = props.text();
  item.props = text;
  return relay_.store(item);
}

Topic *Redelivery::topic_of(const std::string &name, std::int32_t *status) {
  gantry_topic_info info{};
  gantry_error err{};
  *status = broker_.topic_ensure(name, kDefaultTopic, 1, 0, &info, &err);
  if (*status != GANTRY_OK) {
    core_.say(GANTRY_LOG_WARN, "a message given back was not stored: " + std::string(err.text));
    return nullptr;
  }
  const std::lock_guard lock(core_.mutex);
  Topic *const topic = core_.topics.by_handle(info.topic);
  if (topic == nullptr) *status = GANTRY_E_NOT_FOUND;  // deleted just now
  return topic;
}

void Redelivery::on_stored(void *arg, std::uint64_t, const gantry_cqe &cqe) {
  auto &job = *static_cast<Job *>(arg);
  const bool stored = cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT;
  job.shard->owner->finish(job, stored ? GANTRY_OK : cqe.status, GANTRY_SUBJECT_STORE);
}

void Redelivery::finish(Job &job, std::int32_t status, std::uint32_t subject) {
  core_.complete(job.cq, job.user_data, status, status == GANTRY_OK ? GANTRY_SUBJECT_NONE : subject);
  let_go(job);
  job.next_free = job.shard->free;
  job.shard->free = &job;
}

void Redelivery::let_go(Job &job) {
  if (job.record != nullptr) job.record->owner->release(job.record->owner);
  job.record = nullptr;
}

}  // namespace gantry::broker
