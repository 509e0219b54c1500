#include "kernel/semantics/pop.hpp"

#include "kernel/broker/registry/names.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::uint64_t kRetryShare = 5;                 // one pop of so many looks at the retry topic first, the others last
constexpr std::int64_t kLongestMs = INT32_MAX;
// A pop that finds nothing that matches in so many entries lets others have their turn, then goes on.
constexpr std::int64_t kMaxScanned = 4096;

std::int32_t refuse(gantry_error *err, std::int32_t code, std::uint32_t subject, std::string text) {
  return report(Error{code, std::move(text), static_cast<std::int32_t>(subject)}, err);
}

}  // namespace

void Pop::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].store_cq = core_.cq->create(core_.host, i, &Pop::on_read, &shards_[i]);
  }
  revive_cq_ = core_.cq->create(core_.host, 0, &Pop::on_revive_read, this);
  op_cq_ = core_.cq->create(core_.host, 0, &Pop::on_op_read, this);
  holder_ = broker_.retention_hold().add();
  restore();
  core_.pop = this;
  core_.forgetter = this;
  broker_.fetcher().on_wake(&Pop::on_arrival, this);
  (void)core_.exec->timer_arm(core_.host, 0, broker::WaitWheel::kTickMs, [](void *self) noexcept { static_cast<Pop *>(self)->tick(); }, this);
}

void Pop::drain() {
  draining_ = true;
  std::vector<PopJob *> all;
  {
    const std::lock_guard lock(mutex_);
    parked_.advance(std::int64_t{1} << 60, [&](broker::WheelNode &node) {
      auto &job = static_cast<PopJob &>(node);
      unpark(job);
      all.push_back(&job);
    });
    write_late_rows();
  }
  for (PopJob *job : all) finish(job, GANTRY_POP_NOTHING);
}

void Pop::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
  if (revive_cq_ != 0) core_.cq->close(core_.host, revive_cq_);
  if (op_cq_ != 0) core_.cq->close(core_.host, op_cq_);
  for (Revival *revival : revivals_) {
    if (revival->record != nullptr) revival->record->owner->release(revival->record->owner);
    delete revival;
  }
  revivals_.clear();
  shards_.clear();
  core_.pop = nullptr;
  core_.forgetter = nullptr;
}

PopJob *Pop::take_job() {
  const std::lock_guard lock(mutex_);
  if (free_jobs_.empty()) {
    jobs_.push_back(std::make_unique<PopJob>());
    return jobs_.back().get();
  }
  PopJob *job = free_jobs_.back();
  free_jobs_.pop_back();
  return job;
}

void Pop::give_back(PopJob *job) {
  *job = PopJob{};
  const std::lock_guard lock(mutex_);
  free_jobs_.push_back(job);
}

std::int32_t Pop::admit(const gantry_pop &req, PopJob &job, gantry_error *err) {
  const bool looks = (req.flags & GANTRY_POP_LOOK) != 0;
  if (req.max_records < 1 || req.max_records > GANTRY_POP_MAX_RECORDS || (!looks && (req.invisible_ms < 1 || req.invisible_ms > kLongestMs)))
    return refuse(err, GANTRY_E_INVALID, GANTRY_SUBJECT_NONE, "a pop takes 1 to 32 messages and hides them for 1 ms or longer");
  if (const std::int32_t status = admit_filter(req, job, err); status != GANTRY_OK) return status;
  const std::lock_guard lock(core_.mutex);
  const broker::Group *group = core_.groups.by_handle(req.group);
  if (group == nullptr) return refuse(err, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_GROUP, "no such group");
  if (!group->consume_enabled) return refuse(err, GANTRY_E_DENIED, GANTRY_SUBJECT_GROUP, "subscription group no permission, " + group->name);
  broker::Topic *topic = core_.topics.by_handle(req.topic);
  if (topic == nullptr) return refuse(err, GANTRY_E_NOT_FOUND, GANTRY_SUBJECT_TOPIC, "no such topic");
  if ((topic->settings.perm & GANTRY_PERM_READ) == 0) return refuse(err, GANTRY_E_DENIED, GANTRY_SUBJECT_TOPIC, "the topic[" + topic->name + "] peeking message is forbidden");
  if (req.queue_no >= 0 && static_cast<std::uint32_t>(req.queue_no) >= topic->settings.read_queues)
    return refuse(err, GANTRY_E_INVALID, GANTRY_SUBJECT_QUEUE,
                  "queueId[" + std::to_string(req.queue_no) + "] is illegal, topic:[" + topic->name + "] topicConfig.readQueueNums:[" + std::to_string(topic->settings.read_queues) + "]");
  if ((req.flags & GANTRY_POP_ORDER) == 0 && pop_retry_topic(group->name, topic->name).size() > broker::kMaxTopicNameBytes)
    return refuse(err, GANTRY_E_LIMIT, GANTRY_SUBJECT_TOPIC,
                  "the names of group and topic are too long together: " + pop_retry_topic(group->name, topic->name) + " has to be a topic of at most " + std::to_string(broker::kMaxTopicNameBytes) + " bytes");
  job.group_name = group->name;
  job.topic = topic;
  job.by_priority = topic->by_priority && (req.flags & GANTRY_POP_ORDER) == 0;
  return GANTRY_OK;
}

std::int32_t Pop::admit_filter(const gantry_pop &req, PopJob &job, gantry_error *err) {
  auto tags = std::make_shared<broker::TagSet>();
  if (req.expr.n == 0) return GANTRY_OK;  // everything, whatever the type
  if (broker::is_tag_type(view(req.expr_type))) {
    if (!parse_tags(view(req.expr), *tags)) return refuse(err, GANTRY_E_SYNTAX, GANTRY_SUBJECT_SUBSCRIPTION, "parse the consumer's subscription failed");
    if (!tags->any) job.tags = std::move(tags);
    return GANTRY_OK;
  }
  broker::CompiledFilter made = core_.filters.compile(view(req.expr_type), view(req.expr), err);
  if (made.program == nullptr) {
    if (err != nullptr) err->detail = GANTRY_SUBJECT_SUBSCRIPTION;
    return made.status;
  }
  tags->any = false;
  if (made.program->reduced() == GANTRY_REDUCED_FALSE) job.tags = std::move(tags);
  if (made.program->reduced() == GANTRY_REDUCED_NONE) job.filter = std::move(made.program);
  return GANTRY_OK;
}

// True: the job goes on in another turn of its shard.
bool Pop::run_later(PopJob &job) {
  struct Resume {
    Pop *pop;
    PopJob *job;
  };
  job.scanned = 0;
  auto resume = std::make_unique<Resume>(Resume{this, &job});
  const auto fn = [](void *arg) noexcept {
    const std::unique_ptr<Resume> owned(static_cast<Resume *>(arg));
    owned->pop->run(owned->job);
  };
  if (core_.exec->post(core_.host, shard_index(), fn, resume.get()) != GANTRY_OK) return false;
  (void)resume.release();
  return true;
}

std::int32_t Pop::pop(const gantry_pop &req, gantry_cq cq, gantry_error *err) {
  if (shard_index() >= shards_.size() || draining_) return refuse(err, GANTRY_E_CLOSED, GANTRY_SUBJECT_BROKER, "the broker is shutting down");
  PopJob *job = take_job();
  const std::int32_t status = admit(req, *job, err);
  if (status != GANTRY_OK) {
    give_back(job);
    return status;
  }
  job->user_data = req.user_data;
  job->cq = cq;
  job->conn = req.conn;
  job->group = req.group;
  job->queue_no = req.queue_no;
  job->max_records = req.max_records;
  job->flags = req.flags;
  job->invisible_ms = req.invisible_ms;
  job->attempt = view(req.attempt);
  job->may_wait = req.wait_ms > 0;
  job->deadline_ms = core_.monotonic_ms() + req.wait_ms;
  job->result = PopResult::make();
  {
    const std::lock_guard lock(mutex_);
    job->begin = static_cast<std::uint32_t>(++next_pop_);
    job->retry_first = (req.flags & GANTRY_POP_LOOK) == 0 && next_pop_ % kRetryShare == 0 && !job->by_priority;
  }
  run(job);
  return GANTRY_OK;
}

broker::Topic *Pop::find_topic(std::string_view name) {
  const std::lock_guard lock(core_.mutex);
  return core_.topics.find(name);
}

// The queues a pop looks at, each once: its own and those of the retry topic, beginning at a different one each time, or, where messages
// have priorities, at the highest.
bool Pop::next_target(PopJob &job, broker::Topic **topic, std::uint32_t *queue_no, bool *retry) {
  const bool ordered = (job.flags & GANTRY_POP_ORDER) != 0;
  for (; job.stage < 2; ++job.stage, job.step = 0) {
    *retry = job.retry_first == (job.stage == 0);
    if (*retry && ordered) continue;
    *topic = *retry ? job.retry_topic : job.topic;
    if (*topic == nullptr) continue;
    if (!*retry && job.queue_no >= 0) {
      if (job.step != 0) continue;
      *queue_no = static_cast<std::uint32_t>(job.queue_no);
    } else {
      const std::uint32_t queues = (*topic)->settings.read_queues;
      if (job.step >= queues) continue;
      *queue_no = job.by_priority ? queues - 1 - job.step : (job.begin + job.step) % queues;
    }
    ++job.step;
    return true;
  }
  return false;
}

Pop::Look Pop::look(PopJob &job, PopQueue &queue, std::int64_t *from, gantry_queue_stat *stat) {
  *stat = stat_of(queue);
  if ((job.flags & GANTRY_POP_LOOK) != 0 && queue.cursor < 0 && !committed_of(queue.key).has_value()) {
    *from = stat->min_off;
    return *from < stat->max_off ? Look::kReady : Look::kEmpty;
  }
  RowOps rows;
  begin_or_follow(queue, (job.flags & GANTRY_POP_FROM_END) != 0, rows);
  if (!queue.busy && (queue.cursor < stat->min_off || queue.cursor > stat->max_off)) {
    queue.cursor = std::clamp(queue.cursor, stat->min_off, stat->max_off);
    note_progress(queue, rows);
  }
  (void)write(rows, 0, 0);
  *from = queue.cursor;
  if (*from >= stat->max_off) return Look::kEmpty;
  if (queue.busy) return Look::kBusy;
  const bool same_attempt = queue.order != nullptr && !job.attempt.empty() && job.attempt == queue.order->attempt;
  if ((job.flags & GANTRY_POP_ORDER) != 0 && queue.order != nullptr && !same_attempt && queue.order->blocks(core_.now_ms())) return Look::kBlocked;
  return Look::kReady;
}

// Goes on with a pop until it is answered, parked, or waiting for the store.
void Pop::run(PopJob *job) {
  broker::Topic *topic = nullptr;
  std::uint32_t queue_no = 0;
  bool retry = false, found = false;
  for (;;) {
    if (job->stage == 0 && job->step == 0) {
      job->pop_ms = core_.now_ms();
      job->retry_topic = find_topic(pop_retry_topic(job->group_name, job->topic->name));
    }
    while (job->result->records.size() < job->max_records && next_target(*job, &topic, &queue_no, &retry)) {
      gantry_read read{};
      {
        const std::lock_guard lock(mutex_);
        PopQueue &queue = queue_of(job->group, job->group_name, topic, queue_no);
        gantry_queue_stat stat{};
        std::int64_t from = 0;
        const Look seen = look(*job, queue, &from, &stat);
        if (seen == Look::kBusy) job->result->abi.rest += stat.max_off - from;
        if (seen != Look::kReady) continue;
        found = (job->flags & GANTRY_POP_LOOK) != 0;
        if (found) break;
        queue.busy = true;
        job->reading = &queue;
        job->read_from = from;
        job->read_epoch = queue.epoch;
        read.queue = topic->queues[queue_no].store_queue.load(std::memory_order_acquire);
      }
      read.user_data = reinterpret_cast<std::uint64_t>(job);
      read.offset = job->read_from;
      read.max_records = job->max_records - static_cast<std::uint32_t>(job->result->records.size());
      read.max_bytes = kMaxBytesPerQueue;
      if (job->filter != nullptr) {
        read.max_records = job->filter->read_size(read.max_records);
        read.max_bytes = broker::kFilterReadBytes;
      }
      if (job->tags != nullptr) {
        read.tags = job->tags->codes.data();
        read.n_tags = static_cast<std::uint32_t>(job->tags->codes.size());
      } else {
        read.flags = GANTRY_READ_ANY_TAG;
      }
      const gantry_read_result *at_hand = nullptr;
      const std::uint32_t shard = shard_index();
      const std::int32_t accepted = core_.store.table->read(core_.store.self, shard, &read, 1, &at_hand, shards_[shard].store_cq);
      if (accepted < 1) return failed(job, accepted < 0 ? accepted : GANTRY_E_AGAIN);
      if (at_hand == nullptr) return;
      if (!take(*job, at_hand)) return;
      if (job->scanned > kMaxScanned && job->result->records.empty() && run_later(*job)) return;
    }
    if (!job->result->records.empty() || found) return finish(job, GANTRY_POP_FOUND);
    std::uint32_t outcome = GANTRY_POP_NOTHING;
    if (job->may_wait) {
      const std::lock_guard lock(mutex_);
      outcome = park(*job);
    }
    if (outcome == kParked) return;
    if (outcome != kLookAgain) return finish(job, outcome);
    start_over(*job);
  }
}

void Pop::start_over(PopJob &job) {
  job.stage = job.step = 0;
  job.result->abi.rest = 0;
}

}  // namespace gantry::semantics
