#include "memory_store.h"

#include <gantry++/result.hpp>

#include <algorithm>

namespace memory_store {

namespace {
// A read's answer. The owner is its first member, so that release gets back to it.
struct Answer {
  gantry_owner owner{};
  std::atomic<std::uint32_t> references{1};
  gantry_read_result result{};
  std::vector<gantry_record> records;
  std::vector<std::shared_ptr<const Record>> pins;

  Answer() {
    owner.retain = [](gantry_owner *self) noexcept { reinterpret_cast<Answer *>(self)->references.fetch_add(1); };
    owner.release = [](gantry_owner *self) noexcept {
      auto *answer = reinterpret_cast<Answer *>(self);
      if (answer->references.fetch_sub(1) == 1) delete answer;
    };
    result.size = sizeof result;
    result.owner = &owner;
  }

  void add_index_entry(const Record &record, std::int64_t queue_off, std::int64_t tag) {
    records.push_back({{nullptr, 0, 0, &owner}, queue_off, record.phys_pos, tag, record.store_ms});
  }
  void add(std::shared_ptr<const Record> record, std::int64_t queue_off, std::int64_t tag) {
    const gantry_span bytes{reinterpret_cast<const std::uint8_t *>(record->bytes.data()), static_cast<std::uint32_t>(record->bytes.size()), 0,
                            &owner};
    records.push_back({bytes, queue_off, record->phys_pos, tag, record->store_ms});
    owner.bytes += record->bytes.size();
    pins.push_back(std::move(record));
  }

  const gantry_read_result *finish() {
    result.n = static_cast<std::uint32_t>(records.size());
    result.records = records.data();
    return &result;
  }
};

constexpr std::uint32_t kMaxKeyBytes = 1024, kMaxValueBytes = 1 << 20;
}  // namespace

MemoryStore::MemoryStore(const gantry_host *host, const Settings &settings)
    : host_(host),
      exec_(static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID))),
      cq_(static_cast<const gantry_cq_v1 *>(host->query(host, GANTRY_CQ_ID))),
      settings_(settings),
      log_(settings.keep_per_queue) {}

// ---- life cycle

std::int32_t MemoryStore::open(const gantry_store_open &args, gantry_error *err) {
  if (args.default_durability > GANTRY_DURABILITY_MEMORY && !settings_.accept_stronger) {
    return gantry::report({GANTRY_E_CONFIG, "the memory store keeps nothing on disk: set the default durability to \"memory\" or use "
                                            "another store"},
                          err);
  }
  if (args.home_shard >= exec_->shard_count(host_)) return gantry::report({GANTRY_E_INVALID, "open: home_shard is no shard"}, err);
  home_shard_ = args.home_shard;
  turn_ends_.assign(exec_->shard_count(host_), TurnEnd{this, false});
  return GANTRY_OK;
}

std::int32_t MemoryStore::start() {
  const std::lock_guard lock(mutex_);
  running_ = true;
  return GANTRY_OK;
}

void MemoryStore::stop() {
  // Tasks handed to the shards point into this object: wait for them, unless the shards have stopped and never run them.
  const bool shards_run = exec_->post(host_, home_shard_, [](void *) noexcept {}, nullptr) == GANTRY_OK;
  std::unique_lock lock(mutex_);
  running_ = false;
  if (shards_run) turn_ended_.wait(lock, [this] { return armed_ == 0; });
  acknowledge_all();
}

// ---- completions

void MemoryStore::complete(gantry_cq cq, std::uint64_t user_data, std::int32_t status, std::int64_t result, const gantry_read_result *read) {
  const gantry_cqe cqe{user_data, result, reinterpret_cast<std::uint64_t>(read), status, 0};
  if (cq_->push(host_, cq, &cqe, 1) != GANTRY_OK && read != nullptr) read->owner->release(read->owner);
}

void MemoryStore::wait_for_turn_end() {
  const std::uint32_t here = exec_->this_shard(host_);
  TurnEnd &task = turn_ends_[here != GANTRY_NO_SHARD ? here : home_shard_];
  if (task.armed) return;
  const std::int32_t rc = here != GANTRY_NO_SHARD ? exec_->at_turn_end(host_, on_turn_end, &task)
                                                  : exec_->post(host_, home_shard_, on_turn_end, &task);
  if (rc != GANTRY_OK) return;  // the shards have stopped; stop() acknowledges
  task.armed = true;
  ++armed_;
}

void MemoryStore::on_turn_end(void *arg) noexcept {
  auto *task = static_cast<TurnEnd *>(arg);
  MemoryStore *store = task->store;
  const std::lock_guard lock(store->mutex_);
  store->acknowledge_all();
  task->armed = false;
  --store->armed_;
  store->turn_ended_.notify_all();  // under the lock: after it stop() may let this object go
}

void MemoryStore::acknowledge_all() {
  log_.reveal();
  for (const Waiting &each : waiting_) (void)cq_->push(host_, each.cq, &each.cqe, 1);  // CLOSED: nobody listens, nothing to release
  waiting_.clear();
  waiting_bytes_ = 0;
}

// ---- queues and appends

std::int32_t MemoryStore::queue_open(gantry_str topic, std::uint32_t queue_no, std::uint32_t kind, gantry_queue *out) {
  if (topic.n == 0 || kind > GANTRY_QUEUE_LIGHT || out == nullptr) return GANTRY_E_INVALID;
  const std::lock_guard lock(mutex_);
  if (!running_) return GANTRY_E_NOT_WRITABLE;
  const std::string_view name(topic.p, topic.n);
  if (log_.queue_count() >= settings_.max_queues && !log_.has_queue(name, queue_no)) return GANTRY_E_LIMIT;
  *out = log_.open_queue(name, queue_no);
  return GANTRY_OK;
}

std::int32_t MemoryStore::queue_drop(gantry_queue queue) {
  const std::lock_guard lock(mutex_);
  if (log_.find(queue) == nullptr) return GANTRY_E_NOT_FOUND;
  log_.drop_queue(queue);
  return GANTRY_OK;
}

std::int32_t MemoryStore::check_level(std::uint32_t durability) const {
  if (durability > GANTRY_DURABILITY_DURABLE) return GANTRY_E_INVALID;
  return durability <= GANTRY_DURABILITY_MEMORY || settings_.accept_stronger ? GANTRY_OK : GANTRY_E_UNSUPPORTED;
}

std::int32_t MemoryStore::check(const gantry_append &request) {
  std::uint64_t sum = request.base_bytes;
  for (std::uint32_t i = 0; i < request.n_spans; ++i) sum += request.spans[i].n;
  if (sum == 0 || request.n_spans == 0 || sum != request.bytes || request.n_links == 0 || (request.flags & ~GANTRY_APPEND_SETTLES) != 0) return GANTRY_E_INVALID;
  for (const std::uint64_t reserved : request.reserved) {
    if (reserved != 0) return GANTRY_E_INVALID;
  }
  for (const std::uint16_t fix : {request.fix_queue_off, request.fix_phys_off, request.fix_store_ms}) {
    if (fix != GANTRY_NO_FIX && fix + 8u > request.spans[0].n) return GANTRY_E_INVALID;
  }
  for (std::uint32_t i = 0; i < request.n_links; ++i) {
    if (log_.find(request.links[i].queue) == nullptr) return GANTRY_E_INVALID;
  }
  if (const std::int32_t level = check_level(request.durability); level != GANTRY_OK) return level;
  if (const std::int32_t base = check_base(request); base != GANTRY_OK) return base;
  if (request.bytes > settings_.max_record_bytes) return GANTRY_E_LIMIT;
  constexpr std::uint32_t kMaxSettlingBytes = 4096;
  const bool settles = (request.flags & GANTRY_APPEND_SETTLES) != 0 && request.bytes <= kMaxSettlingBytes;
  refused_ = log_.bytes() + request.bytes > settings_.capacity_bytes && !settles;
  if (refused_) return GANTRY_E_NO_SPACE;
  const bool full = waiting_bytes_ > 0 && waiting_bytes_ + request.bytes > settings_.max_waiting_bytes;
  return full ? GANTRY_E_AGAIN : GANTRY_OK;
}

std::int32_t MemoryStore::check_base(const gantry_append &request) const {
  if (request.base_bytes == 0) return GANTRY_OK;
  const auto base = log_.at_position(request.base_pos);
  if (base == nullptr) return GANTRY_E_NOT_FOUND;
  return std::uint64_t{request.base_skip} + request.base_bytes <= base->bytes.size() ? GANTRY_OK : GANTRY_E_INVALID;
}

std::int32_t MemoryStore::append(std::uint32_t shard, const gantry_append *requests, std::uint32_t n, gantry_cq cq) {
  if (shard != exec_->this_shard(host_)) return GANTRY_E_INVALID;
  const std::lock_guard lock(mutex_);
  if (!running_) return GANTRY_E_NOT_WRITABLE;
  std::uint32_t taken = 0;
  std::int32_t refusal = GANTRY_OK;
  for (; taken < n; ++taken) {
    refusal = check(requests[taken]);
    if (refusal != GANTRY_OK) break;
    std::int64_t queue_off = 0;
    const std::int64_t pos = log_.append(requests[taken], &queue_off);
    waiting_.push_back({cq, {requests[taken].user_data, pos, static_cast<std::uint64_t>(queue_off), GANTRY_OK, 0}});
    waiting_bytes_ += requests[taken].bytes;
    appended_bytes_total_ += requests[taken].bytes - requests[taken].base_bytes;
  }
  if (taken > 0) wait_for_turn_end();
  return taken > 0 || refusal == GANTRY_OK ? static_cast<std::int32_t>(taken) : refusal;
}

std::int32_t MemoryStore::meta_write(const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data,
                                     gantry_cq cq) {
  if (const std::int32_t level = check_level(durability); level != GANTRY_OK) return level;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (ops[i].op != GANTRY_META_PUT && ops[i].op != GANTRY_META_DELETE) return GANTRY_E_INVALID;
    if (ops[i].key.n == 0 || ops[i].key.n > kMaxKeyBytes || ops[i].value.n > kMaxValueBytes) return GANTRY_E_LIMIT;
  }
  const std::lock_guard lock(mutex_);
  if (!running_) return GANTRY_E_NOT_WRITABLE;
  for (std::uint32_t i = 0; i < n; ++i) log_.apply(ops[i]);
  if (cq != 0) {
    waiting_.push_back({cq, {user_data, 0, 0, GANTRY_OK, 0}});
    wait_for_turn_end();
  }
  return GANTRY_OK;
}

std::int32_t MemoryStore::sync(std::uint64_t user_data, gantry_cq cq) {
  if (!settings_.accept_stronger) return GANTRY_E_UNSUPPORTED;
  const std::lock_guard lock(mutex_);
  waiting_.push_back({cq, {user_data, 0, 0, GANTRY_OK, 0}});
  wait_for_turn_end();
  return GANTRY_OK;
}

// ---- reads

std::int32_t MemoryStore::check(const gantry_read &request) const {
  const bool reserved = request.reserved[0] != 0 || request.reserved[1] != 0;
  const bool tags_missing = request.n_tags > 0 && request.tags == nullptr;
  if (reserved || tags_missing || request.flags > (GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY)) return GANTRY_E_INVALID;
  return request.max_records >= 1 && request.max_records <= 1024 ? GANTRY_OK : GANTRY_E_INVALID;
}

std::int32_t MemoryStore::answer(const gantry_read &request, const gantry_read_result **out) {
  Queue *queue = log_.find(request.queue);
  if (queue == nullptr) return GANTRY_E_NOT_FOUND;
  auto *made = new Answer;
  made->result.min_off = queue->min_off;
  made->result.max_off = queue->max_off;
  made->result.stop = GANTRY_STOP_END;
  const bool index_only = (request.flags & GANTRY_READ_INDEX_ONLY) != 0;
  std::int64_t next = request.offset;
  if (next < queue->min_off || next > queue->max_off) {
    made->result.stop = GANTRY_STOP_RANGE;
  } else {
    for (; next < queue->max_off; ++next) {
      const Entry &entry = queue->at(next);
      const bool wanted = (request.flags & GANTRY_READ_ANY_TAG) != 0 ||
                          std::find(request.tags, request.tags + request.n_tags, entry.tag) != request.tags + request.n_tags;
      if (!wanted) continue;
      const std::uint64_t bytes = made->owner.bytes + entry.record->bytes.size();
      if (made->records.size() == request.max_records || (!index_only && !made->records.empty() && bytes > request.max_bytes)) {
        made->result.stop = GANTRY_STOP_LIMIT;
        break;
      }
      index_only ? made->add_index_entry(*entry.record, next, entry.tag) : made->add(entry.record, next, entry.tag);
    }
  }
  made->result.next_off = next;
  *out = made->finish();
  return GANTRY_OK;
}

std::int32_t MemoryStore::read(const gantry_read *requests, std::uint32_t n, const gantry_read_result **inline_out, gantry_cq cq) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < n; ++i) {
    inline_out[i] = nullptr;
    if (const std::int32_t rc = check(requests[i]); rc != GANTRY_OK) return i > 0 ? static_cast<std::int32_t>(i) : rc;
    const gantry_read_result *result = nullptr;
    const std::int32_t status = answer(requests[i], &result);
    if (status == GANTRY_OK && !settings_.complete_reads) {
      inline_out[i] = result;
    } else {
      complete(cq, requests[i].user_data, status, 0, result);
    }
  }
  return static_cast<std::int32_t>(n);
}

std::int32_t MemoryStore::read_at(std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq) {
  const std::lock_guard lock(mutex_);
  *inline_out = nullptr;
  auto record = log_.at_position(phys_pos);
  if (record == nullptr) {
    complete(cq, user_data, GANTRY_E_NOT_FOUND, 0);
    return 1;
  }
  auto *made = new Answer;
  made->add(std::move(record), 0, 0);
  made->result.stop = GANTRY_STOP_END;
  if (settings_.complete_reads) {
    complete(cq, user_data, GANTRY_OK, 0, made->finish());
  } else {
    *inline_out = made->finish();
  }
  return 1;
}

std::int32_t MemoryStore::queue_stat(gantry_queue handle, gantry_queue_stat *out) {
  const std::lock_guard lock(mutex_);
  const Queue *queue = log_.find(handle);
  if (queue == nullptr) return GANTRY_E_NOT_FOUND;
  const bool empty = queue->min_off == queue->max_off;
  *out = {queue->min_off, queue->max_off, queue->appended_off(), empty ? 0 : queue->entries.front().record->store_ms};
  return GANTRY_OK;
}

std::int32_t MemoryStore::seek_time(gantry_queue handle, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) {
  const std::lock_guard lock(mutex_);
  const Queue *queue = log_.find(handle);
  std::int64_t at = queue != nullptr ? queue->min_off : 0;
  while (queue != nullptr && at < queue->max_off && queue->at(at).record->store_ms < ms) ++at;
  complete(cq, user_data, queue != nullptr ? GANTRY_OK : GANTRY_E_NOT_FOUND, at);
  return 1;
}

std::int32_t MemoryStore::query_key(const gantry_key_query &query, gantry_cq cq) {
  const bool reserved = query.flags != 0 || query.reserved[0] != 0 || query.reserved[1] != 0;
  if (reserved || query.max_records < 1 || query.max_records > 1024) return GANTRY_E_INVALID;
  const std::lock_guard lock(mutex_);
  auto *made = new Answer;
  for (auto &record : log_.by_key(query, &made->result.next_off)) made->add(std::move(record), -1, 0);
  made->result.stop = made->result.next_off < 0 ? GANTRY_STOP_END : GANTRY_STOP_LIMIT;
  complete(cq, query.user_data, GANTRY_OK, 0, made->finish());
  return GANTRY_OK;
}

void MemoryStore::retain_from(std::int64_t phys_pos) {
  const std::lock_guard lock(mutex_);
  log_.retain_from(phys_pos);
}

void MemoryStore::stats(gantry_store_stats *out) {
  const std::lock_guard lock(mutex_);
  *out = gantry_store_stats{};
  out->size = sizeof *out;
  out->log_end_pos = log_.end_pos();
  out->free_bytes = settings_.capacity_bytes - std::min<std::uint64_t>(settings_.capacity_bytes, log_.bytes());
  out->space = refused_ ? GANTRY_SPACE_REFUSING : GANTRY_SPACE_FINE;
  out->queues = log_.queue_count();
  out->meta_rows = log_.meta_rows();
  out->bytes_written_total = appended_bytes_total_;
  std::copy_n("memory", sizeof "memory", out->engine);
}

std::uint32_t MemoryStore::refusal(char *out, std::uint32_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!refused_) return 0;
  const std::string text = "the capacity of " + std::to_string(settings_.capacity_bytes) + " bytes is used up; set a greater one";
  const std::size_t n = std::min<std::size_t>(text.size(), bytes);
  std::copy_n(text.data(), n, out);
  return static_cast<std::uint32_t>(n);
}

}  // namespace memory_store
