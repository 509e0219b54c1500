// Messages whose invisible time is over: stored again for the group's retry topic, or as dead letters, and settled when that is done. The new record also
// stands in the op queue (pop_revive_op.cpp), so that after a crash in between it is known to be done.
#include "kernel/semantics/pop.hpp"

#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kMaxReviving = 1024;
constexpr std::int64_t kBusyMs = 100;
constexpr std::int64_t kAfterFailureMs = 10'000;

}  // namespace

void Pop::collect_due(std::vector<Revival *> &due, std::vector<PopQueue *> &unblocked) {
  std::vector<Due *> over;
  due_.advance(core_.monotonic_ms(), [&](broker::WheelNode &node) {
    over.push_back(&static_cast<Due &>(node));
    over.back()->on_wheel = false;
  });
  for (Due *each : over) {
    if (each->kind == Due::Kind::kOrder) {
      unblocked.push_back(each->queue);
      continue;
    }
    auto &ck = static_cast<Checkpoint &>(*each);
    for (std::uint32_t i = 0; i < ck.n; ++i) {
      if ((ck.pending >> i & 1) == 0 || (ck.reviving >> i & 1) != 0) continue;
      if (revivals_.size() >= kMaxReviving) {
        arm(ck, core_.now_ms() + kBusyMs);
        break;
      }
      ck.reviving |= 1u << i;
      due.push_back(new Revival{this, ck.queue, ck.offset(i), ck.pop_ms, ck.keep_count});
      revivals_.insert(due.back());
    }
  }
}

void Pop::revive(Revival *revival) {
  gantry_read read{};
  read.user_data = reinterpret_cast<std::uint64_t>(revival);
  read.queue = revival->queue->topic->queues[revival->queue->key.queue_no].store_queue.load(std::memory_order_acquire);
  read.offset = revival->offset;
  read.max_records = 1;
  read.max_bytes = 1;
  read.flags = GANTRY_READ_ANY_TAG;
  const gantry_read_result *at_hand = nullptr;
  if (core_.store.table->read(core_.store.self, 0, &read, 1, &at_hand, revive_cq_) < 1) return revive_later(revival, kBusyMs, {});
  if (at_hand == nullptr) return;
  revival->record = at_hand;
  store_again(revival);
}

void Pop::on_revive_read(void *, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i) {
    auto *revival = reinterpret_cast<Revival *>(cqes[i].user_data);
    if (cqes[i].status != GANTRY_OK) {
      revival->owner->revive_later(revival, kAfterFailureMs, "the store cannot read it (code " + std::to_string(cqes[i].status) + ")");
      continue;
    }
    revival->record = reinterpret_cast<const gantry_read_result *>(cqes[i].aux);
    revival->owner->store_again(revival);
  }
}

// RocketMQ's PopReviveService.reviveRetry; the limit is the one of messages given back.
void Pop::store_again(Revival *revival) {
  if (draining_) return drop(revival);
  const PopQueue &queue = *revival->queue;
  const gantry_read_result &read = *revival->record;
  broker::StoredMessage message;
  if (read.n == 0 || read.records[0].queue_off != revival->offset || !broker::parse_record(view(read.records[0].bytes), &message)) {
    core_.say(GANTRY_LOG_ERROR, "pop: message " + std::to_string(revival->offset) + " of queue " + std::to_string(queue.key.queue_no) + " of topic '" + queue.topic->name + "' was not acknowledged and is not in the store any more; group '" +
                                    std::string(queue.group) + "' does not get it again");
    return revived(revival);
  }
  std::uint32_t limit = 0;
  bool deleted = false;
  {
    const std::lock_guard lock(core_.mutex);
    const broker::Group *const group = core_.groups.by_handle(queue.key.group);
    deleted = group == nullptr || queue.topic->deleted;
    if (!deleted) limit = group->retry_max_times;
  }
  if (deleted) return drop(revival);
  const bool dead = !revival->keep_count && message.reconsume_times >= limit;
  const broker::Topic *const base = base_topic(queue);
  const std::string name = dead ? std::string(broker::kDlqPrefix).append(queue.group) : queue.topic != base ? queue.topic->name : pop_retry_topic(queue.group, base->name);
  gantry_topic_info info{};
  gantry_error err{};
  if (broker_.topic_ensure(name, broker::kDefaultTopic, 1, 0, &info, &err) != GANTRY_OK) return revive_later(revival, kAfterFailureMs, err.text);

  broker::PropertyEdit props(message.props);
  props.remove("CLUSTER");
  const std::string pop_time = std::to_string(revival->pop_ms);
  if (message.reconsume_times == 0 || !props.has("1ST_POP_TIME")) props.set("1ST_POP_TIME", pop_time);
  props.set("ORIGIN_GROUP", queue.group);
  if (dead && !props.has("RETRY_TOPIC")) props.set("RETRY_TOPIC", base->name);
  const std::string text = props.text();
  const std::string_view tags = props.get("TAGS");
  broker::RelayItem item;
  item.message = &message;
  item.props = text;
  item.topic = find_topic(name);
  item.tag = tags.empty() ? 0 : broker::java_hash(tags);
  item.sys_flags = message.sys_flags;
  item.reconsume_times = message.reconsume_times + (revival->keep_count ? 0 : 1);
  item.store_ms = core_.now_ms();
  item.arg = revival;
  item.done = [](void *arg, std::uint64_t, const gantry_cqe &cqe) {
    auto *stored = static_cast<Revival *>(arg);
    if (cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT) return stored->owner->revived(stored);
    stored->owner->revive_later(stored, kAfterFailureMs, "the store failed to take it (code " + std::to_string(cqe.status) + ")");
  };
  std::int64_t op_end = 0;
  item.second = gantry_link{op_queue(&op_end), delivery_identity(queue, revival->offset, revival->pop_ms)};
  if (item.second.queue == GANTRY_NO_QUEUE) return revive_later(revival, kBusyMs, {});
  {
    // Acknowledged while it was read: nothing to do after all.
    const std::lock_guard lock(mutex_);
    int index = -1;
    const Checkpoint *const ck = revival->queue->find(revival->offset, &index);
    if (ck == nullptr || ck->pop_ms != revival->pop_ms) item.topic = nullptr;
    revival->op_floor = op_end;
    op_floors_.insert(op_end);
  }
  if (item.topic == nullptr) return drop(revival);
  const std::int32_t status = broker_.relay().store(item);
  if (status == GANTRY_OK) return;
  revive_later(revival, status == GANTRY_E_AGAIN ? kBusyMs : kAfterFailureMs, status == GANTRY_E_AGAIN ? std::string() : "the store refuses it (code " + std::to_string(status) + ")");
}

void Pop::revived(Revival *revival) {
  PopQueue &queue = *revival->queue;
  {
    RowOps rows;
    const std::lock_guard lock(mutex_);
    int index = -1;
    Checkpoint *const ck = queue.find(revival->offset, &index);
    if (ck != nullptr && ck->pop_ms == revival->pop_ms) {
      settle(queue, *ck, static_cast<std::uint32_t>(index), rows);
      note_progress(queue, rows);
      (void)write(rows, 0, 0);
    }
  }
  const broker::Topic *const base = base_topic(queue);
  const gantry_group group = queue.key.group;
  drop(revival);
  wake_group(group, base);
}

void Pop::let_go(Revival &revival) {
  if (revival.op_floor >= 0) op_floors_.erase(op_floors_.find(revival.op_floor));
  revival.op_floor = -1;
}

// Tried again from the beginning. `why`: for the log; empty = the store was busy.
void Pop::revive_later(Revival *revival, std::int64_t delay_ms, const std::string &why) {
  if (revival->record != nullptr) revival->record->owner->release(revival->record->owner);
  revival->record = nullptr;
  {
    const std::lock_guard lock(mutex_);
    let_go(*revival);
  }
  if (draining_) return drop(revival);
  if (!why.empty()) core_.say(GANTRY_LOG_WARN, "pop: a message of topic '" + revival->queue->topic->name + "' that was not acknowledged was not stored again: " + why + "; tried again in " + std::to_string(delay_ms / 1000) + " s");
  const auto again = [](void *arg) noexcept {
    auto *waiting = static_cast<Revival *>(arg);
    waiting->owner->revive(waiting);
  };
  if (core_.exec->timer_arm(core_.host, 0, delay_ms, again, revival) == 0) drop(revival);
}

void Pop::drop(Revival *revival) {
  if (revival->record != nullptr) revival->record->owner->release(revival->record->owner);
  {
    const std::lock_guard lock(mutex_);
    let_go(*revival);
    revivals_.erase(revival);
  }
  delete revival;
}

}  // namespace gantry::semantics
