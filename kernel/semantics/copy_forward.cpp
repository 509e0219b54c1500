#include "kernel/semantics/copy_forward.hpp"

#include "kernel/broker/record/property_edit.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::int64_t kLookMs = 1000;           // how often the store is asked whether the log is held
constexpr std::int64_t kNotWorthItMs = 60'000;   // and after it did not pay
constexpr std::int64_t kAfterFailureMs = 10'000;
constexpr std::int64_t kStepMs = 10;
constexpr std::int64_t kBytesPerS = 8 << 20;     // copied at most, and kBatch messages per step
constexpr std::size_t kBatch = 16;
constexpr std::size_t kSurveyMax = 65'536;       // entries looked at together
constexpr std::size_t kSamples = 32;
constexpr std::int64_t kSoonMs = 5000;           // what is due by then is not worth a copy
constexpr std::uint32_t kReadRecords = 1024;
constexpr int kReadsPerTurn = 4;
constexpr std::uint64_t kIndexRead = UINT64_MAX;  // user_data; others are queue offsets

}  // namespace

void CopyForward::start(Hooks hooks) {
  hooks_ = std::move(hooks);
  store_cq_ = core_.cq->create(core_.host, 0, &CopyForward::on_store, this);
}

void CopyForward::stop() {
  if (store_cq_ != 0) core_.cq->close(core_.host, store_cq_);
  store_cq_ = 0;
  copying_.clear();
}

void CopyForward::rest(std::int64_t ms) {
  state_ = State::kIdle;
  next_look_ms_ = core_.monotonic_ms() + ms;
  entries_.clear();
  samples_.clear();
}

std::int64_t CopyForward::turn() {
  forget_settled();
  if (draining_) return kLookMs;
  const std::int64_t now_ms = core_.monotonic_ms();
  if (state_ == State::kIdle && now_ms >= next_look_ms_) look(now_ms);
  if (state_ == State::kSurvey) survey();
  if (state_ == State::kCopy) copy_some(now_ms);
  return state_ == State::kIdle ? std::max<std::int64_t>(next_look_ms_ - now_ms, 1) : kStepMs;
}

// Would retention drop something if only these messages did not wait in it?
void CopyForward::look(std::int64_t now_ms) {
  next_look_ms_ = now_ms + kLookMs;
  const PendingSet &set = queue_.set();
  if (reading_ != 0 || index_busy_ || copying_.size() != unsure_.size()) return;
  gantry_store_stats stats{};
  core_.store.table->stats(core_.store.self, &stats);
  const std::int64_t others = queue_.others_hold_from();
  begin_ = stats.held_begin_pos;
  file_end_ = stats.held_file_end_pos;
  end_ = std::min(stats.held_end_pos, others);
  if (file_end_ <= begin_ || end_ < file_end_) return;
  if (queue_.unsaved_pos() < file_end_) return queue_.save_soon();  // the notes of what was copied or delivered hold it as well
  if (set.hold_pos() >= file_end_) return;
  entries_.clear();
  samples_.clear();
  first_known_ = false;
  next_off_ = set.open_from();
  state_ = State::kSurvey;
}

// What waits before end_, from the index alone.
void CopyForward::survey() {
  for (int i = 0; i < kReadsPerTurn && state_ == State::kSurvey && !index_busy_; ++i) {
    const gantry_queue queue = queue_.store_queue();
    gantry_queue_stat stat{};
    if (queue == GANTRY_NO_QUEUE || core_.store.table->queue_stat(core_.store.self, queue, &stat) != GANTRY_OK) return rest(kLookMs);
    next_off_ = std::max(next_off_, stat.min_off);
    if (next_off_ >= std::min(stat.max_off, queue_.set().end())) return take_samples();
    gantry_read read{};
    read.user_data = kIndexRead;
    read.queue = queue;
    read.offset = next_off_;
    read.max_records = kReadRecords;
    read.flags = GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY;
    const gantry_read_result *result = nullptr;
    if (core_.store.table->read(core_.store.self, 0, &read, 1, &result, store_cq_) < 1) return;  // busy or stopping: asked again with the next turn
    index_busy_ = result == nullptr;
    if (result == nullptr) return;
    on_index(*result);
    result->owner->release(result->owner);
  }
}

void CopyForward::on_index(const gantry_read_result &result) {
  PendingSet &set = queue_.set();
  next_off_ = std::max(next_off_, result.next_off);
  for (std::uint32_t i = 0; i < result.n; ++i) {
    const gantry_record &record = result.records[i];
    if (record.queue_off >= set.end()) return take_samples();
    if (set.is_settled(record.queue_off)) continue;
    if (!first_known_) set.on_first(record.phys_pos);
    first_known_ = true;
    if (record.phys_pos >= end_) return take_samples();
    if (entries_.size() == kSurveyMax) {
      end_ = record.phys_pos;
      return take_samples();
    }
    entries_.push_back({{record.tag, record.queue_off}, record.phys_pos});
  }
}

// How big are they? The index does not say, so some of all and some of the oldest file are read.
void CopyForward::take_samples() {
  if (entries_.empty()) return rest(kLookMs);
  std::vector<PendingSet::Entry> chosen;
  const auto spread = [&](std::size_t count) {
    for (std::size_t i = 0; i < std::min(count, kSamples); ++i) chosen.push_back(entries_[i * count / std::min(count, kSamples)].entry);
  };
  std::size_t in_file = 0;
  while (in_file < entries_.size() && entries_[in_file].phys_pos < file_end_) ++in_file;
  spread(entries_.size());
  spread(in_file);
  std::sort(chosen.begin(), chosen.end(), [](const auto &a, const auto &b) { return a.queue_off < b.queue_off; });
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  state_ = State::kSample;
  read(chosen);
  if (reading_ == 0 && state_ == State::kSample) decide();
}

void CopyForward::on_sample(std::int64_t queue_off, const gantry_read_result *result) {
  if (result == nullptr || result->n == 0 || result->records[0].queue_off != queue_off) return;
  samples_.push_back({result->records[0].phys_pos, static_cast<std::int64_t>(result->records[0].bytes.n)});
}

bool CopyForward::pays(std::int64_t end, std::size_t *count) const {
  *count = static_cast<std::size_t>(std::find_if(entries_.begin(), entries_.end(), [end](const Waiting &w) { return w.phys_pos >= end; }) - entries_.begin());
  std::int64_t bytes = 0, n = 0;
  for (const Sample &sample : samples_) {
    if (sample.phys_pos >= end) continue;
    bytes += sample.bytes;
    ++n;
  }
  return n != 0 && bytes / n * static_cast<std::int64_t>(*count) * 2 <= end - begin_;
}

// All that is held, else the oldest file alone: when what waits takes more than half of it, copying would write more than it frees.
void CopyForward::decide() {
  std::size_t count = 0;
  if (!pays(end_, &count) && !pays(std::min(file_end_, end_), &count)) return rest(kNotWorthItMs);
  entries_.resize(count);
  samples_.clear();
  at_ = 0;
  tokens_ms_ = core_.monotonic_ms();
  state_ = State::kCopy;
}

void CopyForward::copy_some(std::int64_t now_ms) {
  tokens_ = std::min(kBytesPerS, tokens_ + (now_ms - tokens_ms_) * kBytesPerS / 1000);
  tokens_ms_ = now_ms;
  if (reading_ != 0 || copying_.size() - unsure_.size() >= kBatch || tokens_ <= 0) return;
  std::vector<PendingSet::Entry> batch;
  for (; at_ < entries_.size() && batch.size() < kBatch; ++at_) {
    const PendingSet::Entry &entry = entries_[at_].entry;
    if (entry.due_ms - core_.now_ms() < kSoonMs || !queue_.set().claim(entry.queue_off)) continue;
    copying_[entry.queue_off].due_ms = entry.due_ms;
    batch.push_back(entry);
  }
  if (!batch.empty()) return read(batch);
  if (copying_.size() == unsure_.size()) rest(kLookMs);
}

void CopyForward::read(const std::vector<PendingSet::Entry> &entries) {
  const gantry_read_result *results[HeldQueue::kReadsMax];
  const std::uint32_t accepted = queue_.read(entries, results, store_cq_);
  reading_ += accepted;
  for (std::uint32_t i = 0; i < accepted; ++i)
    if (results[i] != nullptr) on_read(entries[i].queue_off, GANTRY_OK, results[i]);
  for (std::uint32_t i = accepted; i < entries.size(); ++i) give_back(entries[i].queue_off);
}

void CopyForward::on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &made = *static_cast<CopyForward *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto *const result = cqes[i].status == GANTRY_OK ? reinterpret_cast<const gantry_read_result *>(cqes[i].aux) : nullptr;
    if (cqes[i].user_data == kIndexRead) {
      made.index_busy_ = false;
      if (made.state_ == State::kSurvey && result != nullptr) made.on_index(*result);
      if (result != nullptr) result->owner->release(result->owner);
      if (result == nullptr) made.rest(kAfterFailureMs);
      continue;
    }
    made.on_read(static_cast<std::int64_t>(cqes[i].user_data), cqes[i].status, result);
    if (made.reading_ == 0 && made.state_ == State::kSample) made.decide();
  }
}

void CopyForward::on_read(std::int64_t queue_off, std::int32_t status, const gantry_read_result *result) {
  --reading_;
  const auto lost = [&](const std::string &why) {
    hooks_.lost(queue_off, why);
    finish(queue_off);
  };
  if (!copying_.contains(queue_off)) {
    on_sample(queue_off, result);
  } else if (status == GANTRY_E_CORRUPT || status == GANTRY_E_NOT_FOUND) {
    lost("cannot be read (code " + std::to_string(status) + ")");
  } else if (status != GANTRY_OK) {
    give_back(queue_off);
    rest(kAfterFailureMs);
  } else if (result->n == 0 || result->records[0].queue_off != queue_off) {
    lost("is damaged");
  } else {
    copy(result->records[0]);
  }
  if (result != nullptr) result->owner->release(result->owner);
}

void CopyForward::copy(const gantry_record &record) {
  broker::StoredMessage message;
  if (!broker::parse_record(view(record.bytes), &message)) {
    hooks_.lost(record.queue_off, "is no message of format 1");
    return finish(record.queue_off);
  }
  broker::PropertyEdit props(message.props);
  const std::string came = std::to_string(message.store_ms);
  props.remove("CLUSTER");
  if (!is_copy(message)) props.set("TIMER_ENQUEUE_MS", came);
  message.prepared_pos = first_pos(message) + 1;
  copying_[record.queue_off].first_pos = message.prepared_pos - 1;
  message.body_at = 0;  // the body goes along
  const std::string text = props.text();
  broker::RelayItem item;
  item.message = &message;
  item.props = text;
  item.topic = queue_.held_topic();
  item.queue_no = queue_.queue_no();
  item.tag = record.tag;
  item.second = queue_.done_link(record.queue_off);
  item.sys_flags = message.sys_flags;
  item.reconsume_times = message.reconsume_times;
  item.store_ms = core_.now_ms();
  item.arg = this;
  item.user_data = static_cast<std::uint64_t>(record.queue_off);
  item.done = [](void *self, std::uint64_t off, const gantry_cqe &cqe) { static_cast<CopyForward *>(self)->on_stored(static_cast<std::int64_t>(off), cqe.status); };
  tokens_ -= static_cast<std::int64_t>(record.bytes.n);
  const std::int32_t status = item.second.queue == GANTRY_NO_QUEUE || draining_ ? GANTRY_E_AGAIN : relay_.store(item);
  if (status != GANTRY_OK) on_stored(record.queue_off, status);
}

void CopyForward::on_stored(std::int64_t queue_off, std::int32_t status) {
  if (status == GANTRY_OK) {
    queue_.set().on_settled(queue_off);
    hooks_.copied(copying_[queue_off].first_pos);
    return finish(queue_off);
  }
  if (status == GANTRY_E_TIMEOUT) return unsure_.push_back(queue_off);
  give_back(queue_off);
  if (status == GANTRY_E_AGAIN) return rest(kLookMs);
  rest(kAfterFailureMs);
  if (status != GANTRY_E_CANCELLED)
    core_.say(GANTRY_LOG_WARN, queue_.held_topic()->name + ": the store does not take what is copied forward (code " + std::to_string(status) + "); old log files stay, tried again in 10 s");
}

// It waits where it is.
void CopyForward::give_back(std::int64_t queue_off) {
  const auto it = copying_.find(queue_off);
  if (it == copying_.end()) return;
  queue_.set().release(queue_off, it->second.due_ms > core_.now_ms() ? PendingSet::kNever : it->second.due_ms);
  finish(queue_off);
}

void CopyForward::finish(std::int64_t queue_off) {
  const auto it = copying_.find(queue_off);
  if (it == copying_.end()) return;
  const std::vector<std::function<void()>> waiters = std::move(it->second.waiters);
  copying_.erase(it);
  for (const std::function<void()> &again : waiters) again();
}

void CopyForward::forget_settled() {
  const std::vector<std::int64_t> unsure = std::exchange(unsure_, {});
  for (const std::int64_t queue_off : unsure) {
    if (queue_.set().is_settled(queue_off))
      finish(queue_off);
    else
      unsure_.push_back(queue_off);
  }
}

bool CopyForward::wait_for(std::int64_t queue_off, std::function<void()> again) {
  const auto it = copying_.find(queue_off);
  if (it == copying_.end()) return false;
  it->second.waiters.push_back(std::move(again));
  return true;
}

}  // namespace gantry::semantics
