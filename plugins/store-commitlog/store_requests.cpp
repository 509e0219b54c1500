// The functions of gantry_store_v1.
#include "store.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

namespace {
constexpr std::uint32_t kMaxKeyBytes = 1024, kMaxValueBytes = 1u << 20, kMaxTopicBytes = 60000;

std::span<const char> bytes_of(const gantry_str &s) { return {s.p, s.n}; }
}  // namespace

void Store::complete(gantry_cq cq, std::uint64_t user_data, std::int32_t status) const {
  const gantry_cqe cqe{user_data, 0, 0, status, 0};
  core_.host.push(cq, {&cqe, 1});
}

std::int32_t Store::queue_open(gantry_str topic, std::uint32_t queue_no, std::uint32_t kind, gantry_queue *out) {
  if (!serving()) return GANTRY_E_CLOSED;
  if (topic.n == 0 || topic.n > kMaxTopicBytes || kind > GANTRY_QUEUE_LIGHT) return GANTRY_E_INVALID;
  {
    const std::lock_guard lock(core_.mutex);
    const std::string_view name(topic.p, topic.n);
    *out = core_.queues.find(name, queue_no);
    if (*out != GANTRY_NO_QUEUE) return GANTRY_OK;
    if (core_.writer.fenced()) return GANTRY_E_NOT_WRITABLE;
    *out = core_.queues.add(name, queue_no, kind);
    if (*out == GANTRY_NO_QUEUE) return GANTRY_E_LIMIT;
    const QueueNewValue value{static_cast<std::uint32_t>(*out), queue_no, kind};
    op_bytes_.clear();
    put_meta_op(op_bytes_, MetaOpKind::kQueueNew, bytes_of(topic), {reinterpret_cast<const char *>(&value), sizeof value});
    core_.writer.meta_first(op_bytes_);
  }
  pump_->arm(core_.host.this_shard());
  return GANTRY_OK;
}

std::int32_t Store::queue_drop(gantry_queue queue) {
  if (!serving()) return GANTRY_E_CLOSED;
  {
    const std::lock_guard lock(core_.mutex);
    if (core_.queues.get(queue) == nullptr) return GANTRY_E_NOT_FOUND;
    if (core_.writer.fenced()) return GANTRY_E_NOT_WRITABLE;
    const auto handle = static_cast<std::uint32_t>(queue);
    op_bytes_.clear();
    put_meta_op(op_bytes_, MetaOpKind::kQueueDrop, {}, {reinterpret_cast<const char *>(&handle), sizeof handle});
    core_.writer.meta_first(op_bytes_);
    core_.queues.drop(queue);
  }
  pump_->arm(core_.host.this_shard());
  return GANTRY_OK;
}

std::int32_t Store::append(std::uint32_t shard, const gantry_append *requests, std::uint32_t n, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  std::uint32_t taken = 0;
  std::int32_t rc = GANTRY_OK;
  {
    const std::lock_guard lock(core_.mutex);
    core_.writer.expect(requests, n);
    const auto take = [&](const gantry_append &one) { return one.base_bytes == 0 ? core_.writer.append(one, cq) : references_.append(one, cq); };
    while (taken < n && (rc = take(requests[taken])) == GANTRY_OK) ++taken;
  }
  if (rc == GANTRY_E_AGAIN) core_.wake_background();  // it may be a segment that is missing
  if (taken == 0) return n == 0 ? 0 : rc;
  pump_->arm(shard);
  return static_cast<std::int32_t>(taken);
}

std::int32_t Store::meta_write(const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  if (n == 0 || durability > GANTRY_DURABILITY_DURABLE) return GANTRY_E_INVALID;
  for (std::uint32_t i = 0; i < n; ++i) {
    const gantry_meta_op &op = ops[i];
    if ((op.op != GANTRY_META_PUT && op.op != GANTRY_META_DELETE) || op.key.n == 0) return GANTRY_E_INVALID;
    if (op.key.n > kMaxKeyBytes || op.value.n > kMaxValueBytes) return GANTRY_E_LIMIT;
  }
  {
    const std::lock_guard lock(core_.mutex);
    op_bytes_.clear();
    for (std::uint32_t i = 0; i < n; ++i) {
      const bool put = ops[i].op == GANTRY_META_PUT;
      put_meta_op(op_bytes_, put ? MetaOpKind::kPut : MetaOpKind::kDelete, bytes_of(ops[i].key), put ? bytes_of(ops[i].value) : std::span<const char>());
      if (op_bytes_.size() > core_.writer.max_meta_bytes()) return GANTRY_E_LIMIT;
    }
    const std::int32_t rc = core_.writer.meta(op_bytes_, n, durability, user_data, cq);
    if (rc != GANTRY_OK) {
      if (rc == GANTRY_E_AGAIN) core_.wake_background();
      return rc;
    }
  }
  pump_->arm(core_.host.this_shard());
  return GANTRY_OK;
}

std::int32_t Store::read(std::uint32_t, const gantry_read *requests, std::uint32_t n, const gantry_read_result **inline_out, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  for (std::uint32_t i = 0; i < n; ++i) {
    const gantry_read &r = requests[i];
    const bool fine = r.max_records >= 1 && r.max_records <= kMaxReadRecords && (r.flags & ~(GANTRY_READ_ANY_TAG | GANTRY_READ_INDEX_ONLY)) == 0 &&
                      r.reserved[0] == 0 && r.reserved[1] == 0;
    if (!fine) {
      if (i == 0) return GANTRY_E_INVALID;
      n = i;  // the next call starts with the wrong one
    }
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    inline_out[i] = nullptr;
    ReadResult *result = nullptr;
    ColdRead cold;
    HotReader::Answer answer;
    {
      const std::lock_guard lock(core_.mutex);
      answer = hot_.read(requests[i], &result, &cold);
    }
    cold.cq = cq;
    cold.user_data = requests[i].user_data;
    inline_out[i] = deliver(answer, result, std::move(cold));
  }
  return static_cast<std::int32_t>(n);
}

std::int32_t Store::read_at(std::uint32_t, std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  ReadResult *result = nullptr;
  ColdRead cold;
  cold.cq = cq;
  cold.user_data = user_data;
  HotReader::Answer answer;
  {
    const std::lock_guard lock(core_.mutex);
    answer = hot_.read_at({phys_pos}, &result, &cold);
  }
  *inline_out = deliver(answer, result, std::move(cold));
  return 1;
}

const gantry_read_result *Store::deliver(HotReader::Answer answer, ReadResult *result, ColdRead cold) {
  switch (answer) {
    case HotReader::Answer::kInline:
      for (const ToPlace &record : cold.to_place) record.place();
      if (cold.ahead_count > 0) readers_->ahead(cold.ahead, cold.ahead_count);
      return result->abi();
    case HotReader::Answer::kNotFound: complete(cold.cq, cold.user_data, GANTRY_E_NOT_FOUND); break;
    case HotReader::Answer::kCorrupt: complete(cold.cq, cold.user_data, GANTRY_E_CORRUPT); break;
    case HotReader::Answer::kCold: readers_->submit(std::move(cold)); break;
  }
  return nullptr;
}

std::int32_t Store::queue_stat(gantry_queue queue, gantry_queue_stat *out) {
  if (!serving()) return GANTRY_E_CLOSED;
  const std::lock_guard lock(core_.mutex);
  QueueState *state = core_.queues.get(queue);
  if (state == nullptr) return GANTRY_E_NOT_FOUND;
  *out = core_.stat_of(*state);
  return GANTRY_OK;
}

std::int32_t Store::seek_time(std::uint32_t, gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  ColdSeek cold;
  QueueOff offset;
  {
    const std::lock_guard lock(core_.mutex);
    QueueState *state = core_.queues.get(queue);
    if (state == nullptr) return GANTRY_E_NOT_FOUND;
    if (seek_in_memory(core_, *state, ms, &offset, &cold)) {
      cold.part.segment = nullptr;
    }
  }
  if (cold.part.segment == nullptr) {
    const gantry_cqe cqe{user_data, offset.v, 0, GANTRY_OK, 0};
    core_.host.push(cq, {&cqe, 1});
    return GANTRY_OK;
  }
  cold.cq = cq;
  cold.user_data = user_data;
  cold.queue = static_cast<std::uint32_t>(queue);
  readers_->submit(std::move(cold));
  return GANTRY_OK;
}

std::int32_t Store::sync(std::uint32_t shard, std::uint64_t user_data, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  {
    const std::lock_guard lock(core_.mutex);
    if (core_.writer.fenced()) return GANTRY_E_NOT_WRITABLE;
    pump_->add_sync(cq, user_data);
  }
  pump_->arm(shard);
  return GANTRY_OK;
}

std::int32_t Store::query_key(std::uint32_t, const gantry_key_query &query, gantry_cq cq) {
  if (!serving()) return GANTRY_E_CLOSED;
  if (query.max_records < 1 || query.max_records > kMaxReadRecords || query.flags != 0 || query.reserved[0] != 0 || query.reserved[1] != 0) {
    return GANTRY_E_INVALID;
  }
  readers_->submit(KeyQuery{cq, query});
  return GANTRY_OK;
}

void Store::retain_from(std::int64_t phys_pos) {
  const std::lock_guard lock(core_.mutex);
  core_.held_from = {phys_pos};
}

void Store::stats(gantry_store_stats *out) {
  gantry_store_stats s{};
  s.size = sizeof s;
  if (opened_) {
    const std::lock_guard lock(core_.mutex);
    s.log_begin_pos = core_.segments.oldest_readable()->base.v;
    s.log_end_pos = core_.writer.taken_pos().v;
    s.durable_pos = core_.writer.flushed_pos().v;
    s.segments = core_.segments.live.size();
    for (const SegmentRef &segment : core_.segments.live) s.bytes_on_disk += static_cast<std::uint64_t>(segment->bytes);
    for (const SegmentRef &segment : core_.segments.ready) s.bytes_on_disk += static_cast<std::uint64_t>(segment->bytes);
    s.queues = core_.queues.alive();
    s.space = core_.writer.refuses_records() ? GANTRY_SPACE_REFUSING : core_.writer.no_space() ? GANTRY_SPACE_SHORT : GANTRY_SPACE_FINE;
    s.held_begin_pos = core_.held_over.begin.v;
    s.held_file_end_pos = core_.held_over.file_end.v;
    s.held_end_pos = core_.held_over.end.v;
    s.writes_total = core_.writer.counts().writes;
    s.flushes_total = core_.writer.counts().dsync_writes + core_.counters.flushes;
    s.bytes_written_total = core_.writer.counts().written_bytes;
    s.recovered_bytes_scanned = core_.counters.scanned_bytes;
    s.recovered_bytes_cut = core_.counters.cut_bytes;
    const std::string engine = (pump_ != nullptr ? pump_->engine_description() : "not started") + (core_.segments.active().direct ? ", O_DIRECT" : ", buffered");
    std::memcpy(s.engine, engine.data(), std::min(engine.size(), sizeof s.engine - 1));
  }
  (void)core_.apply_acknowledged_meta(false);
  s.meta_rows = core_.counters.meta_rows;
  s.bad_records_total = core_.counters.bad_records;
  s.dropped_unconsumed_total = core_.counters.dropped_unconsumed;
  {
    const std::lock_guard lock(core_.space.mutex);
    s.free_bytes = static_cast<std::uint64_t>(core_.space.disk.free);
    s.disk_bytes = static_cast<std::uint64_t>(core_.space.disk.total);
    s.write_bytes_per_s = core_.space.write_bytes_per_s;
    s.full_in_ms = core_.space.full_in_ms;
  }
  {
    const std::lock_guard lock(core_.scrub.mutex);
    s.scrub_done_bytes = static_cast<std::uint64_t>(core_.scrub.done_bytes);
    s.scrub_total_bytes = static_cast<std::uint64_t>(core_.scrub.total_bytes);
    s.scrub_last_ms = core_.scrub.last_pass_ms;
    s.scrub_bad_records_total = core_.scrub.bad_records;
  }
  *out = s;
}

std::uint32_t Store::refusal(char *out, std::uint32_t bytes) {
  {
    const std::lock_guard lock(core_.mutex);
    if (!opened_ || !core_.writer.no_space()) return 0;
  }
  const std::lock_guard lock(core_.space.mutex);
  const std::size_t n = std::min<std::size_t>(core_.space.refusal.size(), bytes);
  std::memcpy(out, core_.space.refusal.data(), n);
  return static_cast<std::uint32_t>(n);
}

}  // namespace gantry::commitlog
