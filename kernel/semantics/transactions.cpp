#include "kernel/semantics/transactions.hpp"

#include "kernel/broker/meta_rows.hpp"
#include "kernel/broker/produce/diverter.hpp"
#include "kernel/broker/record/property_edit.hpp"
#include "kernel/semantics/held_message.hpp"
#include "kernel/semantics/metric_cells.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <utility>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kPerTurn = HeldQueue::kReadsMax;  // messages asked about per turn, so that live traffic has its turns too
constexpr std::uint32_t kMaxReading = 256;
constexpr std::size_t kMaxEarly = 16'384;
constexpr std::int64_t kBusyMs = 5;

}  // namespace

// A half message on its way to its end; asked for by a producer, or decided here.
struct Transactions::Ending {
  enum class How : std::uint8_t { kCommit, kRollback, kDiscard, kGiveUp };
  Transactions *owner = nullptr;
  How how = How::kCommit;
  std::int64_t queue_off = 0;
  // Of a producer's request; without a completion queue nobody waits for the outcome.
  gantry_cq cq = 0;
  std::uint64_t user_data = 0;
  std::int64_t phys_pos = 0;
  std::string group;
};

Transactions::Transactions(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const PendingLimits &limits)
    : core_(core), relay_(relay), queue_(core, relay, hold, HeldQueue::Setup{core.half_topic, core.half_op_topic, 0, limits}),
      counts_(std::string(broker::kHeldRows) + core.half_topic->name + "/checks/") {}

Transactions::~Transactions() = default;

Result<void> Transactions::start() {
  GANTRY_TRY(queue_.start());
  GANTRY_TRY(counts_.restore(core_));
  check_cq_ = core_.cq->create(core_.host, 0, &Transactions::on_check_read, this);
  end_cq_ = core_.cq->create(core_.host, 0, &Transactions::on_end_read, this);
  core_.transaction_ender = this;
  const auto *const metrics = static_cast<const gantry_metrics_v1 *>(core_.host->query(core_.host, GANTRY_METRICS_ID));
  GANTRY_ASSERT(metrics != nullptr);
  const auto cell = [&](std::uint32_t kind, const char *name, const char *help) { return metrics->cell(core_.host, kind, name, help, 0); };
  cells_ = {cell(GANTRY_METRIC_GAUGE, "transactions_open", "half messages that are neither committed nor rolled back"),
            cell(GANTRY_METRIC_COUNTER, "transactions_committed_total", "half messages committed"),
            cell(GANTRY_METRIC_COUNTER, "transactions_rolled_back_total", "half messages rolled back"),
            cell(GANTRY_METRIC_COUNTER, "transactions_checks_total", "questions to producers about undecided half messages"),
            cell(GANTRY_METRIC_COUNTER, "transactions_discarded_total", "half messages given up: nobody decided, or they are damaged")};
  next_round_ms_ = core_.monotonic_ms() + core_.options.transaction_check_interval_ms;
  arm(0);
  return {};
}

void Transactions::drain() {
  draining_ = true;
  for (Ending *const ending : std::exchange(early_, {})) begin(*ending);
  counts_.save(core_);
  queue_.drain();
}

void Transactions::stop() {
  if (check_cq_ == 0) return;
  core_.transaction_ender = nullptr;
  core_.cq->close(core_.host, check_cq_);
  core_.cq->close(core_.host, end_cq_);
  check_cq_ = end_cq_ = 0;
  queue_.stop();
  endings_.clear();
}

void Transactions::arm(std::int64_t delay_ms) {
  (void)core_.exec->timer_arm(core_.host, 0, delay_ms, [](void *self) noexcept { static_cast<Transactions *>(self)->tick(); }, this);
}

void Transactions::tick() {
  if (draining_) return;
  std::int64_t next_ms = queue_.poll();
  if (queue_.ready()) {
    if (!known_) know();
    next_ms = std::min(next_ms, check_round());
  }
  set_gauge(cells_.open, queue_.set().waiting());
  arm(next_ms);
}

void Transactions::know() {
  known_ = true;
  counts_.forget_if([this](std::int64_t queue_off) { return queue_.set().is_settled(queue_off); });
  for (Ending *const ending : std::exchange(early_, {})) begin(*ending);
}

// Asks about a slice of what is due in this round. Returns in how many ms it wants to be called again.
std::int64_t Transactions::check_round() {
  PendingSet &set = queue_.set();
  if (!in_round_) {
    const std::int64_t now_ms = core_.monotonic_ms();
    if (now_ms < next_round_ms_) return next_round_ms_ - now_ms;
    in_round_ = true;
    ++round_;
    round_ms_ = core_.now_ms();
    next_round_ms_ = now_ms + core_.options.transaction_check_interval_ms;
  }
  if (reading_ >= kMaxReading) return kBusyMs;
  due_.clear();
  set.take_due(round_ms_, kPerTurn, due_);
  if (due_.empty()) {
    if (reading_ != 0 || set.next_ms() <= round_ms_) return kBusyMs;
    in_round_ = false;
    counts_.save(core_);
    return kBusyMs;
  }
  const gantry_read_result *results[kPerTurn];
  const std::uint32_t accepted = queue_.read(due_, results, check_cq_);
  reading_ += accepted;
  for (std::uint32_t i = 0; i < due_.size(); ++i) {
    const std::int64_t queue_off = due_[i].queue_off;
    // Not kept from its producer while it is read. What a failed ending gave back may come twice.
    set.release(queue_off, counts_.asked_in(queue_off, round_) ? PendingSet::kNever : i < accepted ? round_ms_ + 1 : round_ms_);
    if (i < accepted && results[i] != nullptr) on_read(queue_off, GANTRY_OK, results[i]);
  }
  return accepted == due_.size() ? 1 : kBusyMs;
}

void Transactions::on_check_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i)
    static_cast<Transactions *>(self)->on_read(static_cast<std::int64_t>(cqes[i].user_data), cqes[i].status, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
}

void Transactions::on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result) {
  --reading_;
  if (status == GANTRY_E_CORRUPT || status == GANTRY_E_NOT_FOUND) return give_up(queue_off, "cannot be read (code " + std::to_string(status) + ")");
  if (status != GANTRY_OK) {
    if (status != GANTRY_E_CANCELLED) core_.say(GANTRY_LOG_WARN, "transactions: the store cannot read a half message (code " + std::to_string(status) + "); tried again with the next check");
    return;
  }
  if (result->n == 0 || result->records[0].queue_off != queue_off)
    give_up(queue_off, "is damaged");
  else if (queue_.set().is_open(queue_off) && !draining_)
    check(result->records[0]);
  result->owner->release(result->owner);
}

// Without a producer to ask it is not counted: that the producer is away says nothing about its transaction.
void Transactions::check(const gantry_record &record) {
  if (counts_.asked_in(record.queue_off, round_)) return;
  broker::StoredMessage message;
  if (!broker::parse_record(view(record.bytes), &message)) return give_up(record.queue_off, "is no message of format 1");
  const std::uint32_t asked = counts_.of(record.queue_off);
  if (asked >= core_.options.transaction_check_max) return discard(record, "was asked about " + std::to_string(asked) + " times");
  if (core_.now_ms() - message.store_ms >= broker::kTransactionMaxAgeMs) return discard(record, "is 72 hours old");
  const gantry_conn producer = next_producer(broker::PropertyEdit(message.props).get("PGROUP"));
  if (producer == 0) return;
  counts_.add(record.queue_off, round_);
  count(cells_.checks);
  gantry_event event{};
  event.kind = GANTRY_EVENT_CHECK_TRANSACTION;
  event.conn = producer;
  event.object = asked + 1;
  event.a = record.queue_off;
  event.b = message.phys_pos;
  core_.events.to_conn(producer, event);
}

// A connection of the group, each in turn; 0: none.
gantry_conn Transactions::next_producer(std::string_view group) {
  const std::string name(group);
  const std::lock_guard lock(core_.mutex);
  const auto it = core_.sessions.producers().find(name);
  if (it == core_.sessions.producers().end() || it->second.empty()) {
    turn_of_.erase(name);
    return 0;
  }
  return std::next(it->second.begin(), static_cast<std::ptrdiff_t>(turn_of_[name]++ % it->second.size()))->first;
}

Transactions::Ending &Transactions::add_ending(std::unique_ptr<Ending> made) {
  Ending &ending = *made;
  ending.owner = this;
  endings_.emplace(&ending, std::move(made));
  return ending;
}

// As RocketMQ does with what nobody decides: put aside, for people to look at.
void Transactions::discard(const gantry_record &record, const std::string &why) {
  if (!queue_.set().claim(record.queue_off)) return;
  core_.say(GANTRY_LOG_WARN, "transactions: the half message at queue offset " + std::to_string(record.queue_off) + " " + why + " and is undecided still; it goes to " + core_.discarded_topic->name);
  auto made = std::make_unique<Ending>();
  made->how = Ending::How::kDiscard;
  made->queue_off = record.queue_off;
  settle(add_ending(std::move(made)), &record);
}

void Transactions::give_up(std::int64_t queue_off, const std::string &why) {
  if (!queue_.set().claim(queue_off)) return;
  core_.say(GANTRY_LOG_ERROR, "transactions: the half message at queue offset " + std::to_string(queue_off) + " " + why + "; it is given up");
  auto made = std::make_unique<Ending>();
  made->how = Ending::How::kGiveUp;
  made->queue_off = queue_off;
  settle(add_ending(std::move(made)), nullptr);
}

std::int32_t Transactions::end_transaction(const gantry_end_transaction &req, gantry_cq cq) {
  if (req.end != GANTRY_END_COMMIT && req.end != GANTRY_END_ROLLBACK) return GANTRY_E_INVALID;
  auto made = std::make_unique<Ending>();
  made->owner = this;
  made->how = req.end == GANTRY_END_COMMIT ? Ending::How::kCommit : Ending::How::kRollback;
  made->queue_off = req.queue_off;
  made->cq = cq;
  made->user_data = req.user_data;
  made->phys_pos = req.phys_pos;
  made->group = view(req.group);
  const auto run = [](void *arg) noexcept {
    std::unique_ptr<Ending> taken(static_cast<Ending *>(arg));
    Transactions &owner = *taken->owner;
    owner.begin(owner.add_ending(std::move(taken)));
  };
  const std::int32_t status = core_.exec->post(core_.host, 0, run, made.get());
  if (status == GANTRY_OK) (void)made.release();
  return status;
}

void Transactions::begin(Ending &ending) {
  if (draining_) return finish(ending, GANTRY_E_CLOSED);
  if (!known_) {
    // Clients do not send it again: it would be the next check that brings their decision.
    if (early_.size() >= kMaxEarly) return finish(ending, GANTRY_E_AGAIN, GANTRY_SUBJECT_BROKER);
    return early_.push_back(&ending);
  }
  const gantry_read_result *result = nullptr;
  const std::int32_t status = core_.store.table->read_at(core_.store.self, 0, ending.phys_pos, reinterpret_cast<std::uint64_t>(&ending), &result, end_cq_);
  if (status < 0 || result != nullptr) end(ending, std::min(status, GANTRY_OK), result);
}

void Transactions::on_end_read(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  for (std::uint32_t i = 0; i < n; ++i)
    static_cast<Transactions *>(self)->end(*reinterpret_cast<Ending *>(cqes[i].user_data), cqes[i].status, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
}

// Is that the half message which is meant, and is it open still?
void Transactions::end(Ending &ending, std::int32_t status, const gantry_read_result *result) {
  const auto decide = [&] {
    if (status == GANTRY_E_INVALID || status == GANTRY_E_RANGE) status = GANTRY_E_NOT_FOUND;  // no position at all
    if (status != GANTRY_OK) return finish(ending, status, GANTRY_SUBJECT_BODY);
    broker::StoredMessage message;
    if (result->n == 0 || !broker::parse_record(view(result->records[0].bytes), &message) || message.topic != core_.half_topic->name)
      return finish(ending, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_BODY);
    if (broker::PropertyEdit(message.props).get("PGROUP") != ending.group) return finish(ending, GANTRY_E_INVALID, GANTRY_SUBJECT_GROUP);
    if (message.queue_off != ending.queue_off) return finish(ending, GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE);
    if (queue_.set().claim(ending.queue_off)) return settle(ending, &result->records[0]);
    if (queue_.set().is_settled(ending.queue_off)) return finish(ending, GANTRY_OK, GANTRY_SUBJECT_NONE, 1);
    finish(ending, GANTRY_E_AGAIN, GANTRY_SUBJECT_BODY);
  };
  decide();
  if (result != nullptr && result->owner != nullptr) result->owner->release(result->owner);
}

// It is claimed. `record`: what is to be stored elsewhere; without one the note is all.
void Transactions::settle(Ending &ending, const gantry_record *record) {
  const auto done = [](void *arg, std::uint64_t, const gantry_cqe &cqe) {
    auto &stored = *static_cast<Ending *>(arg);
    stored.owner->on_stored(stored, cqe.status);
  };
  if (ending.how == Ending::How::kRollback || record == nullptr) {
    const std::int32_t status = queue_.settle_only(ending.queue_off, done, &ending, 0);
    if (status != GANTRY_OK) on_stored(ending, status);
    return;
  }
  Forwarding to;
  to.op = queue_.done_link(ending.queue_off);
  to.now_ms = core_.now_ms();
  to.committed = ending.how == Ending::How::kCommit;
  if (ending.how == Ending::How::kDiscard) to.instead = core_.discarded_topic;
  to.done = done;
  to.arg = &ending;
  std::string why;
  const std::int32_t status = to.op.queue == GANTRY_NO_QUEUE ? GANTRY_E_AGAIN : forward_held(core_, relay_, *record, to, &why);
  if (status != GANTRY_OK && !why.empty()) core_.say(GANTRY_LOG_ERROR, "transactions: the half message at queue offset " + std::to_string(ending.queue_off) + " " + why + "; it stays open");
  if (status != GANTRY_OK) on_stored(ending, status);
}

// What may be stored stays claimed until the op queue says so.
void Transactions::on_stored(Ending &ending, std::int32_t status) {
  const bool stored = status == GANTRY_OK || status == GANTRY_E_TIMEOUT;
  if (status == GANTRY_OK) queue_.set().on_settled(ending.queue_off);
  if (!stored) queue_.set().release(ending.queue_off, core_.now_ms());
  if (stored) counts_.forget(ending.queue_off);
  if (stored) count(ending.how == Ending::How::kCommit ? cells_.committed : ending.how == Ending::How::kRollback ? cells_.rolled_back : cells_.discarded);
  finish(ending, stored ? GANTRY_OK : status, is_undeliverable(status) ? GANTRY_SUBJECT_TOPIC : GANTRY_SUBJECT_STORE);
}

void Transactions::finish(Ending &ending, std::int32_t status, std::uint32_t subject, std::int64_t result) {
  if (ending.cq != 0) core_.complete(ending.cq, ending.user_data, status, status == GANTRY_OK ? GANTRY_SUBJECT_NONE : subject, result);
  endings_.erase(&ending);
}

}  // namespace gantry::semantics
