#include "hot_read.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

struct HotReader::Scan {
  const gantry_read &request;
  gantry_read_result state{};
  QueueOff at{}, end{};        // next entry; end of what is readable
  std::uint32_t scanned = 0;
  std::uint64_t bytes = 0;
  bool cold = false;           // the picked records are on disk only
  bool refers = false;         // one of them is put together from two places

  [[nodiscard]] bool index_only() const { return (request.flags & GANTRY_READ_INDEX_ONLY) != 0; }
  [[nodiscard]] bool wants(std::int64_t tag) const {
    if ((request.flags & GANTRY_READ_ANY_TAG) != 0) return true;
    return std::find(request.tags, request.tags + request.n_tags, tag) != request.tags + request.n_tags;
  }
  bool stop(std::uint32_t why) {
    state.stop = why;
    return false;
  }
};

// Takes the record of the entry at scan.at if it is wanted; `row` is null when it is lost. False: nothing more is taken.
[[gnu::always_inline]] inline bool HotReader::pick(Scan &scan, std::int64_t tag, const RecordRow *row, const SegmentRef &segment, std::int64_t first_store_ms) {
  if (scan.scanned++ == kMaxScanned) return scan.stop(GANTRY_STOP_LIMIT);
  if (row != nullptr && !scan.wants(tag)) return true;
  if (row == nullptr || row->damaged()) {
    scan.at = scan.at + 1;
    return scan.stop(GANTRY_STOP_BAD);
  }
  if (picked_.size() == scan.request.max_records) return scan.stop(GANTRY_STOP_LIMIT);
  const LogPos pos = segment->base + row->offset;
  gantry_span stored{};
  if (!scan.index_only()) {
    std::uint32_t bytes = row->size;
    bool cold = pos < core_.arena.hot_begin();
    if (row->refers()) [[unlikely]] {
      bytes = look_at_reference(*row, pos, &cold);
      scan.refers = true;
    }
    if (!picked_.empty() && scan.bytes + bytes > scan.request.max_bytes) return scan.stop(GANTRY_STOP_LIMIT);
    if (picked_.empty()) {
      scan.cold = cold;
    } else if (cold != scan.cold) {
      return scan.stop(GANTRY_STOP_LIMIT);  // a result is all from the arena or all from disk
    }
    scan.bytes += bytes;
    if (!cold && core_.arena.is_next_to_go(pos, bytes, taken_)) [[unlikely]] {
      if (!picked_.empty() && copied_ + bytes > kMaxCopiedHot) return scan.stop(GANTRY_STOP_LIMIT);
      copied_ += bytes;
    }
    stored = {core_.arena.at(pos), bytes, 0, nullptr};
  }
  picked_.add() = {{stored, scan.at.v, pos.v, tag, store_ms_of(first_store_ms, row->store_ms_delta)}, row, segment->no, 0};
  return true;
}

// Bytes of the whole record, of what is stored of it when that is not in the arena. *cold becomes true when its base is on disk only.
std::uint32_t HotReader::look_at_reference(const RecordRow &row, LogPos pos, bool *cold) const {
  if (*cold) return row.bytes();  // whoever reads it learns the rest
  const Reference reference = stored_reference(core_.arena.at(pos));
  *cold = LogPos{reference.base_pos} < core_.arena.hot_begin();
  return whole_bytes(reference, row.bytes());
}

// Goes through the part's entries from scan.at. True: reached its end, go on with the next part.
bool HotReader::visit(Scan &scan, const QueuePart &part, const SegmentRef &segment) {
  const SegmentIndex &index = *segment->index;
  const QueueOff end = std::min(part.first + part.count, scan.end);
  for (; scan.at < end; scan.at = scan.at + 1) {
    const Entry &entry = part.at(static_cast<std::uint32_t>(scan.at - part.first));
    if (!pick(scan, entry.tag, entry.record == kNoRecord ? nullptr : &index.record(entry.record), segment, segment->first_store_ms)) return false;
  }
  return true;
}

bool HotReader::visit(Scan &scan, const IndexWindow &window, const SegmentRef &segment) {
  const QueueOff end = std::min(window.end(), scan.end);
  for (; scan.at < end; scan.at = scan.at + 1) {
    const IndexWindow::Row &row = window.rows[static_cast<std::size_t>(scan.at - window.first)];
    if (!pick(scan, row.tag, row.lost() ? nullptr : &row.record, segment, window.first_store_ms)) return false;
  }
  return true;
}

// For entries whose index is in run files. False: the first one is in no window.
bool HotReader::visit_windows(Scan &scan, const QueueState &queue) {
  if (queue.refs == nullptr) return false;
  const auto after = [&](const PartRef &ref) { return scan.at < ref.first + ref.count; };
  auto ref = std::find_if(queue.refs->begin(), queue.refs->end(), after);
  scan.state.stop = GANTRY_STOP_LIMIT;
  while (ref != queue.refs->end() && ref->first <= scan.at) {
    IndexWindowRef window = core_.windows.find(static_cast<std::uint32_t>(scan.request.queue), ref->segment_no, static_cast<std::uint32_t>(scan.at - ref->first));
    if (window == nullptr || scan.at < window->first || scan.at >= window->end()) break;
    windows_.push_back(std::move(window));
    if (!visit(scan, *windows_.back(), core_.segments.by_no(ref->segment_no))) break;
    if (!after(*ref)) ++ref;
  }
  return !windows_.empty();
}

HotReader::Answer HotReader::read(const gantry_read &request, ReadResult **out, ColdRead *cold) {
  QueueState *queue = core_.queues.get(request.queue);
  if (queue == nullptr) return Answer::kNotFound;
  picked_.clear();
  windows_.clear();
  copied_ = 0;
  taken_ = core_.writer.taken_pos();
  Scan scan{request};
  const QueueOff min = std::min(queue->trim(core_.segments.first_no()), queue->visible);
  scan.at = {request.offset};
  scan.end = queue->visible;
  cold->queue = static_cast<std::uint32_t>(request.queue);
  scan.state.min_off = min.v;
  scan.state.max_off = queue->visible.v;
  scan.state.stop = GANTRY_STOP_END;
  if (scan.at < min || scan.at > scan.end) {
    scan.state.stop = GANTRY_STOP_RANGE;
    scan.state.next_off = scan.at < min ? min.v : scan.end.v;
    *out = finish_hot(scan.state);
    return Answer::kInline;
  }
  parts_.clear();
  for (const QueuePart *part = queue->part; part != nullptr; part = part->older) {
    parts_.push_back(part);
    if (part->first <= scan.at) break;
  }
  std::size_t n = parts_.size();
  const bool in_memory = scan.at == scan.end || (n > 0 && parts_[n - 1]->first <= scan.at);
  if (!in_memory && visit_windows(scan, *queue)) {
    n = 0;
  } else if (!in_memory) {
    scan.state.stop = GANTRY_STOP_END;
    cold->result = scan.state;
    cold->offset = request.offset;
    cold->any_tag = (request.flags & GANTRY_READ_ANY_TAG) != 0;
    if (!cold->any_tag) cold->tags.assign(request.tags, request.tags + request.n_tags);
    cold->index_only = scan.index_only();
    cold->max_records = request.max_records;
    cold->max_bytes = request.max_bytes;
    constexpr std::size_t kMaxRuns = 64;
    for (const PartRef &ref : queue->refs != nullptr ? *queue->refs : std::vector<PartRef>{}) {
      if (ref.first + ref.count <= scan.at) continue;
      if (cold->runs.size() == kMaxRuns) break;
      const SegmentRef &segment = core_.segments.by_no(ref.segment_no);
      cold->runs.push_back({segment, segment->run, ref.first + ref.count});
    }
    cold->stable = core_.writer.done_pos();
    if (!cold->runs.empty()) return Answer::kCold;
    // A hole before the parts in memory.
    scan.state.next_off = n > 0 ? parts_[n - 1]->first.v : scan.end.v;
    scan.state.stop = GANTRY_STOP_BAD;
    *out = finish_hot(scan.state);
    return Answer::kInline;
  }
  while (n > 0 && scan.at < scan.end) {
    const QueuePart &part = *parts_[--n];
    if (part.first > scan.at) {  // a hole: what lay there was lost with a damaged segment
      scan.at = part.first;
      scan.state.stop = GANTRY_STOP_BAD;
      break;
    }
    if (!visit(scan, part, core_.segments.by_no(part.segment_no))) break;
  }
  scan.state.next_off = scan.at.v;
  if (scan.at == scan.end && scan.state.stop == GANTRY_STOP_LIMIT) scan.state.stop = GANTRY_STOP_END;
  if (scan.cold && !picked_.empty()) {
    if (!scan.refers && (*out = finish_warm(scan.state, cold)) != nullptr) return Answer::kInline;
    cold->max_bytes = request.max_bytes;
    finish_cold(scan.state, cold);
    return Answer::kCold;
  }
  *out = scan.refers ? finish_referring(scan.state, cold) : finish_hot(scan.state);
  return Answer::kInline;
}

HotReader::Answer HotReader::read_at(LogPos pos, ReadResult **out, ColdRead *cold) {
  if (pos.v < 0 || pos >= core_.writer.acked_pos()) return Answer::kNotFound;
  const SegmentRef segment = core_.segments.find(pos);
  if (segment == nullptr || segment->no < core_.segments.first_no()) return Answer::kNotFound;
  const auto offset = static_cast<std::uint32_t>(pos - segment->base);
  cold->one = true;
  if (segment->index == nullptr) {
    cold->by_position = true;
    cold->position_in_segment = offset;
    cold->runs.push_back({segment, segment->run});
    cold->stable = core_.writer.done_pos();
    return Answer::kCold;
  }
  const std::uint32_t number = segment->index->find_record(offset);
  if (number == kNoRecord) return Answer::kNotFound;
  const RecordRow &row = segment->index->record(number);
  if (row.damaged()) return Answer::kCorrupt;
  picked_.clear();
  taken_ = core_.writer.taken_pos();
  Picked &one = picked_.add();
  one = {{}, &row, segment->no, 0};
  bool in_file = pos < core_.arena.hot_begin();
  one.record.bytes = {core_.arena.at(pos), row.refers() ? look_at_reference(row, pos, &in_file) : row.bytes(), 0, nullptr};
  one.record.queue_off = -1;  // a record may be in many queues
  one.record.phys_pos = pos.v;
  one.record.store_ms = store_ms_of(segment->first_store_ms, row.store_ms_delta);
  copied_ = !in_file && is_next_to_go(one) ? one.record.bytes.n : 0;
  gantry_read_result state{};
  state.stop = GANTRY_STOP_END;
  if (in_file) {
    *out = row.refers() ? nullptr : finish_warm(state, cold);
    if (*out != nullptr && (*out)->result().n == 1) return Answer::kInline;
    if (*out != nullptr) {
      (*out)->release();
      return Answer::kCorrupt;
    }
    finish_cold(state, cold);
    return Answer::kCold;
  }
  *out = row.refers() ? finish_referring(state, cold) : finish_hot(state);
  return Answer::kInline;
}

// Such records are copied, not pinned. Who reads what lies there to store it again - retries, timers, transactions - would wait for its own pin: the log goes
// on only over chunks that nobody reads, and after each attempt the next one would pin the same chunk.
bool HotReader::is_next_to_go(const Picked &one) const {
  return core_.arena.is_next_to_go({one.record.phys_pos}, one.record.bytes.n, taken_);
}

ReadResult *HotReader::finish_hot(const gantry_read_result &state) {
  const std::uint32_t n = picked_.size();
  ReadResult *result = ReadResult::create(n, copied_);
  std::uint8_t *to = result->bytes();
  std::uint64_t mask = 0, bytes = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    gantry_record &record = result->records()[i];
    record = picked_[i].record;
    if (record.bytes.n == 0) continue;  // from the index alone
    if (copied_ > 0 && is_next_to_go(picked_[i])) {
      std::memcpy(to, record.bytes.p, record.bytes.n);
      record.bytes.p = to;
      to += record.bytes.n;
      continue;
    }
    core_.arena.pin({picked_[i].record.phys_pos}, picked_[i].record.bytes.n, &mask);
    bytes += picked_[i].record.bytes.n;
  }
  result->set_range(state);
  result->hold(core_.arena, mask, bytes);
  result->seal(n);
  return result;
}

// The same when some of the records refer to a base; both parts of each are in the arena. Those come to lie behind each other in the result.
ReadResult *HotReader::finish_referring(const gantry_read_result &state, ColdRead *cold) {
  const std::uint32_t n = picked_.size();
  std::size_t own = 0;
  for (const Picked &one : picked_) own += one.row->refers() || is_next_to_go(one) ? one.record.bytes.n : 0;
  ReadResult *result = ReadResult::create(n, own);
  std::uint8_t *to = result->bytes();
  std::uint64_t mask = 0, bytes = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    const Picked &one = picked_[i];
    gantry_record &record = result->records()[i];
    record = one.record;
    const std::uint32_t stored = one.row->bytes();
    const auto pin = [&](LogPos at, std::uint32_t length) {
      core_.arena.pin(at, length, &mask);
      bytes += length;
    };
    if (one.row->refers()) {
      const Reference reference = stored_reference(record.bytes.p);
      const LogPos borrowed{reference.base_pos + reference.skip};
      const ToPlace parts{record.bytes.p, stored, core_.arena.at(borrowed), to};
      if (is_next_to_go(one) || core_.arena.is_next_to_go(borrowed, record.bytes.n, taken_)) {
        parts.place();
      } else {
        pin({record.phys_pos}, stored);
        pin(borrowed, reference.bytes);
        cold->to_place.push_back(parts);
      }
    } else if (is_next_to_go(one)) {
      std::memcpy(to, record.bytes.p, stored);
    } else {
      pin({record.phys_pos}, stored);
      continue;
    }
    record.bytes.p = to;
    to += record.bytes.n;
  }
  result->set_range(state);
  result->hold(core_.arena, mask, bytes);
  result->seal(n);
  return result;
}

void HotReader::finish_cold(const gantry_read_result &state, ColdRead *cold) {
  cold->result = state;
  cold->stable = core_.writer.done_pos();
  cold->records.reserve(picked_.size());
  for (const Picked &one : picked_) {
    const gantry_record &r = one.record;
    if (cold->segments.empty() || cold->segments.back()->no != one.segment_no) cold->segments.push_back(core_.segments.by_no(one.segment_no));
    cold->records.push_back({cold->segments.back().get(), one.row->offset, one.row->bytes(), one.row->crc, r.queue_off, r.tag, r.store_ms, one.row->refers(), {}});
    if (!one.row->refers() || LogPos{r.phys_pos} < core_.arena.hot_begin()) continue;
    const std::uint8_t *stored = core_.arena.at({r.phys_pos});  // it may not be on disk yet
    cold->records.back().own.assign(stored, stored + one.row->bytes());
  }
}

}  // namespace gantry::commitlog
