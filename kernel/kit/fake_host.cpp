#include "kernel/kit/fake_host.hpp"

#include "kernel/kit/fake_host_tables.hpp"
#include "kernel/kit/test_util.hpp"

#include <chrono>
#include <future>

namespace gantry::test {

namespace {
struct Role {
  const FakeHost *host = nullptr;
  std::uint32_t shard = GANTRY_NO_SHARD;
  bool control = false;
};
thread_local Role t_role;

class RoleScope {
 public:
  explicit RoleScope(Role role) : before_(t_role) { t_role = role; }
  ~RoleScope() { t_role = before_; }
  RoleScope(const RoleScope &) = delete;
  RoleScope &operator=(const RoleScope &) = delete;

 private:
  Role before_;
};

std::int64_t real_wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}
std::int64_t real_mono_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}
}  // namespace

FakeHost::FakeHost(std::uint32_t shards, LoopMode mode) : mode_(mode), maker_(std::this_thread::get_id()) {
  require(shards > 0 && shards < 256, "a fake host has 1..255 shards");
  abi_ = make_host_abi(this);
  for (std::uint32_t i = 0; i < shards; ++i) {
    loops_.push_back(std::make_unique<ShardLoop>(*this, i));
    loops_.back()->coarse_ms = real_wall_ms();
  }
  if (mode_ == LoopMode::kManual) return;
  for (std::uint32_t i = 0; i < shards; ++i) threads_.emplace_back([this, i] { shard_main(i); });
  threads_.emplace_back([this] { pool_main(); });
}

FakeHost::~FakeHost() { stop_shards(); }

void FakeHost::shard_main(std::uint32_t shard) {
  const RoleScope role({this, shard, false});
  while (!stopping_) loops_[shard]->turn(100);
  while (loops_[shard]->turn(0)) {
  }
}

void FakeHost::pool_main() {
  const RoleScope role({this, GANTRY_NO_SHARD, false});
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      pool_wake_.wait(lock, [this] { return stopping_ || !offloaded_.empty(); });
      if (offloaded_.empty()) return;
    }
    run_offloaded();
  }
}

bool FakeHost::run_offloaded() {
  std::deque<Offload> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(offloaded_);
  }
  const RoleScope role({this, GANTRY_NO_SHARD, false});
  for (const Offload &job : now) job.fn(job.arg);
  return !now.empty();
}

bool FakeHost::turn(int max_wait_ms) {
  require(mode_ == LoopMode::kManual && std::this_thread::get_id() == maker_, "turn() is for the maker of a manual host");
  bool ran = run_offloaded();
  for (std::uint32_t i = 0; i < loops_.size(); ++i) {
    const RoleScope role({this, i, false});
    ran |= loops_[i]->turn(0);
  }
  if (ran || max_wait_ms == 0) return ran;
  // With several shards a sleep on one would not see the others: short sleeps there.
  const RoleScope role({this, 0, false});
  return loops_[0]->turn(loops_.size() == 1 ? max_wait_ms : 1);
}

bool FakeHost::wait_until(const std::function<bool()> &done, int timeout_ms) {
  if (mode_ == LoopMode::kThreads || std::this_thread::get_id() != maker_) return poll_until(done, timeout_ms);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return done();
    turn(5);
  }
  return true;
}

void FakeHost::on_shard(std::uint32_t shard, const std::function<void()> &fn) {
  require(shard < loops_.size(), "on_shard: this host has fewer shards");
  if (mode_ == LoopMode::kManual) {
    const RoleScope role({this, shard, false});
    fn();
    return;
  }
  struct Job {
    const std::function<void()> &fn;
    std::promise<void> done;
  } job{fn, {}};
  const bool posted = loops_[shard]->post(
      [](void *arg) noexcept {
        auto *self = static_cast<Job *>(arg);
        self->fn();
        self->done.set_value();
      },
      &job);
  require(posted, "on_shard: the shards have stopped");
  job.done.get_future().wait();
}

void FakeHost::on_control(const std::function<void()> &fn) {
  if (mode_ == LoopMode::kThreads) {
    const RoleScope role({this, GANTRY_NO_SHARD, true});
    fn();
    return;
  }
  std::atomic<bool> done{false};
  std::thread control([&] {
    const RoleScope role({this, GANTRY_NO_SHARD, true});
    fn();
    done = true;
    loops_[0]->wake();
  });
  while (!done) turn(1);
  control.join();
}

void FakeHost::stop_shards() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  pool_wake_.notify_all();
  for (const auto &each : loops_) each->close();
  for (std::thread &each : threads_) each.join();
  threads_.clear();
}

void FakeHost::start_wall_at(std::int64_t wall_ms) {
  wall_shift_ms_ = wall_ms - real_wall_ms();
  for (const auto &each : loops_) each->coarse_ms = wall_ms;
}

void FakeHost::freeze_clock(std::int64_t wall_ms) {
  frozen_wall_ms_ = wall_ms;
  if (!frozen_) frozen_mono_ns_ = real_mono_ns();
  frozen_ = true;
  for (const auto &each : loops_) each->coarse_ms = wall_ms;
}

void FakeHost::advance_ms(std::int64_t ms) {
  require(frozen_, "advance_ms needs freeze_clock before it");
  frozen_wall_ms_ += ms;
  frozen_mono_ns_ += ms * 1000000;
  for (const auto &each : loops_) {
    each->coarse_ms = frozen_wall_ms_.load();
    each->wake();
  }
}

std::int64_t FakeHost::wall_ms() const { return frozen_ ? frozen_wall_ms_.load() : real_wall_ms() + wall_shift_ms_; }
std::int64_t FakeHost::mono_ns() const { return frozen_ ? frozen_mono_ns_.load() : real_mono_ns(); }

std::vector<std::string> FakeHost::log_lines() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

bool FakeHost::logged(const std::string &part) const {
  const std::lock_guard lock(mutex_);
  for (const std::string &line : log_) {
    if (line.find(part) != std::string::npos) return true;
  }
  return false;
}

std::uint64_t FakeHost::metric(const std::string &name) const {
  const std::lock_guard lock(mutex_);
  const auto at = metrics_.find(name);
  std::uint64_t sum = 0;
  if (at != metrics_.end()) {
    for (const auto &[shard, cell] : at->second) sum += __atomic_load_n(cell.get(), __ATOMIC_RELAXED);
  }
  return sum;
}

bool FakeHost::has_metric(const std::string &name) const {
  const std::lock_guard lock(mutex_);
  return metrics_.contains(name);
}

std::size_t FakeHost::leftovers() const {
  std::size_t sum = 0;
  for (const auto &each : loops_) sum += each->watches() + each->timers();
  return sum;
}

void FakeHost::hide_table(const std::string &table_id) {
  const std::lock_guard lock(mutex_);
  hidden_.insert(table_id);
}

void FakeHost::add_table(const std::string &table_id, const void *table) {
  const std::lock_guard lock(mutex_);
  extra_tables_[table_id] = table;
}

std::vector<std::string> FakeHost::missing_tables() const {
  const std::lock_guard lock(mutex_);
  return {missing_.begin(), missing_.end()};
}

void FakeHost::fail_call(std::uint64_t k) {
  calls_ = 0;
  fail_at_ = k;
}

std::uint32_t FakeHost::this_shard() const {
  if (t_role.host == this) return t_role.shard;
  return mode_ == LoopMode::kManual && std::this_thread::get_id() == maker_ ? 0 : GANTRY_NO_SHARD;
}

bool FakeHost::this_thread_is_control() const {
  if (t_role.host == this) return t_role.control;
  return std::this_thread::get_id() == maker_;
}

}  // namespace gantry::test
