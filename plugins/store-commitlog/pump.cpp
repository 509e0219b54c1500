#include "pump.hpp"

#include "mutation.hpp"

#include <array>
#include <chrono>

namespace gantry::commitlog {

namespace {
constexpr auto kPatience = std::chrono::seconds(10);
}

Pump::Pump(Core &core, std::unique_ptr<IoEngine> engine) : core_(core), engine_(std::move(engine)), description_(engine_->description()) {
  const auto counter = [&](const char *name, const char *help) { return core_.host.cell(GANTRY_METRIC_COUNTER, name, help, core_.home_shard); };
  cells_.records = counter("store_appended_records_total", "Records taken into the log");
  cells_.record_bytes = counter("store_appended_bytes_total", "Bytes of records taken into the log");
  cells_.writes = counter("store_writes_total", "Writes of log frames");
  cells_.written_bytes = counter("store_written_bytes_total", "Bytes of log written, with frames and filler");
  cells_.filler_bytes = counter("store_filler_bytes_total", "Log positions passed over at ends of segments and of the hot cache");
  cells_.again = counter("store_appends_refused_total", "Appends answered with AGAIN because buffers were full");
  cells_.in_flight = core_.host.cell(GANTRY_METRIC_GAUGE, "store_in_flight_writes", "Writes of log frames not yet completed", core_.home_shard);
}

Pump::~Pump() = default;

Result<void> Pump::start() {
  if (engine_->event_fd() < 0) return {};
  watch_ = core_.host.fd_watch(core_.home_shard, engine_->event_fd(), on_event, this);
  if (watch_ == 0) return Error{GANTRY_E_INTERNAL, "the kernel refused to watch the store's I/O descriptor on shard " + std::to_string(core_.home_shard)};
  return {};
}

void Pump::on_turn_end(void *self) noexcept {
  auto *pump = static_cast<Pump *>(self);
  pump->turn_armed_ = false;
  pump->turn(false);
}

void Pump::on_posted(void *self) noexcept {
  auto *pump = static_cast<Pump *>(self);
  pump->post_armed_ = false;
  pump->turn(true);
}

void Pump::on_event(void *self) noexcept { static_cast<Pump *>(self)->turn(true); }

void Pump::arm(std::uint32_t shard) {
  if (shard != core_.home_shard) {
    wake();
  } else if (!turn_armed_.exchange(true)) {
    if (core_.host.at_turn_end(on_turn_end, this) != GANTRY_OK) {
      turn_armed_ = false;
      wake();
    }
  }
}

void Pump::wake() {
  if (post_armed_.exchange(true)) return;
  if (core_.host.post(core_.home_shard, on_posted, this) != GANTRY_OK) post_armed_ = false;  // the shards have stopped; stop() does the rest
}

void Pump::turn(bool reap) {
  if (engine_ == nullptr) return;  // stopped
  std::array<WriteDone, 2 * kMaxWritesInFlight> done;
  std::array<WriteOp, kMaxWritesInFlight> ops;
  const std::size_t n_done = reap ? engine_->reap(done) : 0;
  std::size_t n_ops = 0;
  bool flush = false, prepare = false;
  {
    const std::lock_guard lock(core_.mutex);
    const bool was_fenced = core_.writer.fenced();
    for (std::size_t i = 0; i < n_done; ++i) core_.writer.finished(done[i]);
    if (core_.writer.fenced() && !was_fenced) {
      core_.log(GANTRY_LOG_ERROR, "store fenced, no more records are accepted: " + core_.writer.fence_text() + "; check the disk, then restart the broker");
    }
    n_ops = core_.writer.take_writes(n_done > 0, core_.host.now_ms(), ops);
    collect();
    flush = wants_flush();
    core_.flush_waiters |= flush;
    prepare = core_.has_background_work();
    publish_counts();
  }
  if (n_ops > 0) engine_->submit({ops.data(), n_ops});
  answer();
  if (flush) core_.wake_flusher();
  if (prepare) core_.wake_background();
  if (draining_) check_drained();
}

void Pump::collect() {
  batch_count_ = 0;
  for (;;) {
    if (batch_count_ == batches_.size()) batches_.emplace_back();
    if (!core_.writer.take_acknowledged(&batches_[batch_count_])) break;
    ++batch_count_;
  }
  finish_syncs();
}

void Pump::finish_syncs() {
  const LogPos flushed = mutated("sync-waits-for-flush") ? core_.writer.done_pos() : core_.writer.flushed_pos();
  std::erase_if(syncs_, [&](Sync &sync) {
    if (flushed < sync.target && !core_.writer.fenced()) return false;
    if (flushed < sync.target) sync.cqe.status = GANTRY_E_IO;
    done_syncs_.push_back(sync);
    return true;
  });
}

bool Pump::wants_flush() const {
  if (core_.writer.fenced()) return false;
  if (core_.writer.wants_flush()) return true;
  for (const Sync &sync : syncs_) {
    if (sync.target <= core_.writer.done_pos() && core_.writer.flushed_pos() < sync.target) return true;
  }
  return false;
}

void Pump::add_sync(gantry_cq cq, std::uint64_t user_data) {
  syncs_.push_back({core_.writer.close_durable(), cq, {user_data, 0, 0, GANTRY_OK, 0}});
}

void Pump::answer() {
  for (std::size_t b = 0; b < batch_count_; ++b) {
    const gantry_cqe *cqe = batches_[b].cqes.data();
    for (const CompletionRun &run : batches_[b].runs) {
      core_.host.push(run.cq, {cqe, run.count});
      cqe += run.count;
    }
  }
  batch_count_ = 0;
  for (const Sync &sync : done_syncs_) core_.host.push(sync.cq, {&sync.cqe, 1});
  done_syncs_.clear();
}

void Pump::publish_counts() {
  const LogWriter::Counts &now = core_.writer.counts();
  // Other threads read the cells for the exposition.
  const auto add = [](std::uint64_t *cell, std::uint64_t from, std::uint64_t to) {
    if (from != to) __atomic_store_n(cell, *cell + (to - from), __ATOMIC_RELAXED);
  };
  add(cells_.records, published_.records, now.records);
  add(cells_.record_bytes, published_.record_bytes, now.record_bytes);
  add(cells_.writes, published_.writes, now.writes);
  add(cells_.written_bytes, published_.written_bytes, now.written_bytes);
  add(cells_.filler_bytes, published_.filler_bytes, now.filler_bytes);
  add(cells_.again, published_.again, now.again);
  __atomic_store_n(cells_.in_flight, core_.writer.in_flight(), __ATOMIC_RELAXED);
  published_ = now;
}

// ---- stopping

void Pump::drain() {
  draining_ = true;
  wake();
  bool drained = false;
  auto complain_at = std::chrono::steady_clock::now() + kPatience;
  while (!drained && shards_run()) {
    {
      std::unique_lock lock(drain_mutex_);
      drained = drain_changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return drained_; });
    }
    if (drained) break;
    wake();
    if (std::chrono::steady_clock::now() < complain_at) continue;
    // The device still owns our buffers: there is nothing to do but to wait, or to be killed.
    core_.log(GANTRY_LOG_WARN, "stopping waits for writes that the disk does not finish");
    complain_at += kPatience;
  }
  if (!drained) drain_without_engine();
}

bool Pump::shards_run() const {
  return core_.host.post(core_.home_shard, [](void *) noexcept {}, nullptr) == GANTRY_OK;
}

void Pump::check_drained() {
  bool drained;
  bool stuck;
  {
    const std::lock_guard lock(core_.mutex);
    core_.writer.close_all();
    drained = core_.writer.idle() && syncs_.empty();
    stuck = !drained && core_.writer.in_flight() == 0;
  }
  if (stuck) wake();
  if (!drained) return;
  const std::lock_guard lock(drain_mutex_);
  drained_ = true;
  drain_changed_.notify_all();
}

// The shards are gone, so nobody may enter the ring: all that is not known to be written is written here, the same bytes at the same place.
void Pump::drain_without_engine() {
  unwatch();  // allowed here: the shards are stopped
  engine_.reset();
  std::array<WriteOp, kMaxWritesInFlight> ops;
  for (;;) {
    std::vector<WriteOp> todo;
    {
      const std::lock_guard lock(core_.mutex);
      core_.writer.close_all();
      (void)core_.writer.take_writes(true, core_.host.now_ms(), ops);
      for (Frame *frame : core_.writer.frames()) {
        if (frame->submitted && !frame->done) todo.push_back(core_.writer.write_of(*frame));
      }
    }
    if (todo.empty()) break;
    for (const WriteOp &op : todo) {
      std::int64_t result = core_.files->write(op.fd, op.data, op.bytes, static_cast<std::int64_t>(op.file_off));
      const int rc = result >= 0 ? core_.files->sync(op.fd) : 0;
      if (rc < 0) result = rc;
      const std::lock_guard lock(core_.mutex);
      core_.writer.finished({op.cookie, result});
      if (!core_.writer.fenced()) core_.writer.flushed_to(core_.writer.done_pos());
    }
    const std::lock_guard lock(core_.mutex);
    collect();
  }
  {
    const std::lock_guard lock(core_.mutex);
    collect();
  }
  answer();
}

void Pump::quiesce() {
  struct Barrier {
    Pump *pump;
    bool passed = false;
  } barrier{this};
  const auto check = [](void *arg) noexcept {
    auto *b = static_cast<Barrier *>(arg);
    const std::lock_guard lock(b->pump->drain_mutex_);
    b->passed = true;
    b->pump->unwatch();
    b->pump->drain_changed_.notify_all();
  };
  // A task of ours that is still queued would run on a destroyed object: go on until none is.
  for (;;) {
    barrier.passed = false;
    if (core_.host.post(core_.home_shard, check, &barrier) != GANTRY_OK) break;
    std::unique_lock lock(drain_mutex_);
    while (!barrier.passed && shards_run()) drain_changed_.wait_for(lock, std::chrono::milliseconds(50));
    if (!barrier.passed) break;
    if (!post_armed_ && !turn_armed_) break;
  }
  unwatch();
  engine_.reset();
}

void Pump::unwatch() {
  if (watch_ != 0) core_.host.fd_unwatch(watch_);
  watch_ = 0;
}

}  // namespace gantry::commitlog
