#include "kernel/broker/produce/producer.hpp"

#include "kernel/base/crc32.hpp"
#include "kernel/broker/broker.hpp"
#include "kernel/broker/fetch/fetcher.hpp"
#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/properties.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/broker/record/record_append.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <charconv>

namespace gantry::broker {

namespace {

// REAL_TOPIC, REAL_QID and TIMER_OUT_MS with their separators.
constexpr std::size_t kHeldPropsBytes = kMaxTopicBytes + 80;

constexpr std::size_t kScratchPerRecord = kLayoutBytes + GANTRY_LEAD_PROPS_BYTES + kHeldPropsBytes;

HostAddress born_host(const gantry_produce &req) {
  HostAddress host;
  host.ip_bytes = req.born_host_bytes == 16 ? 16 : 4;
  std::memcpy(host.ip, req.born_host, sizeof host.ip);
  host.port = req.born_port;
  return host;
}

constexpr std::string_view kPriority = "_SYS_MSG_PRIORITY_";

// Below 0: none that counts.
std::int32_t priority_of(const PropertyScan &props) {
  std::int32_t priority = -1;
  const char *const end = props.priority.data() + props.priority.size();
  const auto [stop, error] = std::from_chars(props.priority.data(), end, priority);
  return error == std::errc() && stop == end ? priority : -1;
}

// A message is of one kind: what is transactional, delayed or of a sharding key has no priority.
bool of_another_kind(const PropertyScan &props) {
  return props.transaction || !props.delay.empty() || props.timer > TimerKind::kStartDeliverTime || props.sharded;
}

}  // namespace

void Producer::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    Shard &shard = shards_[i];
    shard.owner = this;
    shard.index = i;
    shard.scratch.resize(kBatch * kScratchPerRecord);
    shard.store_cq = core_.cq->create(core_.host, i, &Producer::on_completions, &shard);
  }
}

void Producer::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
}

std::int32_t Producer::produce(const gantry_produce *reqs, std::uint32_t n, gantry_cq cq) {
  const std::uint32_t index = core_.exec->this_shard(core_.host);
  if (index >= shards_.size()) return GANTRY_E_INVALID;
  std::uint32_t done = 0;
  while (done < n) {
    const std::uint32_t wanted = std::min(n - done, kBatch);
    const std::uint32_t taken = produce_some(shards_[index], reqs + done, wanted, cq);
    done += taken;
    if (taken < wanted) break;
  }
  return done == 0 && n != 0 ? GANTRY_E_AGAIN : static_cast<std::int32_t>(done);
}

std::uint32_t Producer::produce_some(Shard &shard, const gantry_produce *reqs, std::uint32_t n, gantry_cq cq) {
  Admitted admitted[kBatch];
  admit(reqs, n, admitted);

  Built built[kBatch];
  gantry_append appends[kBatch];
  std::uint32_t request_of[kBatch];
  std::uint32_t count = 0;
  std::uint8_t *scratch = shard.scratch.data();
  const std::int64_t now_ms = core_.now_ms();
  shard.keys.clear();
  shard.rewritten.clear();
  for (std::uint32_t i = 0; i < n; ++i) {
    if (admitted[i].status != GANTRY_OK) continue;
    build(shard, reqs[i], admitted[i], now_ms, built[count], appends[count], scratch);
    if (admitted[i].status != GANTRY_OK) continue;
    const std::uint32_t slot = take_slot(shard);
    shard.pending[slot] = Pending{reqs[i].user_data, cq, admitted[i].queue, admitted[i].queue_no, kNoSlot};
    appends[count].user_data = slot;
    request_of[count++] = i;
  }

  // Only now the hashes move no more.
  for (std::uint32_t k = 0, at = 0; k < count; at += appends[k++].n_keys)
    if (appends[k].n_keys != 0) appends[k].key_hashes = shard.keys.data() + at;
  std::int32_t accepted = 0;
  if (count != 0) accepted = core_.store.table->append(core_.store.self, shard.index, appends, count, shard.store_cq);
  std::int32_t refusal = GANTRY_OK;
  if (accepted < 0) {
    refusal = accepted == GANTRY_E_AGAIN ? GANTRY_OK : accepted;
    accepted = 0;
  }
  const auto first_refused = static_cast<std::uint32_t>(accepted);
  for (std::uint32_t k = 0; k < first_refused;) {  // counted by runs of one topic
    Topic *const topic = admitted[request_of[k]].topic;
    const std::uint32_t begin = k;
    std::uint64_t bytes = 0;
    for (; k < first_refused && admitted[request_of[k]].topic == topic; ++k) bytes += appends[k].bytes;
    topic->puts.add(k - begin, bytes);
    core_.stats.put.traffic.add(k - begin, bytes);
  }
  for (std::uint32_t k = first_refused; k < count; ++k) free_slot(shard, appends[k].user_data);
  // A refusal that is not "later" is the answer to everything of this batch; otherwise the caller offers the rest again.
  const std::uint32_t taken = first_refused == count || refusal != GANTRY_OK ? n : request_of[first_refused];
  for (std::uint32_t k = first_refused; k < count && refusal != GANTRY_OK; ++k) admitted[request_of[k]] = Admitted{nullptr, nullptr, GANTRY_NO_QUEUE, 0, refusal, GANTRY_SUBJECT_STORE};
  for (std::uint32_t i = 0; i < taken; ++i)
    if (admitted[i].status != GANTRY_OK) core_.complete(cq, reqs[i].user_data, admitted[i].status, admitted[i].subject);
  return taken;
}

void Producer::admit(const gantry_produce *reqs, std::uint32_t n, Admitted *out) {
  const std::lock_guard lock(core_.mutex);
  for (std::uint32_t i = 0; i < n; ++i) {  // with many queues they are not in the caches; asked for together they come together
    const Topic *const topic = core_.topics.by_handle(reqs[i].topic);
    if (topic != nullptr && static_cast<std::uint64_t>(reqs[i].queue_no) < topic->queues.size()) __builtin_prefetch(&topic->queues[static_cast<std::size_t>(reqs[i].queue_no)]);
  }
  for (std::uint32_t i = 0; i < n; ++i) admit_one(reqs[i], out[i]);
}

void Producer::admit_one(const gantry_produce &req, Admitted &out) {
  const auto refuse = [&out](std::int32_t status, std::uint32_t subject) {
    out.status = status;
    out.subject = subject;
  };
  Topic *topic = core_.topics.by_handle(req.topic);
  if (topic == nullptr) return refuse(GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC);
  if ((topic->settings.flags & GANTRY_TOPIC_SYSTEM) != 0) return refuse(GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC);
  if (req.body.n > core_.options.max_message_bytes) return refuse(GANTRY_E_LIMIT, GANTRY_SUBJECT_BODY);
  if (req.queue_no >= 0 && static_cast<std::uint32_t>(req.queue_no) >= topic->queue_limit()) return refuse(GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE);
  if (req.queue_no < 0 && topic->settings.write_queues == 0) return refuse(GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC);
  out.queue_no = req.queue_no >= 0 ? static_cast<std::uint32_t>(req.queue_no)
                                   : topic->next_queue.fetch_add(1, std::memory_order_relaxed) % topic->settings.write_queues;
  std::int32_t status = GANTRY_OK;
  out.store_queue = core_.open_queue(*topic, out.queue_no, &status);
  if (out.store_queue == GANTRY_NO_QUEUE) return refuse(status, GANTRY_SUBJECT_STORE);
  out.topic = topic;
  out.queue = &topic->queues[out.queue_no];
}

void Producer::build(Shard &shard, const gantry_produce &req, Admitted &admitted, std::int64_t now_ms, Built &built, gantry_append &append, std::uint8_t *&scratch) {
  PropertyScan props = scan_properties(view(req.props));
  const std::int32_t priority = (req.flags & GANTRY_PRODUCE_BY_PRIORITY) != 0 ? priority_of(props) : -1;
  const bool drops_priority = priority >= 0 && of_another_kind(props);
  if (props.names_cluster || drops_priority) [[unlikely]] {
    PropertyEdit edit(view(req.props));
    edit.remove("CLUSTER");
    if (drops_priority) edit.remove(kPriority);
    props = scan_properties(shard.rewritten.emplace_back(edit.text()));
  }
  const auto refuse = [&admitted](std::int32_t status, std::uint32_t subject) {
    admitted.status = status;
    admitted.subject = subject;
  };
  // Such bits come with the property or from nobody; stored as they are they would make a message that is never seen.
  if (!props.transaction && (req.sys_flags & kSysFlagTransactionMask) != 0) return refuse(GANTRY_E_INVALID, GANTRY_SUBJECT_PROPERTIES);
  if (priority >= 0 && !drops_priority)
    if (const std::int32_t status = place_by_priority(priority, admitted); status != GANTRY_OK) return refuse(status, GANTRY_SUBJECT_STORE);
  if (req.lead_props.n > GANTRY_LEAD_PROPS_BYTES) return refuse(GANTRY_E_LIMIT, GANTRY_SUBJECT_PROPERTIES);
  Place place{admitted.topic, admitted.store_queue, admitted.queue_no, java_hash(props.tags), {}};
  if (is_dead_letter(req, *admitted.topic)) {
    if (const std::int32_t status = bury(admitted, place); status != GANTRY_OK) return refuse(status, GANTRY_SUBJECT_STORE);
  } else if (Diverter::wanted(props, req)) {
    const std::int32_t status = diverter_.divert(props, req, now_ms, place);
    if (status != GANTRY_OK) return refuse(status, status == GANTRY_E_INVALID || status == GANTRY_E_RANGE || status == GANTRY_E_UNSUPPORTED ? GANTRY_SUBJECT_PROPERTIES : GANTRY_SUBJECT_STORE);
    admitted.queue = &place.topic->queues[place.queue_no];
    if (place.timed) admitted.queue_no |= GANTRY_PRODUCED_TIMED;
  }
  built.link = gantry_link{place.store_queue, place.tag};
  NewRecord record;
  record.topic = place.topic;
  record.header.born = born_host(req);
  record.header.store = core_.store_host;
  record.header.body_crc = crc32_ieee(req.body.p, req.body.n) & 0x7FFFFFFFu;
  record.header.queue_no = place.queue_no;
  record.header.flag = req.msg_flag;
  record.header.sys_flags = req.sys_flags & ~kSysFlagTransactionMask;
  record.header.reconsume_times = req.reconsume_times;
  record.header.born_ms = req.born_ms;
  record.header.store_ms = now_ms;
  record.body = view(req.body);
  record.lead_props = view(req.lead_props);
  record.copied_props = place.props;
  record.props = props.before_wait;
  record.more_props = props.after_wait;
  record.keys = props.keys;
  record.uniq_key = props.uniq_key;
  record.links = &built.link;
  record.durability = req.durability;
  GANTRY_ASSERT(scratch + kScratchPerRecord <= shard.scratch.data() + shard.scratch.size());
  if (const std::int32_t status = lay_out(record, scratch, shard.keys, &built.parts, &append); status != GANTRY_OK) refuse(status, GANTRY_SUBJECT_PROPERTIES);
}

// Also in a topic that is not of this kind, as RocketMQ does.
std::int32_t Producer::place_by_priority(std::int32_t priority, Admitted &admitted) {
  const std::lock_guard lock(core_.mutex);
  const std::uint32_t queues = admitted.topic->settings.write_queues;
  const std::uint32_t queue_no = queues == 0 ? 0 : std::min(static_cast<std::uint32_t>(priority), queues - 1);
  if (queue_no == admitted.queue_no || queue_no >= admitted.topic->queues.size()) return GANTRY_OK;
  std::int32_t status = GANTRY_OK;
  admitted.store_queue = core_.open_queue(*admitted.topic, queue_no, &status);
  admitted.queue_no = queue_no;
  admitted.queue = &admitted.topic->queues[queue_no];
  return status;
}

// Consumers send to their %RETRY% topic themselves when they cannot give a message back, and orderly ones at their last attempt.
bool Producer::is_dead_letter(const gantry_produce &req, const Topic &topic) {
  const std::string_view name = topic.name;
  if (!name.starts_with(kRetryPrefix)) return false;
  if (req.max_reconsume_times >= 0) return req.reconsume_times >= static_cast<std::uint32_t>(req.max_reconsume_times);
  const std::lock_guard lock(core_.mutex);
  const Group *group = core_.groups.find(name.substr(kRetryPrefix.size()));
  return group != nullptr && req.reconsume_times >= group->retry_max_times;
}

std::int32_t Producer::bury(Admitted &admitted, Place &place) {
  gantry_topic_info info{};
  gantry_error err{};
  std::int32_t status = broker_.topic_ensure(std::string(kDlqPrefix) + admitted.topic->name.substr(kRetryPrefix.size()), kDefaultTopic, 1, 0, &info, &err);
  if (status != GANTRY_OK) return status;
  const std::lock_guard lock(core_.mutex);
  place.topic = core_.topics.by_handle(info.topic);
  if (place.topic == nullptr) return GANTRY_E_NOT_FOUND;  // deleted just now
  place.queue_no = admitted.queue_no = 0;
  place.store_queue = core_.open_queue(*place.topic, 0, &status);
  admitted.queue = &place.topic->queues[0];
  return status;
}

std::uint32_t Producer::take_slot(Shard &shard) {
  if (shard.free_head == kNoSlot) {
    shard.pending.push_back(Pending{});
    return static_cast<std::uint32_t>(shard.pending.size() - 1);
  }
  const std::uint32_t slot = shard.free_head;
  shard.free_head = shard.pending[slot].next_free;
  return slot;
}

void Producer::free_slot(Shard &shard, std::uint64_t slot) {
  shard.pending[slot].next_free = shard.free_head;
  shard.free_head = static_cast<std::uint32_t>(slot);
}

void Producer::on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &shard = *static_cast<Shard *>(self);
  Core &core = shard.owner->core_;
  for (std::uint32_t i = 0; i < n;) {
    const gantry_cq to = shard.pending[cqes[i].user_data].cq;
    shard.out.clear();
    for (; i < n && shard.pending[cqes[i].user_data].cq == to; ++i) {
      const gantry_cqe &done = cqes[i];
      const Pending &pending = shard.pending[done.user_data];
      if (done.status == GANTRY_OK) {
        shard.owner->fetcher_.on_progress(*pending.queue);
        shard.out.push_back(gantry_cqe{pending.user_data, static_cast<std::int64_t>(done.aux), static_cast<std::uint64_t>(done.result), GANTRY_OK, pending.queue_no});
      } else {
        shard.out.push_back(gantry_cqe{pending.user_data, 0, 0, done.status, GANTRY_SUBJECT_STORE});
      }
      shard.owner->free_slot(shard, done.user_data);
    }
    (void)core.cq->push(core.host, to, shard.out.data(), static_cast<std::uint32_t>(shard.out.size()));
  }
}

}  // namespace gantry::broker
