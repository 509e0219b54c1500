#include "recorded_life.h"

namespace gantry::test {

namespace {
constexpr std::size_t kMostJumps = 5;                              // per life
constexpr std::int64_t kJumpMs = 26ll * 24 * 3600 * 1000;          // more than fits into a segment: the log goes on in the next one
const QueueName kQueues[] = {{"A", 0}, {"A", 1}, {"B", 0}, {"C", 7}};
}  // namespace

RecordedLife::RecordedLife(std::string folder, std::shared_ptr<TwinDisk> disk, LifeOptions options, Ledger &ledger)
    : folder_(std::move(folder)), disk_(std::move(disk)), options_(std::move(options)), ledger_(ledger), random_(options_.seed) {}

RecordedLife::~RecordedLife() {
  if (store_ != nullptr) close();
}

std::int32_t RecordedLife::open() {
  host_ = std::make_unique<FakeHost>();
  host_->freeze_clock(now_ms_);  // goes on with the steps: the store stays with flushing writes for a second after a durable request
  store_ = std::make_unique<StoreInstance>(*host_, component_over(disk_), options_.config);
  const std::int32_t rc = store_->open(folder_, options_.written ? GANTRY_DURABILITY_WRITTEN : GANTRY_DURABILITY_DURABLE);
  if (rc != GANTRY_OK) return rc;
  note_what_is_gone();
  done_ = std::make_unique<CompletionLog>(*host_);
  waiting_.clear();
  bases_.clear();
  seen_ = answered_ = jumps_ = 0;
  return GANTRY_OK;
}

// Requests that failed, or were never answered, and are not there. After a failed flush also those that asked for less than a flush.
void RecordedLife::note_what_is_gone() {
  std::string why;
  const auto contents = options_.may_fail ? contents_of(*store_, &why) : std::nullopt;
  if (!contents) return;
  for (Asked &one : ledger_.asked) {
    const bool unsure = disk_->a_flush_failed() && one.durability < GANTRY_DURABILITY_DURABLE;
    if (one.what != Asked::What::kRecord) {
      one.cut |= unsure;
      continue;
    }
    if (one.phys_pos >= 0 && !unsure) continue;
    const auto queue = contents->queues.find(one.queue);
    one.cut |= queue == contents->queues.end() || !queue->second.records.contains(one.offset);
  }
}

void RecordedLife::close() {
  if (done_ != nullptr) settle(true);
  store_->stop();
  if (done_ != nullptr) settle(false);
  done_.reset();
  store_.reset();
  host_.reset();
}

void RecordedLife::kill() {
  settle(true);
  disk_->freeze();
  done_.reset();
  store_.reset();
  host_.reset();
  disk_->thaw();
}

bool RecordedLife::taken(std::int32_t rc) {
  if (rc == 1 || rc == GANTRY_OK) return true;
  require(options_.may_fail, "a request was refused: code " + std::to_string(rc));
  ++failed_;
  return false;
}

std::uint32_t RecordedLife::some_durability() {
  return options_.written && random_() % 8 != 0 ? GANTRY_DURABILITY_WRITTEN : GANTRY_DURABILITY_DURABLE;
}

bool RecordedLife::send(const QueueName &queue, std::size_t body_bytes, std::uint32_t durability, std::int64_t later_ms) {
  gantry_queue handle = GANTRY_NO_QUEUE;
  std::int32_t rc = GANTRY_OK;
  host_->on_shard(0, [&] { rc = store_->table().queue_open(store_->self(), str_of(queue.first), queue.second, 0, &handle); });
  if (!taken(rc)) return false;
  now_ms_ += later_ms;
  Asked one;
  one.seq = static_cast<std::int64_t>(ledger_.asked.size());
  one.durability = durability;
  one.queue = queue;
  one.message = message(handle, filled(body_bytes, static_cast<std::uint64_t>(one.seq)), one.seq % 5);
  one.message.store_ms = now_ms_;
  one.message.durability = durability;
  one.message.key_hashes = {static_cast<std::uint64_t>(one.seq) + 1};
  AppendBatch batch(&one.message, 1, waiting_.size());
  (void)host_->wait_until([&] {
    host_->on_shard(0, [&] { rc = store_->table().append(store_->self(), 0, batch.data(), 1, done_->id()); });
    if (rc == GANTRY_E_AGAIN || rc == 0) settle(false);
    return rc != GANTRY_E_AGAIN && rc != 0;
  });
  if (!taken(rc)) return false;
  one.offset = one.message.offsets[0];
  waiting_.push_back({one.seq, false});
  ledger_.asked.push_back(std::move(one));
  return true;
}

// A record with the body of one before it. Where the store would rather have all of it: not sent.
bool RecordedLife::refer(const QueueName &queue, std::uint32_t durability) {
  if (bases_.empty()) return true;
  const Asked base = ledger_.asked[bases_[bases_.size() - 1 - random_() % std::min<std::size_t>(bases_.size(), 4)]];
  if (base.message.bytes.size() < 300 || !base.borrowed.empty()) return true;
  Asked one;
  one.seq = static_cast<std::int64_t>(ledger_.asked.size());
  one.durability = durability;
  one.queue = queue;
  one.borrowed = body_of(base.message.bytes);
  gantry_queue handle = GANTRY_NO_QUEUE;
  std::int32_t rc = GANTRY_OK;
  host_->on_shard(0, [&] { rc = store_->table().queue_open(store_->self(), str_of(queue.first), queue.second, 0, &handle); });
  if (!taken(rc)) return false;
  one.base_pos = base.phys_pos;
  one.message = message(handle, "own " + std::to_string(one.seq), 1);
  one.message.cuts = {kRecordHeadBytes};
  one.message.store_ms = now_ms_;
  one.message.durability = durability;
  AppendBatch batch(&one.message, 1, waiting_.size());
  gantry_append &request = *batch.data();
  request.base_pos = base.phys_pos;
  request.base_skip = static_cast<std::uint32_t>(kRecordHeadBytes);
  request.base_bytes = static_cast<std::uint32_t>(one.borrowed.size());
  request.bytes += request.base_bytes;
  host_->on_shard(0, [&] { rc = store_->table().append(store_->self(), 0, &request, 1, done_->id()); });
  if (rc != 1) return true;
  one.offset = one.message.offsets[0];
  waiting_.push_back({one.seq, false});
  ledger_.asked.push_back(std::move(one));
  return true;
}

bool RecordedLife::put_row(std::uint32_t durability) {
  Asked one;
  one.seq = static_cast<std::int64_t>(ledger_.asked.size());
  one.durability = durability;
  one.what = random_() % 4 == 0 ? Asked::What::kDelete : Asked::What::kPut;
  one.key = "row" + std::to_string(random_() % 4);
  one.value = std::to_string(one.seq) + std::string(random_() % 40, 'v');
  const bool put = one.what == Asked::What::kPut;
  const gantry_meta_op op{put ? GANTRY_META_PUT : GANTRY_META_DELETE, 0, str_of(one.key), put ? str_of(one.value) : gantry_str{}};
  std::int32_t rc = GANTRY_OK;
  (void)host_->wait_until([&] {
    host_->on_shard(0, [&] { rc = store_->table().meta_write(store_->self(), &op, 1, durability, waiting_.size(), done_->id()); });
    if (rc == GANTRY_E_AGAIN) settle(false);
    return rc != GANTRY_E_AGAIN;
  });
  if (!taken(rc)) return false;
  waiting_.push_back({one.seq, false});
  ledger_.asked.push_back(std::move(one));
  return true;
}

void RecordedLife::sync() {
  std::int32_t rc = GANTRY_OK;
  host_->on_shard(0, [&] { rc = store_->table().sync(store_->self(), 0, waiting_.size(), done_->id()); });
  if (taken(rc)) waiting_.push_back({static_cast<std::int64_t>(ledger_.asked.size()) - 1, true});
}

void RecordedLife::settle(bool all) {
  const auto look = [&] {
    host_->turn(all ? 1 : 0);
    const auto got = done_->all();
    for (; seen_ < got.size(); ++seen_, ++answered_) {
      const gantry_cqe &cqe = got[seen_];
      const Waiting &request = waiting_[cqe.user_data];
      if (cqe.status != GANTRY_OK) {
        require(options_.may_fail, "a request failed: status " + std::to_string(cqe.status));
        ++failed_;
        continue;
      }
      if (!request.is_sync) {
        Asked &one = ledger_.asked[static_cast<std::size_t>(request.seq)];
        if (one.what == Asked::What::kRecord) {
          one.phys_pos = cqe.result;
          bases_.push_back(static_cast<std::size_t>(request.seq));
        }
      }
      if (disk_->trace) disk_->trace->note(request.is_sync ? Note::kSyncAck : Note::kAck, request.seq);
    }
    return !all || answered_ == waiting_.size();
  };
  if (all) {
    if (!host_->wait_until(look, 60000)) require(false, "requests were not answered within a minute" + describe_threads());
  } else {
    (void)look();
  }
  if (disk_->trace) disk_->trace->note(Note::kLogBegin, store_->stats().log_begin_pos);
}

void RecordedLife::step() {
  const QueueName &queue = kQueues[random_() % 4];
  const std::uint64_t dice = random_() % 100;
  if (dice < 70) {
    const std::size_t bytes = random_() % 12 == 0 ? 5000 + random_() % 20000 : 20 + random_() % 700;
    (void)send(queue, bytes, some_durability(), 0);
  } else if (dice < 74 && jumps_ < kMostJumps) {
    ++jumps_;
    (void)send(queue, 200, some_durability(), kJumpMs);
  } else if (dice < 84) {
    (void)put_row(some_durability());
  } else if (dice < 88) {
    sync();
  } else if (dice < 96) {
    (void)refer(queue, some_durability());
  } else {
    settle(false);
    host_->turn(2);  // the threads behind get a moment
  }
  host_->advance_ms(static_cast<std::int64_t>(random_() % 700));
  for (std::uint64_t turns = random_() % 3; turns > 0; --turns) settle(false);
}

void RecordedLife::work() {
  for (std::size_t i = 0; i < options_.steps; ++i) step();
  settle(true);
}

bool RecordedLife::append_a_little() {
  const std::size_t failed = failed_;
  (void)(send(kQueues[0], 60, GANTRY_DURABILITY_DURABLE, 0) && put_row(GANTRY_DURABILITY_DURABLE));
  settle(true);
  return failed_ == failed;
}

bool RecordedLife::append_to_a_new_queue() {
  const std::size_t failed = failed_;
  (void)send({"new", 0}, 60, GANTRY_DURABILITY_DURABLE, 0);
  settle(true);
  return failed_ == failed;
}

}  // namespace gantry::test
