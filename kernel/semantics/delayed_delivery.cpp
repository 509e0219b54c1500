#include "kernel/semantics/delayed_delivery.hpp"

#include "kernel/semantics/held_message.hpp"

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::int64_t kTickMs = 100;             // how often the queues are looked at when nothing is known to be due earlier
constexpr std::int64_t kAfterFailureMs = 10'000;  // RocketMQ's DELAY_FOR_A_PERIOD
constexpr std::uint32_t kReadRecords = 64;        // of one level per turn, so that live traffic has its turns too
constexpr std::uint32_t kReadBytes = 1u << 20;
constexpr std::uint32_t kMaxInFlight = 1024;      // per level

}  // namespace

void DelayedDelivery::start() {
  store_cq_ = core_.cq->create(core_.host, 0, &DelayedDelivery::on_store, this);
  holder_ = hold_.add();
  levels_.resize(core_.options.delay_levels.count());
  for (std::uint32_t i = 0; i < levels_.size(); ++i) {
    levels_[i].owner = this;
    levels_[i].queue_no = i;
  }
  (void)core_.exec->timer_arm(core_.host, 0, 0, [](void *self) noexcept { static_cast<DelayedDelivery *>(self)->tick(); }, this);
}

void DelayedDelivery::stop() {
  if (store_cq_ != 0) core_.cq->close(core_.host, store_cq_);
  store_cq_ = 0;
}

void DelayedDelivery::tick() {
  if (draining_) return;
  const std::int64_t now_ms = core_.now_ms();
  std::int64_t next_ms = kTickMs;
  for (Level &level : levels_) turn(level, now_ms, &next_ms);
  hold_log();
  (void)core_.exec->timer_arm(core_.host, 0, next_ms, [](void *self) noexcept { static_cast<DelayedDelivery *>(self)->tick(); }, this);
}

// What waits must survive retention, however old or big the log is. A message that came a moment ago is at its end anyway.
void DelayedDelivery::hold_log() {
  std::int64_t oldest_pos = INT64_MAX;
  for (const Level &level : levels_) {
    if (level.state == State::kStart || level.state == State::kFindingCursor) return;
    oldest_pos = std::min(oldest_pos, level.oldest_pos);
  }
  hold_.set(holder_, oldest_pos);
}

void DelayedDelivery::turn(Level &level, std::int64_t now_ms, std::int64_t *next_ms) {
  if (level.state == State::kReading || level.state == State::kFindingCursor) return;
  if (level.state == State::kStart) return find_cursor(level);
  if (level.failed_off >= 0) {
    // Everything behind a failure is delivered again in order, so that the last op record stays the whole truth.
    if (level.in_flight != 0 || core_.monotonic_ms() < level.not_before_ms) return;
    level.cursor = level.failed_off;
    level.failed_off = -1;
  }
  if (level.in_flight >= kMaxInFlight) return;
  gantry_queue queue = GANTRY_NO_QUEUE;
  const gantry_queue_stat stat = stat_of(*core_.schedule_topic, level.queue_no, &queue);
  level.cursor = std::max(level.cursor, stat.min_off);
  if (queue == GANTRY_NO_QUEUE || level.cursor >= stat.max_off) {
    if (level.in_flight == 0) level.oldest_pos = INT64_MAX;
    return;
  }
  if (level.head_due_ms > now_ms) {
    *next_ms = std::min(*next_ms, level.head_due_ms - now_ms);
    return;
  }
  read(level, level.cursor, queue, kReadRecords);
  *next_ms = std::min<std::int64_t>(*next_ms, 1);
}

// The op queue's last record names the last message that was delivered.
void DelayedDelivery::find_cursor(Level &level) {
  gantry_queue queue = GANTRY_NO_QUEUE;
  const gantry_queue_stat stat = stat_of(*core_.schedule_op_topic, level.queue_no, &queue);
  if (queue == GANTRY_NO_QUEUE || stat.max_off == stat.min_off) {
    level.state = State::kIdle;
    level.oldest_pos = 0;
    return;
  }
  read(level, stat.max_off - 1, queue, 1);
}

gantry_queue_stat DelayedDelivery::stat_of(const broker::Topic &topic, std::uint32_t queue_no, gantry_queue *queue) const {
  gantry_queue_stat stat{};
  *queue = topic.queues[queue_no].store_queue.load(std::memory_order_acquire);
  if (*queue != GANTRY_NO_QUEUE) (void)core_.store.table->queue_stat(core_.store.self, *queue, &stat);
  return stat;
}

void DelayedDelivery::read(Level &level, std::int64_t offset, gantry_queue queue, std::uint32_t max_records) {
  gantry_read read{};
  read.user_data = level.queue_no;
  read.queue = queue;
  read.offset = offset;
  read.max_records = max_records;
  read.max_bytes = kReadBytes;
  read.flags = GANTRY_READ_ANY_TAG;
  const gantry_read_result *result = nullptr;
  if (core_.store.table->read(core_.store.self, 0, &read, 1, &result, store_cq_) < 1) return;  // busy or stopping: the next tick asks again
  if (result != nullptr) return on_records(level, result);
  level.state = level.state == State::kStart ? State::kFindingCursor : State::kReading;
}

void DelayedDelivery::on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &delivery = *static_cast<DelayedDelivery *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    Level &level = delivery.levels_[cqes[i].user_data];
    if (cqes[i].status == GANTRY_OK) {
      delivery.on_records(level, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
      continue;
    }
    delivery.core_.say(GANTRY_LOG_WARN, "delay level " + std::to_string(level.queue_no + 1) + ": the store cannot read what waits (code " + std::to_string(cqes[i].status) + "); tried again");
    level.state = level.state == State::kFindingCursor ? State::kStart : State::kIdle;
  }
}

void DelayedDelivery::on_records(Level &level, const gantry_read_result *result) {
  const std::int64_t now_ms = core_.now_ms();
  if (level.state == State::kStart || level.state == State::kFindingCursor) {
    if (result->n != 0) level.cursor = result->records[0].tag + 1;
    level.state = result->n != 0 ? State::kIdle : State::kStart;
    level.oldest_pos = 0;  // until the first one that waits is read
    result->owner->release(result->owner);
    return;
  }
  level.state = State::kIdle;
  level.head_due_ms = 0;
  if (result->n != 0 && level.in_flight == 0) level.oldest_pos = result->records[0].phys_pos;
  bool all = !draining_;
  for (std::uint32_t i = 0; i < result->n && all; ++i) {
    const Verdict verdict = deliver(level, result->records[i], now_ms);
    if (verdict == Verdict::kNotDue) {
      level.head_due_ms = result->records[i].tag;
      if (level.in_flight == 0) level.oldest_pos = result->records[i].phys_pos;
    }
    all = verdict == Verdict::kDelivered;
    if (all) level.cursor = result->records[i].queue_off + 1;
  }
  if (all) level.cursor = std::max(level.cursor, result->next_off);
  result->owner->release(result->owner);
}

DelayedDelivery::Verdict DelayedDelivery::deliver(Level &level, const gantry_record &record, std::int64_t now_ms) {
  // A clock set back must not hold a message longer than its delay.
  if (record.tag > now_ms && record.tag - now_ms <= core_.options.delay_levels.delay_ms(level.queue_no + 1)) return Verdict::kNotDue;
  Forwarding to;
  to.now_ms = now_ms;
  to.op.tag = record.queue_off;
  {
    std::int32_t status = GANTRY_OK;
    const std::lock_guard lock(core_.mutex);
    to.op.queue = core_.open_queue(*core_.schedule_op_topic, level.queue_no, &status);
  }
  if (to.op.queue == GANTRY_NO_QUEUE) return Verdict::kBusy;
  to.arg = &level;
  to.user_data = static_cast<std::uint64_t>(record.queue_off);
  to.done = [](void *arg, std::uint64_t queue_off, const gantry_cqe &cqe) {
    auto &done = *static_cast<Level *>(arg);
    done.owner->on_delivered(done, static_cast<std::int64_t>(queue_off), cqe.status);
  };
  std::string why;
  const std::int32_t status = forward_held(core_, relay_, record, to, &why);
  if (status == GANTRY_OK) {
    ++level.in_flight;
    return Verdict::kDelivered;
  }
  if (is_undeliverable(status)) {
    skip(level, record.queue_off, why);
    return Verdict::kDelivered;
  }
  if (status != GANTRY_E_AGAIN) {
    level.failed_off = record.queue_off;
    level.not_before_ms = core_.monotonic_ms() + kAfterFailureMs;
    core_.say(GANTRY_LOG_WARN, "delay level " + std::to_string(level.queue_no + 1) + ": the store refuses a due message (code " + std::to_string(status) + "); tried again in 10 s");
  }
  return Verdict::kBusy;
}

void DelayedDelivery::on_delivered(Level &level, std::int64_t queue_off, std::int32_t status) {
  --level.in_flight;
  if (status == GANTRY_OK || status == GANTRY_E_TIMEOUT) return;
  if (level.failed_off < 0 || queue_off < level.failed_off) level.failed_off = queue_off;
  level.not_before_ms = core_.monotonic_ms() + kAfterFailureMs;
  core_.say(GANTRY_LOG_WARN, "delay level " + std::to_string(level.queue_no + 1) + ": the store failed to take a due message (code " + std::to_string(status) + "); tried again in 10 s");
}

void DelayedDelivery::skip(const Level &level, std::int64_t queue_off, const std::string &why) const {
  core_.say(GANTRY_LOG_ERROR, "delay level " + std::to_string(level.queue_no + 1) + ": the message at queue offset " + std::to_string(queue_off) + " " + why + "; it is not delivered");
}

}  // namespace gantry::semantics
