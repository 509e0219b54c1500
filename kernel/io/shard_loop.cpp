// The loop: gather what is ready, run it, end the turn.
#include "kernel/io/shard.hpp"

#include <algorithm>
#include <ctime>

#include "kernel/io/connect.hpp"
#include "kernel/io/listen.hpp"
#include "kernel/io/set_inner.hpp"

namespace gantry::io {
namespace {
constexpr std::uint32_t kEndRounds = 4;        // of a turn's end, until nothing new comes up
constexpr std::int64_t kOffsetMaxAgeMs = 100;  // between readings of the wall clock
constexpr std::int64_t kStallRetryMs = 20;

constexpr std::int64_t kNsPerMs = 1'000'000;

std::int64_t read_ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}
}  // namespace

std::int64_t monotonic_ns() { return read_ns(CLOCK_MONOTONIC); }
std::int64_t monotonic_ms() { return monotonic_ns() / kNsPerMs; }
std::int64_t wall_clock_ms() { return read_ns(CLOCK_REALTIME) / kNsPerMs; }

void Shard::run() {
  while (!stopping_) turn();
  shut_down();
}

void Shard::turn() {
  const auto events = gather();
  refresh_clock();
  counters_.add(Count::kTurns);
  dispatch(events);
  accept_ready();
  run_tasks();
  timers_.run_due(now_ms_);
  end_turn();
}

bool Shard::work_waits() const {
  return !local_tasks_.empty() || !ready_queues_.empty() || !hooks_.empty() || !events_.empty() || !dirty_.empty() || !closing_.empty() ||
         !ready_acceptors_.empty() || inbox_.filled();
}

std::span<const epoll_event> Shard::gather() {
  if (work_waits()) return poller_.wait(0);
  // Sequentially consistent together with the inbox: see there.
  sleeping_.store(true);
  const auto events = poller_.wait(inbox_.filled() ? 0 : sleep_ms());
  sleeping_.store(false, std::memory_order_relaxed);
  return events;
}

// Until the next timer; below 0: none. Rounded up, so that it is due then.
int Shard::sleep_ms() const {
  const std::int64_t deadline_ms = timers_.next_deadline_ms();
  if (deadline_ms == Timers::kNever) return -1;
  constexpr std::int64_t kLongest = 3'600'000;
  return static_cast<int>(std::clamp<std::int64_t>(deadline_ms - monotonic_ms(), 0, kLongest));
}

void Shard::refresh_clock() {
  const std::int64_t now_ns = monotonic_ns();
  now_ms_ = now_ns / kNsPerMs;
  if (now_ms_ - offset_read_ms_ >= kOffsetMaxAgeMs) {
    wall_offset_ns_ = read_ns(CLOCK_REALTIME) - now_ns;
    offset_read_ms_ = now_ms_;
  }
  wall_ms_ = (now_ns + wall_offset_ns_) / kNsPerMs;  // in ns until here: two rounded halves would lag by a millisecond
}

void Shard::dispatch(std::span<const epoll_event> events) {
  for (const epoll_event &raw : events) {
    const ReadyEvent event = Poller::decode(raw);
    if (event.kind == Ready::kConnection) {
      if (Connection *conn = connections_.find(event.name)) on_ready(*conn, event.events);
    } else if (event.kind == Ready::kListener) {
      acceptor_ready(*acceptors_[event.name]);
    } else if (event.kind == Ready::kWatch) {
      if (const auto found = watches_.find(event.name); found != watches_.end()) found->second.fn(found->second.arg);
    }
  }
}

void Shard::run_tasks() {
  tasks_.clear();
  tasks_.swap(local_tasks_);
  for (const Task &task : tasks_) task.fn(task.arg);
  tasks_.clear();
  inbox_.take(tasks_);
  for (const Task &task : tasks_) task.fn(task.arg);
  tasks_.clear();
}

void Shard::accept_ready() {
  if (ready_acceptors_.empty()) return;
  std::vector<Acceptor *> ready;
  ready.swap(ready_acceptors_);
  for (Acceptor *acceptor : ready) acceptor->accept_some(*this);
}

void Shard::end_turn() {
  for (std::uint32_t round = 0; round < kEndRounds; ++round) {
    bool completed = false;
    for (std::uint32_t inner = 0; inner < kEndRounds; ++inner) {
      const bool hooked = run_hooks();
      completed |= deliver_completions();
      if (!deliver_events() && !hooked && ready_queues_.empty()) break;
    }
    if (completed) retry_stalled();
    if (hooks_.empty() && ready_queues_.empty()) {
      flush_dirty();
      finish_closings();
      if (hooks_.empty() && ready_queues_.empty() && dirty_.empty()) break;
    }
  }
  run_hooks();
  flush_dirty();
  finish_closings();
  if (!stalled_.empty() && stall_timer_ == 0) {
    // A completion of another shard may have been what they wait for.
    stall_timer_ = arm(kStallRetryMs, [](void *self) noexcept {
      static_cast<Shard *>(self)->stall_timer_ = 0;
      static_cast<Shard *>(self)->retry_stalled();
    }, this);
  }
}

bool Shard::run_hooks() {
  if (hooks_.empty()) return false;
  hooks_running_.clear();
  hooks_running_.swap(hooks_);
  for (const Task &hook : hooks_running_) hook.fn(hook.arg);
  return true;
}

bool Shard::deliver_completions() {
  if (ready_queues_.empty()) return false;
  queues_running_.clear();
  queues_running_.swap(ready_queues_);
  std::uint64_t delivered = 0;
  for (const gantry_cq cq : queues_running_) delivered += set.queues.deliver(cq, spare_cqes_);
  return delivered != 0;
}

void Shard::shut_down() {
  connections_.for_each([this](Connection &conn) { close(conn, CloseCause::kShutdown, GANTRY_E_CLOSED, "the broker stops"); });
  // What was posted is run, and what that posts, until the inbox is closed; a chain that re-posts itself for ever is cut.
  constexpr int kMaxRounds = 10'000;
  for (int round = 0; round < kMaxRounds; ++round) {
    refresh_clock();
    run_tasks();
    end_turn();
    connections_.for_each([this](Connection &conn) { close(conn, CloseCause::kShutdown, GANTRY_E_CLOSED, "the broker stops"); });
    if (!work_waits() && inbox_.close_if_empty()) break;
  }
  finish_closings();
}

}  // namespace gantry::io
