#include "kernel/io/shard.hpp"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "kernel/io/connect.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {

// Signals are for the control thread; synchronous ones reach the thread that caused them anyway.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, signal);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

void pin_to_cpu(std::uint32_t index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  const auto count = static_cast<std::uint32_t>(CPU_COUNT(&allowed));
  std::uint32_t wanted = index % count;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || wanted-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (pthread_setaffinity_np(pthread_self(), sizeof one, &one) != 0) log_warn("io", "shard ", index, " could not be pinned to CPU ", cpu);
    return;
  }
}

struct Announcement {
  static void run(void *arg) noexcept { Shard::current()->enlist(reinterpret_cast<gantry_cq>(arg)); }
};

}  // namespace

Shard::Shard(ShardSetInner &owner, std::uint32_t i)
    : index(i), set(owner), counters_(i), scratch_(std::make_unique_for_overwrite<std::uint8_t[]>(kHeadBytes + kReadBytes + kHeadBytes)) {}

Shard::~Shard() = default;

Result<void> Shard::open() {
  GANTRY_TRY(poller_.open());
  refresh_clock();
  return {};
}

bool Shard::post(Task task) {
  if (current_ == this) {
    local_tasks_.push_back(task);
    return true;
  }
  if (!inbox_.push(task)) return false;
  // A burst of pushes wakes once: whoever finds the flag set takes it.
  if (sleeping_.load() && sleeping_.exchange(false)) {
    count_shared(set.wakeups);
    poller_.wake();
  }
  return true;
}

bool Shard::announce(gantry_cq cq) { return post({&Announcement::run, reinterpret_cast<void *>(cq)}); }

void Shard::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("shard-" + std::to_string(index)).c_str());
    block_signals();
    if (set.options.pin_shards) pin_to_cpu(index);
    current_ = this;
    run();
    current_ = nullptr;
  });
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

void Shard::refuse_posts() {
  std::vector<Task> unwanted;
  inbox_.take(unwanted);
  GANTRY_ASSERT(inbox_.close_if_empty());
}

std::uint64_t Shard::arm(std::int64_t delay_ms, gantry_task_fn fn, void *arg) {
  // now_ms_ is of the turn's start and lies up to a turn back; a timer must not run early.
  if (delay_ms <= 0) return timers_.arm(now_ms_, fn, arg);
  constexpr std::int64_t kLongest = std::int64_t{1} << 40;  // 35 years
  const std::int64_t rounded_up = (monotonic_ns() + 999'999) / 1'000'000;
  return timers_.arm(rounded_up + (delay_ms < kLongest ? delay_ms : kLongest), fn, arg);
}

bool Shard::await_connections(int fd, Acceptor &acceptor) {
  if (!poller_.add(fd, Ready::kListener, acceptors_.size(), EPOLLIN | EPOLLET)) return false;
  acceptors_.push_back(&acceptor);
  return true;
}

bool Shard::watch(std::uint64_t name, int fd, gantry_task_fn fn, void *arg) {
  if (!poller_.add(fd, Ready::kWatch, name, EPOLLIN)) {
    log_error("io", "descriptor ", fd, " cannot be watched: ", std::strerror(errno));
    return false;
  }
  watches_[name] = Watch{fd, fn, arg};
  return true;
}

void Shard::unwatch(std::uint64_t name) {
  const auto found = watches_.find(name);
  if (found == watches_.end()) return;
  poller_.remove(found->second.fd);
  watches_.erase(found);
}

}  // namespace gantry::io
