#include "kernel/broker/fetch/fetcher.hpp"

#include "kernel/broker/fetch/fetch_result.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::broker {

namespace {

// What one reply carries at most: RocketMQ's limit for messages in memory.
constexpr std::uint32_t kMaxReplyBytes = 256u << 10;
constexpr std::uint32_t kMaxReplyRecords = 1024;
// So many messages are looked at in vain before a filtered fetch is answered and comes again: RocketMQ's is 800.
constexpr std::uint32_t kMaxLookedAt = 1024;

// What a filter lets through is left to it, unless it lets through everything or nothing.
void use(const std::shared_ptr<const FilterProgram> &program, Waiter &waiter) {
  static const auto nothing = std::make_shared<const TagSet>(TagSet{false, {}});
  if (program->reduced() == GANTRY_REDUCED_FALSE) waiter.tags = nothing;
  if (program->reduced() == GANTRY_REDUCED_NONE) waiter.filter = program;
}

}  // namespace

void Fetcher::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].store_cq = core_.cq->create(core_.host, i, &Fetcher::on_store, &shards_[i]);
  }
}

void Fetcher::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
}

Waiter *Fetcher::take() {
  const std::lock_guard lock(pool_mutex_);
  if (free_.empty()) {
    pool_.push_back(std::make_unique<Waiter>());
    return pool_.back().get();
  }
  Waiter *waiter = free_.back();
  free_.pop_back();
  return waiter;
}

void Fetcher::give_back(Waiter *waiter) {
  *waiter = Waiter{};
  const std::lock_guard lock(pool_mutex_);
  free_.push_back(waiter);
}

std::int32_t Fetcher::fetch(const gantry_fetch *reqs, std::uint32_t n, gantry_cq cq) {
  if (shard_index() >= shards_.size()) return GANTRY_E_INVALID;
  for (std::uint32_t i = 0; i < n; ++i) {
    Waiter *waiter = take();
    waiter->user_data = reqs[i].user_data;
    waiter->cq = cq;
    const bool compiles = (reqs[i].flags & GANTRY_FETCH_OWN_EXPR) != 0 && !is_tag_type(view(reqs[i].expr_type));
    const CompiledFilter own = compiles ? core_.filters.compile(view(reqs[i].expr_type), view(reqs[i].expr), nullptr) : CompiledFilter{};
    const Verdict verdict = admit(reqs[i], own, *waiter);
    if (verdict.status == GANTRY_OK)
      run(waiter);
    else
      fail(waiter, verdict.status, verdict.subject);
  }
  return static_cast<std::int32_t>(n);
}

Fetcher::Verdict Fetcher::admit(const gantry_fetch &req, const CompiledFilter &own, Waiter &waiter) {
  const std::lock_guard lock(core_.mutex);
  const Group *group = core_.groups.by_handle(req.group);
  if (group == nullptr) return {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_GROUP};
  if (!group->consume_enabled) return {GANTRY_E_DENIED, GANTRY_SUBJECT_GROUP};
  Topic *topic = core_.topics.by_handle(req.topic);
  if (topic == nullptr) return {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC};
  if ((topic->settings.perm & GANTRY_PERM_READ) == 0) return {GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC};
  if (req.queue_no >= topic->settings.read_queues) return {GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE};
  const Verdict verdict = admit_subscription(req, own, *group, *topic, waiter);
  if (verdict.status != GANTRY_OK) return verdict;
  if (req.commit_offset >= 0) core_.offsets.set(OffsetKey{req.group, req.topic, req.queue_no}, req.commit_offset);

  waiter.gets = core_.stats.gets(req.group, req.topic);
  waiter.queue = &topic->queues[req.queue_no];
  waiter.offset = waiter.scan_off = req.offset;
  waiter.max_records = std::clamp(req.max_records, 1u, kMaxReplyRecords);
  waiter.max_bytes = req.max_bytes == 0 ? kMaxReplyBytes : std::min(req.max_bytes, kMaxReplyBytes);
  waiter.may_wait = req.wait_ms > 0;
  waiter.deadline_ms = core_.monotonic_ms() + req.wait_ms;
  return {};
}

Fetcher::Verdict Fetcher::admit_subscription(const gantry_fetch &req, const CompiledFilter &own, const Group &group, const Topic &topic, Waiter &waiter) {
  if ((req.flags & GANTRY_FETCH_OWN_EXPR) != 0) {
    if (!is_tag_type(view(req.expr_type))) {
      if (own.program == nullptr) return {own.status, GANTRY_SUBJECT_SUBSCRIPTION};
      use(own.program, waiter);
      return {};
    }
    TagSet tags;
    if (!parse_tags(view(req.expr), tags)) return {GANTRY_E_SYNTAX, GANTRY_SUBJECT_SUBSCRIPTION};
    if (!tags.any) waiter.tags = std::make_shared<TagSet>(std::move(tags));
    return {};
  }
  const ConsumerGroup *members = core_.sessions.group(group.name);
  if (members == nullptr) return {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_SUBSCRIPTION};
  if (members->model == GANTRY_MODEL_BROADCASTING && !group.broadcast_enabled) return {GANTRY_E_DENIED, GANTRY_SUBJECT_GROUP};
  const auto it = members->subscriptions.find(topic.name);
  if (it == members->subscriptions.end()) return {GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_SUBSCRIPTION};
  if (it->second.version < req.sub_version) return {GANTRY_E_STALE, GANTRY_SUBJECT_SUBSCRIPTION};
  if (!is_tag_type(it->second.type)) {
    const CompiledFilter &filter = it->second.filter;
    if (filter.program == nullptr) return filter.status == GANTRY_E_SYNTAX ? Verdict{GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_FILTER} : Verdict{filter.status, GANTRY_SUBJECT_SUBSCRIPTION};
    use(filter.program, waiter);
    return {};
  }
  if (!it->second.tags->any) waiter.tags = it->second.tags;
  return {};
}

gantry_queue_stat Fetcher::stat_of(const Queue &queue) const {
  gantry_queue_stat stat{};
  const gantry_queue handle = queue.store_queue.load(std::memory_order_acquire);
  if (handle != GANTRY_NO_QUEUE) (void)core_.store.table->queue_stat(core_.store.self, handle, &stat);
  return stat;
}

// Goes on with a fetch from scan_off until it is answered, parked, or waiting for the store.
void Fetcher::run(Waiter *waiter) {
  for (;;) {
    const gantry_queue_stat stat = stat_of(*waiter->queue);
    if (waiter->offset < stat.min_off) return finish(waiter, GANTRY_FETCH_MOVED, stat.min_off, nullptr, stat);
    if (waiter->offset > stat.max_off) return finish(waiter, GANTRY_FETCH_MOVED, stat.max_off, nullptr, stat);
    if (waiter->scan_off >= stat.max_off) {
      if (!waiter->may_wait) {
        const bool scanned = waiter->scan_off > waiter->offset;
        return finish(waiter, scanned ? GANTRY_FETCH_NO_MATCHED : GANTRY_FETCH_NO_NEW, waiter->scan_off, nullptr, stat);
      }
      if (park(waiter)) return;
      continue;
    }
    gantry_read read{};
    read.user_data = reinterpret_cast<std::uint64_t>(waiter);
    read.queue = waiter->queue->store_queue.load(std::memory_order_acquire);
    read.offset = waiter->scan_off;
    read.max_records = waiter->filter != nullptr ? waiter->filter->read_size(waiter->max_records) : waiter->max_records;
    read.max_bytes = waiter->filter != nullptr ? kFilterReadBytes : waiter->max_bytes;
    if (waiter->tags != nullptr) {
      read.tags = waiter->tags->codes.data();
      read.n_tags = static_cast<std::uint32_t>(waiter->tags->codes.size());
    } else {
      read.flags = GANTRY_READ_ANY_TAG;
    }
    const gantry_read_result *inline_result = nullptr;
    const std::uint32_t shard = shard_index();
    const std::int32_t accepted = core_.store.table->read(core_.store.self, shard, &read, 1, &inline_result, shards_[shard].store_cq);
    if (accepted < 1) return fail(waiter, accepted < 0 ? accepted : GANTRY_E_AGAIN, GANTRY_SUBJECT_STORE);
    if (inline_result == nullptr || !on_result(waiter, inline_result)) return;
  }
}

// False: the fetch is answered. True: it goes on with run.
bool Fetcher::on_result(Waiter *waiter, const gantry_read_result *result) {
  if (waiter->filter != nullptr && result->n != 0) return on_filtered(waiter, result);
  gantry_queue_stat stat{};
  stat.min_off = result->min_off;
  stat.max_off = result->max_off;
  if (result->n != 0) {
    finish(waiter, GANTRY_FETCH_FOUND, result->next_off, result, stat);
    return false;
  }
  const std::uint32_t stop = result->stop;
  const std::int64_t next_off = result->next_off;
  result->owner->release(result->owner);
  if (stop != GANTRY_STOP_RANGE) return on_nothing(waiter, stop, next_off, stat);
  finish(waiter, GANTRY_FETCH_MOVED, waiter->scan_off < stat.min_off ? stat.min_off : stat.max_off, nullptr, stat);
  return false;
}

bool Fetcher::on_filtered(Waiter *waiter, const gantry_read_result *result) {
  thread_local Selected selected;
  select(*waiter->filter, shard_index(), *result, waiter->max_records, waiter->max_bytes, &selected);
  gantry_queue_stat stat{};
  stat.min_off = result->min_off;
  stat.max_off = result->max_off;
  if (!selected.records.empty()) {
    answer(waiter, make_fetch_result(selected.records, selected.next_off, stat.min_off, stat.max_off, *result));
    return false;
  }
  const std::uint32_t stop = selected.stopped ? GANTRY_STOP_LIMIT : result->stop;
  result->owner->release(result->owner);
  // Not passed over: whoever asks again, asks for the same messages.
  if (selected.over_budget) {
    fail(waiter, GANTRY_E_BUDGET, GANTRY_SUBJECT_FILTER);
    return false;
  }
  waiter->looked_at += selected.looked_at;
  if (stop == GANTRY_STOP_LIMIT && !selected.stopped && waiter->looked_at < kMaxLookedAt) {
    waiter->scan_off = selected.next_off;
    return true;
  }
  return on_nothing(waiter, stop, selected.next_off, stat);
}

// A first pass that filtered everything out is answered, so that the client moves on; a parked fetch keeps waiting at the end.
bool Fetcher::on_nothing(Waiter *waiter, std::uint32_t stop, std::int64_t next_off, const gantry_queue_stat &stat) {
  waiter->scan_off = next_off;
  if (waiter->parked && stop == GANTRY_STOP_END && waiter->may_wait) return true;
  finish(waiter, GANTRY_FETCH_NO_MATCHED, next_off, nullptr, stat);
  return false;
}

// False when something arrived meanwhile: look again instead.
bool Fetcher::park(Waiter *waiter) {
  const std::lock_guard lock(core_.mutex);
  if (releasing_) {
    waiter->may_wait = false;
    return false;
  }
  waiter->queue->waiter_count.fetch_add(1, std::memory_order_seq_cst);
  if (stat_of(*waiter->queue).max_off > waiter->scan_off) {
    waiter->queue->waiter_count.fetch_sub(1, std::memory_order_seq_cst);
    return false;
  }
  waiter->queue_next = waiter->queue->waiters;
  if (waiter->queue_next != nullptr) waiter->queue_next->queue_link = &waiter->queue_next;
  waiter->queue_link = &waiter->queue->waiters;
  waiter->queue->waiters = waiter;
  waiter->parked = true;
  waiter->looked_at = 0;
  wheel_.insert(*waiter);
  arm_tick();
  return true;
}

void Fetcher::unlink(Waiter &waiter) {
  *waiter.queue_link = waiter.queue_next;
  if (waiter.queue_next != nullptr) waiter.queue_next->queue_link = waiter.queue_link;
  waiter.queue_link = nullptr;
  waiter.queue->waiter_count.fetch_sub(1, std::memory_order_seq_cst);
}

void Fetcher::wake(Queue &queue) {
  std::vector<Waiter *> woken;
  {
    const std::lock_guard lock(core_.mutex);
    while (queue.waiters != nullptr) {
      Waiter *waiter = queue.waiters;
      unlink(*waiter);
      wheel_.remove(*waiter);
      woken.push_back(waiter);
    }
  }
  // Oldest first: the list grows at its head.
  for (auto it = woken.rbegin(); it != woken.rend(); ++it) run(*it);
  if (wake_fn_ != nullptr) wake_fn_(wake_arg_, queue);
}

void Fetcher::on_tick() {
  std::vector<Waiter *> due;
  {
    const std::lock_guard lock(core_.mutex);
    wheel_.advance(core_.monotonic_ms(), [&](WheelNode &node) {
      auto &waiter = static_cast<Waiter &>(node);
      unlink(waiter);
      due.push_back(&waiter);
    });
    tick_armed_ = false;
    if (wheel_.size() != 0) arm_tick();
  }
  for (Waiter *waiter : due) {
    waiter->may_wait = false;
    run(waiter);
  }
}

void Fetcher::release_all() {
  std::vector<Waiter *> all;
  {
    const std::lock_guard lock(core_.mutex);
    releasing_ = true;
    wheel_.advance(std::int64_t{1} << 60, [&](WheelNode &node) {
      auto &waiter = static_cast<Waiter &>(node);
      unlink(waiter);
      all.push_back(&waiter);
    });
  }
  for (Waiter *waiter : all) {
    waiter->may_wait = false;
    run(waiter);
  }
}

void Fetcher::forget(Topic &topic) {
  std::vector<Waiter *> gone;
  {
    const std::lock_guard lock(core_.mutex);
    for (Queue &queue : topic.queues) {
      while (queue.waiters != nullptr) {
        Waiter *waiter = queue.waiters;
        unlink(*waiter);
        wheel_.remove(*waiter);
        gone.push_back(waiter);
      }
    }
  }
  for (Waiter *waiter : gone) fail(waiter, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC);
}

// Timers belong to a shard: the tick lives on shard 0. Under the mutex.
void Fetcher::arm_tick() {
  if (tick_armed_) return;
  tick_armed_ = true;
  const auto tick = [](void *self) noexcept { static_cast<Fetcher *>(self)->on_tick(); };
  if (shard_index() == 0) {
    (void)core_.exec->timer_arm(core_.host, 0, WaitWheel::kTickMs, tick, this);
    return;
  }
  const auto arm = [](void *self) noexcept {
    auto *fetcher = static_cast<Fetcher *>(self);
    (void)fetcher->core_.exec->timer_arm(fetcher->core_.host, 0, WaitWheel::kTickMs, [](void *f) noexcept { static_cast<Fetcher *>(f)->on_tick(); }, fetcher);
  };
  (void)core_.exec->post(core_.host, 0, arm, this);
}

void Fetcher::finish(Waiter *waiter, std::uint32_t outcome, std::int64_t next_off, const gantry_read_result *result, const gantry_queue_stat &stat) {
  answer(waiter, make_fetch_result(outcome, next_off, stat.min_off, stat.max_off, result));
}

void Fetcher::answer(Waiter *waiter, const gantry_fetch_result *result) {
  if (waiter->gets != nullptr && result->n != 0) {
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < result->n; ++i) bytes += result->records[i].bytes.n;
    waiter->gets->traffic.add(result->n, bytes);
    core_.stats.get.traffic.add(result->n, bytes);
  }
  const gantry_cqe cqe{waiter->user_data, 0, reinterpret_cast<std::uint64_t>(result), GANTRY_OK, 0};
  if (core_.cq->push(core_.host, waiter->cq, &cqe, 1) != GANTRY_OK) result->owner->release(result->owner);
  give_back(waiter);
}

void Fetcher::fail(Waiter *waiter, std::int32_t status, std::uint32_t subject) {
  core_.complete(waiter->cq, waiter->user_data, status, subject);
  give_back(waiter);
}

// A request that the store alone answers. `ask` hands it over: (shard, user data and queue of the completion, where an inline result goes).
template <typename Ask>
std::int32_t Fetcher::ask_store(Waiter::Kind kind, std::uint64_t user_data, gantry_cq cq, Ask ask) {
  const std::uint32_t shard = shard_index();
  if (shard >= shards_.size()) return GANTRY_E_INVALID;
  Waiter *waiter = take();
  waiter->kind = kind;
  waiter->user_data = user_data;
  waiter->cq = cq;
  const gantry_read_result *inline_result = nullptr;
  const std::int32_t status = ask(shard, reinterpret_cast<std::uint64_t>(waiter), shards_[shard].store_cq, &inline_result);
  if (status < 0)
    fail(waiter, status, GANTRY_SUBJECT_STORE);
  else if (inline_result != nullptr)
    finish(waiter, GANTRY_FETCH_FOUND, 0, inline_result, {});
  return GANTRY_OK;
}

std::int32_t Fetcher::message_at(std::int64_t phys_pos, std::uint64_t user_data, gantry_cq cq) {
  return ask_store(Waiter::Kind::kMessageAt, user_data, cq, [&](std::uint32_t shard, std::uint64_t own_data, gantry_cq own_cq, const gantry_read_result **out) {
    return core_.store.table->read_at(core_.store.self, shard, phys_pos, own_data, out, own_cq);
  });
}

std::int32_t Fetcher::read_queue(gantry_read read, std::uint64_t user_data, gantry_cq cq) {
  return ask_store(Waiter::Kind::kMessageAt, user_data, cq, [&](std::uint32_t shard, std::uint64_t own_data, gantry_cq own_cq, const gantry_read_result **out) {
    read.user_data = own_data;
    const std::int32_t accepted = core_.store.table->read(core_.store.self, shard, &read, 1, out, own_cq);
    return accepted == 0 ? GANTRY_E_AGAIN : accepted;
  });
}

std::int32_t Fetcher::seek_time(gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) {
  return ask_store(Waiter::Kind::kPassThrough, user_data, cq, [&](std::uint32_t shard, std::uint64_t own_data, gantry_cq own_cq, const gantry_read_result **) {
    return core_.store.table->seek_time(core_.store.self, shard, queue, ms, own_data, own_cq);
  });
}

std::int32_t Fetcher::write_meta(const gantry_meta_op *ops, std::uint32_t n, std::uint64_t user_data, gantry_cq cq) {
  return ask_store(Waiter::Kind::kPassThrough, user_data, cq, [&](std::uint32_t, std::uint64_t own_data, gantry_cq own_cq, const gantry_read_result **) {
    return core_.store.table->meta_write(core_.store.self, ops, n, GANTRY_DURABILITY_DEFAULT, own_data, own_cq);
  });
}

void Fetcher::on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  Fetcher *fetcher = static_cast<Shard *>(self)->owner;
  for (std::uint32_t i = 0; i < n; ++i) {
    auto *waiter = reinterpret_cast<Waiter *>(cqes[i].user_data);
    if (cqes[i].status != GANTRY_OK) {
      fetcher->fail(waiter, cqes[i].status, GANTRY_SUBJECT_STORE);
      continue;
    }
    const auto *result = reinterpret_cast<const gantry_read_result *>(cqes[i].aux);
    switch (waiter->kind) {
      case Waiter::Kind::kFetch:
        if (fetcher->on_result(waiter, result)) fetcher->run(waiter);
        break;
      case Waiter::Kind::kMessageAt:
        fetcher->finish(waiter, GANTRY_FETCH_FOUND, 0, result, {});
        break;
      case Waiter::Kind::kPassThrough:
        fetcher->core_.complete(waiter->cq, waiter->user_data, GANTRY_OK, 0, cqes[i].result);
        fetcher->give_back(waiter);
        break;
    }
  }
}

}  // namespace gantry::broker
