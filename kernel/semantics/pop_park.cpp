// Pops that wait: parked by group and topic, woken by a record in one of their queues, by a message stored again, or by their deadline.
#include "kernel/semantics/pop.hpp"

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kMaxParkedPerGroup = 1024;  // of one topic: RocketMQ's popPollingSize
constexpr std::size_t kMaxParked = 100'000;         // RocketMQ's maxPopPollingSize

// Jobs woken while others run on this thread are run after them, not inside them.
thread_local std::vector<PopJob *> *running = nullptr;

}  // namespace

Pop::Watch &Pop::watch_of(broker::Topic *topic) {
  std::unique_ptr<Watch> &watch = watches_[topic];
  if (watch == nullptr) {
    watch = std::make_unique<Watch>();
    watch->topic = topic;
  }
  return *watch;
}

bool Pop::anything_ready(PopJob &job) {
  broker::Topic *topic = nullptr;
  std::uint32_t queue_no = 0;
  bool retry = false;
  start_over(job);
  bool ready = false;
  while (!ready && next_target(job, &topic, &queue_no, &retry)) {
    gantry_queue_stat stat{};
    std::int64_t from = 0;
    ready = look(job, queue_of(job.group, job.group_name, topic, queue_no), &from, &stat) == Look::kReady;
  }
  start_over(job);
  return ready;
}

std::uint32_t Pop::park(PopJob &job) {
  std::unique_ptr<PopLane> &lane = lanes_[broker::OffsetKey{job.group, job.topic->handle, 0}];
  Watch &watch = watch_of(job.topic);
  if (lane == nullptr) {
    lane = std::make_unique<PopLane>();
    lane->group = job.group;
    lane->topic = job.topic;
    watch.lanes.push_back(lane.get());
  }
  if (draining_) return GANTRY_POP_NOTHING;
  if (lane->count >= kMaxParkedPerGroup || parked_.size() >= kMaxParked) return GANTRY_POP_FULL;
  // Counted first, looked again afterwards: a record that comes in between is seen here or wakes.
  for (; watch.counted < watch.topic->queues.size(); ++watch.counted) {
    broker::Queue &queue = watch.topic->queues[watch.counted];
    watched_[&queue] = {&watch, static_cast<std::int32_t>(watch.counted)};
    queue.waiter_count.fetch_add(1, std::memory_order_seq_cst);
  }
  ++watch.parked;
  PopJob **tail = &lane->head;
  while (*tail != nullptr) tail = &(*tail)->park_next;
  *tail = &job;
  job.park_next = nullptr;
  job.lane = lane.get();
  ++lane->count;
  parked_.insert(job);
  job.retry_topic = find_topic(pop_retry_topic(job.group_name, job.topic->name));
  if (!anything_ready(job)) return kParked;
  parked_.remove(job);
  unpark(job);
  return kLookAgain;
}

// The job is off the wheel already.
void Pop::unpark(PopJob &job) {
  PopLane &lane = *std::exchange(job.lane, nullptr);
  for (PopJob **link = &lane.head; *link != nullptr; link = &(*link)->park_next) {
    if (*link != &job) continue;
    *link = job.park_next;
    break;
  }
  --lane.count;
  Watch &watch = watch_of(job.topic);
  if (--watch.parked != 0) return;
  for (std::uint32_t i = 0; i < watch.counted; ++i) {
    watched_.erase(&watch.topic->queues[i]);
    watch.topic->queues[i].waiter_count.fetch_sub(1, std::memory_order_seq_cst);
  }
  watch.counted = 0;
}

// One pop, and every look before it: those take nothing away. queue_no < 0: something for all.
void Pop::wake(PopLane &lane, std::int32_t queue_no, std::vector<PopJob *> &woken) {
  for (PopJob *job = lane.head; job != nullptr;) {
    PopJob *const next = job->park_next;
    if (job->queue_no < 0 || queue_no < 0 || job->queue_no == queue_no) {
      const bool looks = (job->flags & GANTRY_POP_LOOK) != 0;
      parked_.remove(*job);
      unpark(*job);
      woken.push_back(job);
      if (!looks) return;
    }
    job = next;
  }
}

void Pop::wake_group(gantry_group group, const broker::Topic *topic) {
  std::vector<PopJob *> woken;
  {
    const std::lock_guard lock(mutex_);
    const auto it = lanes_.find(broker::OffsetKey{group, topic->handle, 0});
    if (it != lanes_.end()) wake(*it->second, -1, woken);
  }
  run_all(woken);
}

void Pop::on_arrival(void *self, broker::Queue &queue) {
  Pop &pop = *static_cast<Pop *>(self);
  std::vector<PopJob *> woken;
  {
    const std::lock_guard lock(pop.mutex_);
    const auto it = pop.watched_.find(&queue);
    if (it == pop.watched_.end()) return;
    const auto [watch, queue_no] = it->second;
    for (PopLane *lane : watch->lanes) pop.wake(*lane, queue_no, woken);
  }
  pop.run_all(woken);
}

void Pop::run_all(const std::vector<PopJob *> &woken) {
  if (running != nullptr) {
    running->insert(running->end(), woken.begin(), woken.end());
    return;
  }
  std::vector<PopJob *> jobs = woken;
  running = &jobs;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    start_over(*jobs[i]);
    run(jobs[i]);
  }
  running = nullptr;
}

void Pop::tick() {
  if (draining_) return;
  std::vector<PopJob *> over;
  std::vector<Revival *> revivals;
  std::vector<PopQueue *> unblocked;
  {
    const std::lock_guard lock(mutex_);
    parked_.advance(core_.monotonic_ms(), [&](broker::WheelNode &node) { over.push_back(&static_cast<PopJob &>(node)); });
    for (PopJob *job : over) unpark(*job);
    if (scan_ == Scan::kDone) collect_due(revivals, unblocked);
    write_late_rows();
    write_op_cursor();
    raise_hold();
  }
  if (scan_ == Scan::kNotBegun) scan_op_queue();
  for (PopJob *job : over) finish(job, GANTRY_POP_NOTHING);
  for (Revival *revival : revivals) revive(revival);
  for (const PopQueue *queue : unblocked) wake_group(queue->key.group, queue->topic);
  (void)core_.exec->timer_arm(core_.host, 0, broker::WaitWheel::kTickMs, [](void *self) noexcept { static_cast<Pop *>(self)->tick(); }, this);
}

void Pop::cancel(gantry_conn conn) {
  std::vector<PopJob *> gone;
  {
    const std::lock_guard lock(mutex_);
    if (parked_.size() == 0) return;
    for (const auto &[key, lane] : lanes_)
      for (PopJob *job = lane->head; job != nullptr; job = job->park_next)
        if (job->conn == conn) gone.push_back(job);
    for (PopJob *job : gone) {
      parked_.remove(*job);
      unpark(*job);
    }
  }
  for (PopJob *job : gone) {
    job->result->owner.release(&job->result->owner);
    core_.complete(job->cq, job->user_data, GANTRY_E_CANCELLED, GANTRY_SUBJECT_NONE);
    give_back(job);
  }
}

std::uint32_t Pop::waiting(gantry_group group, gantry_topic topic, std::int32_t queue_no) {
  const std::lock_guard lock(mutex_);
  const auto it = lanes_.find(broker::OffsetKey{group, topic, 0});
  std::uint32_t n = 0;
  if (it == lanes_.end()) return n;
  for (const PopJob *job = it->second->head; job != nullptr; job = job->park_next) n += (job->queue_no < 0 ? -1 : job->queue_no) == (queue_no < 0 ? -1 : queue_no) ? 1 : 0;
  return n;
}

// The topic whose pops also give the messages of this queue.
const broker::Topic *Pop::base_topic(const PopQueue &queue) {
  const std::string prefix = pop_retry_topic(queue.group, {});
  const std::string_view name = queue.topic->name;
  const broker::Topic *const base = name.starts_with(prefix) ? find_topic(name.substr(prefix.size())) : nullptr;
  return base != nullptr ? base : queue.topic;
}

}  // namespace gantry::semantics
