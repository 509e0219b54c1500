#include "kernel/semantics/timers.hpp"

#include "kernel/broker/record/key_hash.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/semantics/held_message.hpp"
#include "kernel/semantics/metric_cells.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <charconv>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kPerTurn = HeldQueue::kReadsMax;  // messages delivered per turn, so that live traffic has its turns too
constexpr std::uint32_t kMaxInFlight = 1024;
constexpr std::int64_t kBusyMs = 5;
constexpr std::int64_t kAfterFailureMs = 10'000;  // RocketMQ's DELAY_FOR_A_PERIOD

}  // namespace

struct Timers::Recall {
  Timers *owner;
  std::uint64_t user_data;
  gantry_cq cq;
  std::string topic, uniq_key;
  std::int64_t phys_pos;
  bool early = false;  // found where it was stored first, and settled before its time
  bool moved = false;  // copied forward since the search began
  gantry_key_query query{};
};

Timers::Timers(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const PendingLimits &limits)
    : core_(core), relay_(relay), queue_(core, relay, hold, HeldQueue::Setup{core.timer_topic, core.timer_op_topic, 0, limits}), copier_(core, relay, queue_) {}

Timers::~Timers() = default;

Result<void> Timers::start() {
  GANTRY_TRY(queue_.start());
  due_cq_ = core_.cq->create(core_.host, 0, &Timers::on_due_read, this);
  recall_cq_ = core_.cq->create(core_.host, 0, &Timers::on_recall_read, this);
  found_cq_ = core_.cq->create(core_.host, 0, &Timers::on_recall_found, this);
  core_.recaller = this;
  const auto *const metrics = static_cast<const gantry_metrics_v1 *>(core_.host->query(core_.host, GANTRY_METRICS_ID));
  GANTRY_ASSERT(metrics != nullptr);
  const auto cell = [&](std::uint32_t kind, const char *name, const char *help) { return metrics->cell(core_.host, kind, name, help, 0); };
  cells_ = {cell(GANTRY_METRIC_GAUGE, "timers_waiting", "messages that wait for their due time"),
            cell(GANTRY_METRIC_GAUGE, "timers_lag_ms", "how late due messages are delivered; 0 when none is due"),
            cell(GANTRY_METRIC_COUNTER, "timers_delivered_total", "messages delivered after their due time"),
            cell(GANTRY_METRIC_COUNTER, "timers_recalled_total", "messages taken back before their due time"),
            cell(GANTRY_METRIC_COUNTER, "timers_undeliverable_total", "messages given up: damaged, or for a topic or queue that is gone"),
            cell(GANTRY_METRIC_COUNTER, "timers_copied_forward_total", "messages stored again because they wait longer than retention keeps the log")};
  copier_.start({.lost = [this](std::int64_t queue_off, const std::string &why) { ++in_flight_; give_up(queue_off, why); },
                 .copied = [this](std::int64_t first) { on_copied(first); }});
  arm(0);
  return {};
}

void Timers::drain() {
  draining_ = true;
  copier_.drain();
  queue_.drain();
}

void Timers::stop() {
  if (due_cq_ == 0) return;
  core_.recaller = nullptr;
  core_.cq->close(core_.host, due_cq_);
  core_.cq->close(core_.host, recall_cq_);
  core_.cq->close(core_.host, found_cq_);
  due_cq_ = recall_cq_ = found_cq_ = 0;
  copier_.stop();
  queue_.stop();
  recalls_.clear();
}

void Timers::arm(std::int64_t delay_ms) {
  (void)core_.exec->timer_arm(core_.host, 0, delay_ms, [](void *self) noexcept { static_cast<Timers *>(self)->tick(); }, this);
}

void Timers::tick() {
  if (draining_) return;
  std::int64_t next_ms = queue_.poll();
  if (queue_.ready()) {
    if (deliver_due()) {
      next_ms = 1;
    } else if (const std::int64_t due_ms = queue_.set().next_ms(); due_ms != PendingSet::kNever) {
      next_ms = std::min(next_ms, std::max<std::int64_t>(due_ms - core_.now_ms(), 1));
    }
    next_ms = std::min(next_ms, copier_.turn());
  }
  tell();
  arm(next_ms);
}

// The lag is that of what was delivered last, until nothing is due, under way or to be tried again.
void Timers::tell() {
  const std::int64_t now_ms = core_.now_ms();
  if (in_flight_ == 0 && !queue_.set().has_released() && queue_.set().next_ms() > now_ms) lag_ms_ = 0;
  set_gauge(cells_.waiting, queue_.set().waiting());
  set_gauge(cells_.lag_ms, lag_ms_);
}

// True: there may be more that is due.
bool Timers::deliver_due() {
  if (in_flight_ >= kMaxInFlight) return false;
  due_.clear();
  queue_.set().take_due(core_.now_ms(), kPerTurn, due_);
  if (due_.empty()) return false;
  in_flight_ += static_cast<std::uint32_t>(due_.size());
  const gantry_read_result *results[kPerTurn];
  const auto n = static_cast<std::uint32_t>(due_.size());
  const std::uint32_t accepted = queue_.read(due_, results, due_cq_);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (i >= accepted) {
      --in_flight_;
      queue_.set().release(due_[i].queue_off, core_.now_ms() + kBusyMs);
    } else if (results[i] != nullptr) {
      on_read(due_[i].queue_off, GANTRY_OK, results[i]);
    }
  }
  return n == kPerTurn && accepted == n;
}

void Timers::on_due_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i)
    static_cast<Timers *>(self)->on_read(static_cast<std::int64_t>(cqes[i].user_data), cqes[i].status, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
}

void Timers::on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result) {
  if (status != GANTRY_OK) {
    if (status == GANTRY_E_CORRUPT || status == GANTRY_E_NOT_FOUND) return give_up(queue_off, "cannot be read (code " + std::to_string(status) + ")");
    --in_flight_;
    queue_.set().release(queue_off, core_.now_ms() + kAfterFailureMs);
    if (status != GANTRY_E_CANCELLED) core_.say(GANTRY_LOG_WARN, "timers: the store cannot read a due message (code " + std::to_string(status) + "); tried again in 10 s");
    return;
  }
  if (result->n != 0 && result->records[0].queue_off == queue_off)
    deliver(result->records[0]);
  else
    give_up(queue_off, "is damaged");
  result->owner->release(result->owner);
}

void Timers::deliver(const gantry_record &record) {
  Forwarding to;
  lag_ms_ = core_.now_ms() - record.tag;
  to.op = queue_.done_link(record.queue_off);
  to.now_ms = core_.now_ms();
  to.timed = true;
  to.arg = this;
  to.user_data = static_cast<std::uint64_t>(record.queue_off);
  to.done = [](void *self, std::uint64_t off, const gantry_cqe &cqe) {
    auto &timers = *static_cast<Timers *>(self);
    if (cqe.status == GANTRY_OK) count(timers.cells_.delivered);
    timers.on_stored(static_cast<std::int64_t>(off), cqe.status);
  };
  std::string why;
  const std::int32_t status = to.op.queue == GANTRY_NO_QUEUE ? GANTRY_E_AGAIN : forward_held(core_, relay_, record, to, &why);
  if (is_undeliverable(status)) return give_up(record.queue_off, why);
  if (status == GANTRY_E_AGAIN) {
    --in_flight_;
    queue_.set().release(record.queue_off, core_.now_ms() + kBusyMs);
  } else if (status != GANTRY_OK) {
    on_stored(record.queue_off, status);
  }
}

// Never tried again: what cannot be delivered is settled.
void Timers::give_up(std::int64_t queue_off, const std::string &why) {
  count(cells_.undeliverable);
  core_.say(GANTRY_LOG_ERROR, "timers: the message at queue offset " + std::to_string(queue_off) + " of " + core_.timer_topic->name + " " + why + "; it is not delivered");
  const auto done = [](void *self, std::uint64_t off, const gantry_cqe &cqe) { static_cast<Timers *>(self)->on_stored(static_cast<std::int64_t>(off), cqe.status); };
  const std::int32_t status = queue_.settle_only(queue_off, done, this, static_cast<std::uint64_t>(queue_off));
  if (status != GANTRY_OK) on_stored(queue_off, status);
}

// What may be stored stays claimed until the op queue says so.
void Timers::on_stored(std::int64_t queue_off, std::int32_t status) {
  --in_flight_;
  if (status == GANTRY_OK) queue_.set().on_settled(queue_off);
  if (status == GANTRY_OK || status == GANTRY_E_TIMEOUT) return;
  queue_.set().release(queue_off, core_.now_ms() + kAfterFailureMs);
  if (status != GANTRY_E_CANCELLED) core_.say(GANTRY_LOG_WARN, "timers: the store refuses a due message (code " + std::to_string(status) + "); tried again in 10 s");
}

// Recalls that are looking for it must not take what they find for the whole truth.
void Timers::on_copied(std::int64_t first_pos) {
  count(cells_.copied);
  for (const auto &[recall, owned] : recalls_)
    if (recall->phys_pos == first_pos) recall->moved = true;
}

std::int32_t Timers::recall(const gantry_recall &req, gantry_cq cq) {
  auto recall = std::make_unique<Recall>(Recall{this, req.user_data, cq, std::string(view(req.topic)), std::string(view(req.uniq_key)), req.phys_pos});
  const auto run = [](void *arg) noexcept {
    auto *const made = static_cast<Recall *>(arg);
    Timers &timers = *made->owner;
    timers.recalls_.emplace(made, std::unique_ptr<Recall>(made));
    timers.begin(*made);
  };
  const std::int32_t status = core_.exec->post(core_.host, 0, run, recall.get());
  if (status == GANTRY_OK) (void)recall.release();
  return status;
}

void Timers::begin(Recall &recall) {
  recall.moved = false;
  if (draining_) return finish(recall, GANTRY_E_CLOSED);
  if (!queue_.ready()) return finish(recall, GANTRY_E_AGAIN);
  const gantry_read_result *result = nullptr;
  const std::int32_t status = core_.store.table->read_at(core_.store.self, 0, recall.phys_pos, reinterpret_cast<std::uint64_t>(&recall), &result, recall_cq_);
  if (status < 0 || result != nullptr) take_back(recall, std::min(status, GANTRY_OK), result);
}

void Timers::on_recall_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i)
    static_cast<Timers *>(self)->take_back(*reinterpret_cast<Recall *>(cqes[i].user_data), cqes[i].status, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
}

void Timers::take_back(Recall &recall, std::int32_t status, const gantry_read_result *result) {
  Place place{};
  const bool there = status == GANTRY_OK && result->n != 0;
  const bool found = there && find_place(recall, result->records[0], &place);
  if (result != nullptr && result->owner != nullptr) result->owner->release(result->owner);
  if (status == GANTRY_E_INVALID || status == GANTRY_E_RANGE || (there && !found)) return finish(recall, GANTRY_E_NOT_FOUND);  // no position at all, or another message's
  if (status != GANTRY_OK && status != GANTRY_E_NOT_FOUND) return finish(recall, status);
  if (recall.moved) return begin(recall);
  if (found && take(recall, place)) return;
  recall.early = found;
  search(recall);
}

// It was copied forward, and waits elsewhere.
void Timers::search(Recall &recall) {
  recall.query.user_data = reinterpret_cast<std::uint64_t>(&recall);
  recall.query.hash = broker::KeyHasher(core_.timer_topic->name)(recall.uniq_key);
  recall.query.begin_ms = 0;
  recall.query.end_ms = recall.query.before_pos = INT64_MAX;
  recall.query.max_records = kPerTurn;
  const std::int32_t status = core_.store.table->query_key(core_.store.self, 0, &recall.query, found_cq_);
  if (status != GANTRY_OK) finish(recall, status != GANTRY_E_UNSUPPORTED ? status : recall.early ? GANTRY_OK : GANTRY_E_NOT_FOUND);
}

void Timers::on_recall_found(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i) static_cast<Timers *>(self)->on_found(*reinterpret_cast<Recall *>(cqes[i].user_data), cqes[i]);
}

// The newest record of the message counts: all others have been settled by it.
void Timers::on_found(Recall &recall, const gantry_cqe &cqe) {
  if (cqe.status != GANTRY_OK) return finish(recall, cqe.status);
  const auto &page = *reinterpret_cast<const gantry_read_result *>(cqe.aux);
  Place place{};
  bool found = false;
  for (std::uint32_t i = 0; i < page.n && !found; ++i) found = find_place(recall, page.records[i], &place);
  recall.query.before_pos = page.next_off;
  if (page.owner != nullptr) page.owner->release(page.owner);
  if (recall.moved) return begin(recall);  // meanwhile: what was found is not the newest any more
  if (found) {
    if (!take(recall, place)) finish(recall, GANTRY_OK);
    return;
  }
  if (recall.query.before_pos < 0) return finish(recall, recall.early ? GANTRY_OK : GANTRY_E_NOT_FOUND);
  const std::int32_t status = core_.store.table->query_key(core_.store.self, 0, &recall.query, found_cq_);
  if (status != GANTRY_OK) finish(recall, status);
}

// Is that the message which is meant, or a copy of it?
bool Timers::find_place(const Recall &recall, const gantry_record &record, Place *place) const {
  broker::StoredMessage message;
  if (!broker::parse_record(view(record.bytes), &message) || message.topic != core_.timer_topic->name || first_pos(message) != recall.phys_pos) return false;
  const broker::PropertyEdit props(message.props);
  if (props.get("REAL_TOPIC") != recall.topic || props.get("UNIQ_KEY") != recall.uniq_key) return false;
  *place = {message.queue_off, 0};
  const std::string_view text = props.get("TIMER_OUT_MS");
  (void)std::from_chars(text.data(), text.data() + text.size(), place->due_ms);
  return true;
}

// False: it was settled before its time, so it was recalled or copied forward.
bool Timers::take(Recall &recall, const Place &place) {
  PendingSet &set = queue_.set();
  if (copier_.wait_for(place.queue_off, [this, &recall] { begin(recall); })) return true;
  if (set.claim(place.queue_off)) {
    settle(recall, place.queue_off);
    return true;
  }
  if (set.is_settled(place.queue_off) && place.due_ms > core_.now_ms()) return false;
  finish(recall, GANTRY_E_STALE);
  return true;
}

void Timers::settle(Recall &recall, std::int64_t queue_off) {
  const auto done = [](void *arg, std::uint64_t off, const gantry_cqe &cqe) {
    auto &made = *static_cast<Recall *>(arg);
    const bool stored = cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT;
    if (stored) count(made.owner->cells_.recalled);
    if (cqe.status == GANTRY_OK) made.owner->queue_.set().on_settled(static_cast<std::int64_t>(off));
    if (!stored) made.owner->queue_.set().release(static_cast<std::int64_t>(off), made.owner->core_.now_ms() + kBusyMs);
    made.owner->finish(made, stored ? GANTRY_OK : cqe.status);
  };
  const std::int32_t status = queue_.settle_only(queue_off, done, &recall, static_cast<std::uint64_t>(queue_off));
  if (status == GANTRY_OK) return;
  queue_.set().release(queue_off, core_.now_ms() + kBusyMs);
  finish(recall, status);
}

void Timers::finish(Recall &recall, std::int32_t status) {
  core_.complete(recall.cq, recall.user_data, status, status == GANTRY_OK ? GANTRY_SUBJECT_NONE : GANTRY_SUBJECT_BODY);
  recalls_.erase(&recall);
}

}  // namespace gantry::semantics
