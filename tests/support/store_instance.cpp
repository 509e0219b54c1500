#include "support/store_instance.h"

#include "support/test_util.h"

#include <algorithm>

namespace gantry::test {

// ---- completions

CompletionLog::CompletionLog(FakeHost &host, std::uint32_t shard) : host_(host), shard_(shard) {
  const auto *cq = static_cast<const gantry_cq_v1 *>(host_.abi()->query(host_.abi(), GANTRY_CQ_ID));
  id_ = cq->create(host_.abi(), shard, ready, this);
  require(id_ != 0, "cq.create refused a queue");
}

CompletionLog::~CompletionLog() { close(); }

void CompletionLog::close() {
  if (id_ == 0) return;
  const auto *cq = static_cast<const gantry_cq_v1 *>(host_.abi()->query(host_.abi(), GANTRY_CQ_ID));
  if (host_.stopped()) {
    cq->close(host_.abi(), id_);
  } else {
    host_.on_shard(shard_, [&] { cq->close(host_.abi(), id_); });
  }
  id_ = 0;
}

void CompletionLog::ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto *log = static_cast<CompletionLog *>(self);
  const std::lock_guard lock(log->mutex_);
  log->got_.insert(log->got_.end(), cqes, cqes + n);
}

std::size_t CompletionLog::count() const {
  const std::lock_guard lock(mutex_);
  return got_.size();
}

std::vector<gantry_cqe> CompletionLog::all() const {
  const std::lock_guard lock(mutex_);
  return got_;
}

std::size_t CompletionLog::times(std::uint64_t user_data) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(got_.begin(), got_.end(), [&](const gantry_cqe &c) { return c.user_data == user_data; }));
}

std::optional<gantry_cqe> CompletionLog::wait_for(std::uint64_t user_data) {
  (void)host_.wait_until([&] { return times(user_data) > 0; }, 60000);
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(got_.begin(), got_.end(), [&](const gantry_cqe &c) { return c.user_data == user_data; });
  return at != got_.end() ? std::optional(*at) : std::nullopt;
}

bool CompletionLog::wait_count(std::size_t n) {
  return host_.wait_until([&] { return count() >= n; }, 60000);
}

// ---- read results

ReadResult &ReadResult::operator=(ReadResult &&other) noexcept {
  if (this != &other) {
    reset();
    result_ = std::exchange(other.result_, nullptr);
  }
  return *this;
}

void ReadResult::reset() {
  if (result_ != nullptr) result_->owner->release(result_->owner);
  result_ = nullptr;
}

std::span<const gantry_record> ReadResult::records() const {
  return result_ != nullptr ? std::span(result_->records, result_->n) : std::span<const gantry_record>();
}

std::string ReadResult::bytes(std::size_t i) const {
  require(i < records().size(), "a read result has fewer records than the test looks at");
  const gantry_span &span = records()[i].bytes;
  return {reinterpret_cast<const char *>(span.p), span.n};
}

// ---- the instance

StoreInstance::StoreInstance(FakeHost &host, const gantry_component &component, const ConfigTexts &texts)
    : host_(host), component_(component), table_(static_cast<const gantry_store_v1 *>(component.vtable)), config_(component, texts) {
  std::int32_t rc = GANTRY_OK;
  host_.on_control([&] { rc = component_.create(host_.abi(), config_.abi(), &self_, &error_); });
  require(rc == GANTRY_OK, std::string("create failed: ") + error_.text);
}

StoreInstance::~StoreInstance() { destroy(); }

std::int32_t StoreInstance::open(const std::string &data_dir, std::uint32_t default_durability, std::uint32_t home_shard) {
  gantry_store_open args{};
  args.size = sizeof args;
  args.home_shard = home_shard;
  args.data_dir = str_of(data_dir);
  args.default_durability = default_durability;
  args.consumption = consumption_;
  const gantry_recovery_sink sink{this, on_meta, on_queue};
  std::int32_t rc = GANTRY_OK;
  host_.on_control([&] {
    rc = table_->open(self_, &args, &sink, &error_);
    if (rc == GANTRY_OK) rc = component_.start(self_, &error_);
    started_ = rc == GANTRY_OK;
  });
  return rc;
}

void StoreInstance::stop() {
  if (!started_) return;
  started_ = false;
  host_.on_control([&] { component_.stop(self_); });
}

void StoreInstance::destroy() {
  stop();
  if (self_ == nullptr) return;
  host_.on_control([&] { component_.destroy(self_); });
  self_ = nullptr;
}

void StoreInstance::on_meta(void *self, gantry_str key, gantry_str value) noexcept {
  auto *store = static_cast<StoreInstance *>(self);
  if (!store->queues_.empty()) store->sink_faults_ += "meta row after a queue: " + text_of(key) + "\n";
  if (!store->meta_.emplace(text_of(key), text_of(value)).second) store->sink_faults_ += "meta row twice: " + text_of(key) + "\n";
}

void StoreInstance::on_queue(void *self, gantry_queue queue, gantry_str topic, std::uint32_t queue_no,
                             const gantry_queue_stat *stat) noexcept {
  auto *store = static_cast<StoreInstance *>(self);
  if (!store->queues_.emplace(std::pair(text_of(topic), queue_no), RecoveredQueue{queue, *stat}).second) {
    store->sink_faults_ += "queue twice: " + text_of(topic) + "\n";
  }
}

gantry_queue StoreInstance::queue(const std::string &topic, std::uint32_t queue_no, std::uint32_t kind) {
  gantry_queue out = GANTRY_NO_QUEUE;
  std::int32_t rc = GANTRY_OK;
  host_.on_shard(0, [&] { rc = table_->queue_open(self_, str_of(topic), queue_no, kind, &out); });
  require(rc == GANTRY_OK, "queue_open failed for " + topic + ": code " + std::to_string(rc));
  return out;
}

gantry_queue_stat StoreInstance::stat(gantry_queue queue) const {
  gantry_queue_stat out{};
  require(table_->queue_stat(self_, queue, &out) == GANTRY_OK, "queue_stat failed");
  return out;
}

gantry_store_stats StoreInstance::stats() const {
  gantry_store_stats out{};
  out.size = sizeof out;
  table_->stats(self_, &out);
  return out;
}

ReadResult StoreInstance::read(const gantry_read &request, std::int32_t *status, std::uint32_t shard) {
  CompletionLog done(host_, shard);
  const gantry_read_result *inline_out = nullptr;
  std::int32_t accepted = 0;
  host_.on_shard(shard, [&] { accepted = table_->read(self_, shard, &request, 1, &inline_out, done.id()); });
  std::int32_t code = accepted == 1 ? GANTRY_OK : accepted == 0 ? GANTRY_E_AGAIN : accepted;
  if (code == GANTRY_OK && inline_out == nullptr) {
    const auto cqe = done.wait_for(request.user_data);
    if (!cqe) require(false, "a read did not complete within a minute" + describe_threads());
    code = cqe->status;
    if (code == GANTRY_OK) inline_out = reinterpret_cast<const gantry_read_result *>(cqe->aux);
  }
  if (status != nullptr) *status = code;
  require(status != nullptr || code == GANTRY_OK, "a read failed: code " + std::to_string(code));
  return ReadResult(inline_out);
}

ReadResult StoreInstance::read(gantry_queue queue, std::int64_t offset, std::uint32_t max_records, std::int32_t *status) {
  gantry_read request{};
  request.user_data = 1;
  request.queue = queue;
  request.offset = offset;
  request.max_records = max_records;
  request.max_bytes = 64u << 20;
  request.flags = GANTRY_READ_ANY_TAG;
  return read(request, status);
}

ReadResult StoreInstance::query_key(std::uint64_t hash, std::uint32_t max_records, std::int64_t before_pos, std::int64_t begin_ms, std::int64_t end_ms) {
  gantry_key_query query{};
  query.user_data = 9;
  query.hash = hash;
  query.begin_ms = begin_ms;
  query.end_ms = end_ms;
  query.before_pos = before_pos;
  query.max_records = max_records;
  CompletionLog done(host_);
  std::int32_t rc = GANTRY_OK;
  host_.on_shard(0, [&] { rc = table_->query_key(self_, 0, &query, done.id()); });
  require(rc == GANTRY_OK, "a query_key was refused: code " + std::to_string(rc));
  const auto cqe = done.wait_for(9);
  if (!cqe) require(false, "a query_key did not complete within a minute" + describe_threads());
  require(cqe->status == GANTRY_OK, "a query_key failed: code " + std::to_string(cqe->status));
  return ReadResult(reinterpret_cast<const gantry_read_result *>(cqe->aux));
}

ReadResult StoreInstance::read_at(std::int64_t phys_pos, std::int32_t *status, std::uint32_t shard) {
  CompletionLog done(host_, shard);
  const gantry_read_result *inline_out = nullptr;
  std::int32_t accepted = 0;
  host_.on_shard(shard, [&] { accepted = table_->read_at(self_, shard, phys_pos, 7, &inline_out, done.id()); });
  // read_at takes one request: 1 (or OK) is acceptance.
  std::int32_t code = accepted >= 0 ? GANTRY_OK : accepted;
  if (code == GANTRY_OK && inline_out == nullptr) {
    const auto cqe = done.wait_for(7);
    if (!cqe) require(false, "a read_at did not complete within a minute" + describe_threads());
    code = cqe->status;
    if (code == GANTRY_OK) inline_out = reinterpret_cast<const gantry_read_result *>(cqe->aux);
  }
  if (status != nullptr) *status = code;
  require(status != nullptr || code == GANTRY_OK, "a read_at failed: code " + std::to_string(code));
  return ReadResult(inline_out);
}

}  // namespace gantry::test
