#include "kernel/semantics/held_queue.hpp"

#include "kernel/base/crc32.hpp"
#include "kernel/broker/meta_rows.hpp"
#include "kernel/semantics/chunk_rows.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::uint32_t kReadRecords = 1024;
constexpr int kReadsPerPoll = 16;               // of each kind, so that a long recovery leaves turns to live traffic
constexpr std::int64_t kLookMs = 10;             // how often the queues are looked at while messages come
constexpr std::int64_t kLookIdleMs = 100;        // and when none came for a while
constexpr std::int64_t kIdleAfterMs = 5000;
constexpr std::int64_t kAfterFailureMs = 1000;
constexpr std::int64_t kSaveEveryMs = 60'000;
constexpr std::int64_t kSaveEveryOps = 65'536;  // bounds what a start reads again
constexpr std::size_t kRowsPerPoll = 16;        // 8 KiB each
constexpr std::size_t kHeadBytes = 17;          // version 1, op offset, open_from

}  // namespace

HeldQueue::HeldQueue(broker::Core &core, broker::Relay &relay, broker::RetentionHold &hold, const Setup &setup)
    : core_(core), relay_(relay), hold_(hold), setup_(setup), set_(setup.limits) {}

std::string HeldQueue::row_key() const { return std::string(broker::kHeldRows) + setup_.held->name + "/" + std::to_string(setup_.queue_no); }

Result<void> HeldQueue::start() {
  const std::string key = row_key();
  const auto damaged = [](const std::string &name) { return Error{GANTRY_E_CORRUPT, "row '" + name + "' of the store is damaged or of a later version"}; };
  if (const auto head = core_.restored_rows.find(key); head != core_.restored_rows.end()) {
    ByteReader in(head->second);
    const std::uint8_t version = in.u8();
    readers_[kOps].next = in.i64();
    const std::int64_t open_from = in.i64();
    if (in.failed() || version != 1 || readers_[kOps].next < 0 || open_from < 0) return damaged(key);
    set_.settle_before(open_from);
    core_.restored_rows.erase(head);
  }
  const std::string prefix = key + "/";
  for (auto it = core_.restored_rows.lower_bound(prefix); it != core_.restored_rows.end() && it->first.starts_with(prefix); it = core_.restored_rows.erase(it)) {
    std::int64_t chunk = -1;
    if (!parse_chunk_key(it->first, prefix.size(), &chunk) || !set_.restore_chunk(chunk, it->second)) return damaged(it->first);
  }
  readers_[kHeld].next = set_.end();
  holder_ = hold_.add();
  store_cq_ = core_.cq->create(core_.host, 0, &HeldQueue::on_store, this);
  next_save_ms_ = core_.monotonic_ms() + kSaveEveryMs;
  return {};
}

void HeldQueue::stop() {
  if (store_cq_ != 0) core_.cq->close(core_.host, store_cq_);
  store_cq_ = 0;
}

std::int64_t HeldQueue::poll() {
  if (core_.monotonic_ms() < not_before_ms_) return kLookMs;
  bool more = false;
  const auto run = [&](Kind kind) {
    int n = 0;
    while (n < kReadsPerPoll && read_on(kind)) ++n;
    more = more || n == kReadsPerPoll;
  };
  run(kOps);
  // Before the first time of being caught up with the op queue the set cannot say what waits.
  if (readers_[kOps].caught_up) run(kHeld);
  ready_ = ready_ || (readers_[kOps].caught_up && readers_[kHeld].caught_up);
  if (!ready_) return 1;
  if (!readers_[kLoad].busy && readers_[kLoad].next == load_end_) {
    const PendingSet::Load load = set_.begin_load(core_.now_ms());
    readers_[kLoad].next = load.begin;
    load_end_ = load.end;
  }
  run(kLoad);
  save();
  hold_log();
  if (more) return 1;
  return core_.monotonic_ms() - last_new_ms_ < kIdleAfterMs ? kLookMs : kLookIdleMs;
}

// One read of a queue's index; true when its result was at hand and there may be more.
bool HeldQueue::read_on(Kind kind) {
  Reader &reader = readers_[kind];
  if (reader.busy || core_.monotonic_ms() < not_before_ms_) return false;
  if (kind == kLoad && reader.next >= load_end_) return false;
  const broker::Topic &topic = kind == kOps ? *setup_.op : *setup_.held;
  const gantry_queue queue = topic.queues[setup_.queue_no].store_queue.load(std::memory_order_acquire);
  gantry_queue_stat stat{};
  if (queue != GANTRY_NO_QUEUE) (void)core_.store.table->queue_stat(core_.store.self, queue, &stat);
  if (kind != kLoad && reader.next < stat.min_off) {
    // Retention took what lies before. Nothing that waits, for that is held; at the very first start there may be gaps.
    if (kind == kHeld) set_.settle_before(stat.min_off);
    reader.next = stat.min_off;
  }
  if (kind != kLoad && reader.next >= stat.max_off) {
    reader.caught_up = true;
    return false;
  }
  gantry_read read{};
  read.user_data = kind;
  read.queue = queue;
  read.offset = reader.next;
  read.max_records = kReadRecords;
  read.flags = GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY;
  const gantry_read_result *result = nullptr;
  if (core_.store.table->read(core_.store.self, 0, &read, 1, &result, store_cq_) < 1) return false;  // busy or stopping: asked again with the next poll
  if (result == nullptr) {
    reader.busy = true;
    return false;
  }
  on_result(kind, result);
  return true;
}

void HeldQueue::on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &queue = *static_cast<HeldQueue *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto kind = static_cast<Kind>(cqes[i].user_data);
    if (kind == kSaved) {
      queue.on_saved(cqes[i].status);
      continue;
    }
    queue.readers_[kind].busy = false;
    if (cqes[i].status == GANTRY_OK) {
      queue.on_result(kind, reinterpret_cast<const gantry_read_result *>(cqes[i].aux));
      continue;
    }
    queue.not_before_ms_ = queue.core_.monotonic_ms() + kAfterFailureMs;
    if (cqes[i].status != GANTRY_E_CANCELLED)
      queue.core_.say(GANTRY_LOG_WARN, queue.setup_.held->name + ": the store cannot read what waits (code " + std::to_string(cqes[i].status) + "); tried again");
  }
}

void HeldQueue::on_result(Kind kind, const gantry_read_result *result) {
  Reader &reader = readers_[kind];
  switch (kind) {
    case kOps: take_ops(*result); break;
    case kHeld: take_held(*result); break;
    default: take_load(*result); break;
  }
  reader.next = std::max(reader.next, result->next_off);
  if (kind == kLoad && reader.next >= load_end_) {
    reader.next = load_end_;
    set_.end_load();
  }
  result->owner->release(result->owner);
}

void HeldQueue::take_ops(const gantry_read_result &result) {
  for (std::uint32_t i = 0; i < result.n; ++i) {
    const gantry_record &record = result.records[i];
    if (record.tag >= 0) set_.on_settled(record.tag);
    unsaved_pos_ = std::min(unsaved_pos_, record.phys_pos);
    unsaved_next_pos_ = std::min(unsaved_next_pos_, record.phys_pos);
  }
  ops_since_save_ += result.n;
}

void HeldQueue::take_held(const gantry_read_result &result) {
  const std::int64_t now_ms = core_.now_ms();
  if (result.n != 0) last_new_ms_ = core_.monotonic_ms();
  for (std::uint32_t i = 0; i < result.n; ++i) {
    const gantry_record &record = result.records[i];
    if (record.queue_off >= set_.end()) set_.on_held(record.queue_off, record.tag, record.phys_pos, now_ms);
  }
}

void HeldQueue::take_load(const gantry_read_result &result) {
  for (std::uint32_t i = 0; i < result.n; ++i)
    if (result.records[i].queue_off < load_end_) set_.on_loaded(result.records[i].queue_off, result.records[i].tag);
}

std::uint32_t HeldQueue::read(std::span<const PendingSet::Entry> entries, const gantry_read_result **results, gantry_cq cq) const {
  GANTRY_ASSERT(entries.size() <= kReadsMax);
  gantry_read reads[kReadsMax];
  for (std::size_t i = 0; i < entries.size(); ++i) {
    reads[i] = gantry_read{};
    reads[i].user_data = static_cast<std::uint64_t>(entries[i].queue_off);
    reads[i].queue = setup_.held->queues[setup_.queue_no].store_queue.load(std::memory_order_acquire);
    reads[i].offset = entries[i].queue_off;
    reads[i].max_records = 1;
    reads[i].max_bytes = 1;  // one record always fits
    reads[i].flags = GANTRY_READ_ANY_TAG;
    results[i] = nullptr;
  }
  return static_cast<std::uint32_t>(std::max(core_.store.table->read(core_.store.self, 0, reads, static_cast<std::uint32_t>(entries.size()), results, cq), 0));
}

gantry_link HeldQueue::done_link(std::int64_t queue_off) {
  std::int32_t status = GANTRY_OK;
  const std::lock_guard lock(core_.mutex);
  return {core_.open_queue(*setup_.op, setup_.queue_no, &status), queue_off};
}

// As RocketMQ's op messages look: tag "d", the offset in figures.
std::int32_t HeldQueue::settle_only(std::int64_t queue_off, broker::RelayDone done, void *arg, std::uint64_t user_data) {
  const std::string body = std::to_string(queue_off);
  broker::StoredMessage message;
  message.body = body;
  message.body_crc = crc32_ieee(body.data(), body.size()) & 0x7FFFFFFFu;
  message.born_ms = core_.now_ms();
  message.born = core_.store_host;
  broker::RelayItem item;
  item.message = &message;
  item.props = "TAGS\1d\2";
  item.topic = setup_.op;
  item.queue_no = setup_.queue_no;
  item.tag = queue_off;
  item.store_ms = message.born_ms;
  item.done = done;
  item.arg = arg;
  item.user_data = user_data;
  return relay_.store(item);
}

// Held: what waits, and the op records that a start would have to read again.
void HeldQueue::hold_log() { hold_.set(holder_, std::min(set_.hold_pos(), unsaved_pos_)); }

void HeldQueue::save() {
  if (saving_op_off_ < 0) {
    const bool due = core_.monotonic_ms() >= next_save_ms_ || ops_since_save_ >= kSaveEveryOps;
    if (!due || (ops_since_save_ == 0 && !set_.has_changes())) return;
    saving_op_off_ = readers_[kOps].next;
    unsaved_next_pos_ = INT64_MAX;
    ops_since_save_ = 0;
    set_.begin_save();
  }
  if (head_written_) return;
  const std::vector<PendingSet::ChunkRow> rows = set_.take_rows(kRowsPerPoll);
  if (rows.empty()) return write_head();
  std::vector<std::string> keys;
  for (const PendingSet::ChunkRow &row : rows) keys.push_back(chunk_key(row_key() + "/", row.chunk));
  std::vector<gantry_meta_op> ops;
  for (std::size_t i = 0; i < rows.size(); ++i) ops.push_back({GANTRY_META_PUT, 0, str(keys[i]), str(rows[i].bitmap)});
  const std::int32_t status = core_.store.table->meta_write(core_.store.self, ops.data(), static_cast<std::uint32_t>(ops.size()), GANTRY_DURABILITY_DEFAULT, 0, 0);
  if (status == GANTRY_OK) return;
  for (const PendingSet::ChunkRow &row : rows) set_.put_back_row(row.chunk);
  on_saved(status);
}

// The last write of a checkpoint: from here on the rows before it count.
void HeldQueue::write_head() {
  std::string head(kHeadBytes, '\1');
  store_be64(head.data() + 1, static_cast<std::uint64_t>(saving_op_off_));
  store_be64(head.data() + 9, static_cast<std::uint64_t>(set_.open_from()));
  const std::string key = row_key();
  removing_ = set_.take_removed_rows();
  std::vector<std::string> keys;
  for (const std::int64_t chunk : removing_) keys.push_back(chunk_key(key + "/", chunk));
  std::vector<gantry_meta_op> ops{{GANTRY_META_PUT, 0, str(key), str(head)}};
  for (const std::string &row : keys) ops.push_back({GANTRY_META_DELETE, 0, str(row), {}});
  const std::int32_t status = core_.store.table->meta_write(core_.store.self, ops.data(), static_cast<std::uint32_t>(ops.size()), GANTRY_DURABILITY_DEFAULT, kSaved, store_cq_);
  if (status != GANTRY_OK) return on_saved(status);
  head_written_ = true;
}

void HeldQueue::on_saved(std::int32_t status) {
  if (status == GANTRY_OK) {
    unsaved_pos_ = unsaved_next_pos_;
  } else {
    set_.put_back_removed_rows(removing_);
    if (status != GANTRY_E_AGAIN && status != GANTRY_E_CANCELLED)
      core_.say(GANTRY_LOG_WARN, setup_.held->name + ": what is settled was not written to its checkpoint (code " + std::to_string(status) + "); tried again");
  }
  removing_.clear();
  head_written_ = false;
  saving_op_off_ = -1;
  if (status != GANTRY_OK) ops_since_save_ = std::max<std::int64_t>(ops_since_save_, 1);
  next_save_ms_ = core_.monotonic_ms() + (status == GANTRY_OK ? kSaveEveryMs : kAfterFailureMs);
}

void HeldQueue::drain() {
  if (!ready_) return;
  next_save_ms_ = 0;
  while (!head_written_ && next_save_ms_ == 0 && (saving_op_off_ >= 0 || ops_since_save_ != 0 || set_.has_changes())) save();
}

}  // namespace gantry::semantics
