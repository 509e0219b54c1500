#include "key_query.hpp"

#include "readers.hpp"

#include <algorithm>

namespace gantry::commitlog {

KeySearch::KeySearch(Core &core, const gantry_key_query &query) : query_(query) {
  const std::lock_guard lock(core.mutex);
  limit_ = std::min(LogPos{query.before_pos}, core.writer.acked_pos());
  for (auto at = core.segments.live.rbegin(); at != core.segments.live.rend(); ++at) {
    const SegmentRef &segment = *at;
    if (segment->no < core.segments.first_no()) break;
    if (segment->base >= limit_ || segment->last_store_ms < query.begin_ms) continue;
    KeyPart part;
    part.segment = segment;
    part.run = segment->run;
    part.first_store_ms = segment->first_store_ms;
    if (part.run == nullptr) {
      part.index = segment->index;
      part.view = rows_and_keys_of(*segment->index, limit_ - segment->base);
    }
    parts_.push_back(std::move(part));
  }
}

bool KeySearch::visit(const KeyPart &part, RunFile *run) {
  if (run == nullptr) {
    for (std::uint32_t i = part.view.key_count; i > 0; --i) {
      const KeyRow &key = part.view.key(i - 1);
      if (key.hash != query_.hash) continue;
      const std::uint32_t number = part.view.find_record(key.offset);
      if (number == kNoRecord) continue;  // no record of ours: somebody else wrote this log
      if (!consider(part, part.first_store_ms, key.offset, part.view.record(number))) return false;
    }
    return true;
  }
  const IndexReader &index = run->index();
  const auto less = [](const KeyRow &a, const KeyRow &b) { return a.hash < b.hash; };
  const auto [first, last] = std::equal_range(index.keys().begin(), index.keys().end(), KeyRow{query_.hash, 0, 0}, less);
  for (auto at = last; at != first;) {
    const std::uint32_t offset = (--at)->offset;
    const std::uint32_t number = index.find_record(offset);
    if (number == kNoRecord) continue;  // no record of ours: somebody else made this run
    if (!consider(part, run->footer().first_store_ms, offset, index.records()[number])) return false;
  }
  return true;
}

// A record whose store time the index does not know matches any: better one too many than one too few.
bool KeySearch::consider(const KeyPart &part, std::int64_t first_store_ms, std::uint32_t offset, const RecordRow &row) {
  if (row.damaged() || part.segment->base + offset >= limit_ || std::int64_t{offset} + row.bytes() > part.segment->bytes) return true;
  const std::int64_t ms = store_ms_of(first_store_ms, row.store_ms_delta);
  if (row.store_ms_delta != kUnknownStoreMs && (ms < query_.begin_ms || ms > query_.end_ms)) return true;
  if (!found_.empty() && found_.back().segment == part.segment.get() && found_.back().offset == offset) return true;  // two keys of one hash
  if (found_.size() == query_.max_records || (!found_.empty() && bytes_ + row.bytes() > kMaxKeyAnswerBytes)) {
    more_ = true;
    return false;
  }
  bytes_ += row.bytes();
  found_.push_back({part.segment.get(), offset, row.bytes(), row.crc, -1, 0, ms, row.refers(), {}});
  return true;
}

void Readers::perform(const KeyQuery &query) {
  KeySearch search(core_, query.request);
  for (const KeyPart &part : search.parts()) {
    bool dropped = false;
    const std::shared_ptr<RunFile> run = part.run != nullptr ? usable({part.segment, part.run}, &dropped) : nullptr;
    if (dropped) break;  // and so is all before it
    if (part.run != nullptr && run == nullptr) {
      const gantry_cqe cqe{query.request.user_data, 0, 0, GANTRY_E_IO, 0};  // leaving records out would be a lie
      core_.host.push(query.cq, {&cqe, 1});
      return;
    }
    if (!search.visit(part, run.get())) break;
  }
  ReadResult *result = fetch_found(search);
  const gantry_cqe cqe{query.request.user_data, 0, reinterpret_cast<std::uint64_t>(result->abi()), GANTRY_OK, 0};
  if (core_.host.push(query.cq, {&cqe, 1}) < 0) result->release();  // nobody will take it
}

// Records in the arena stay there, pinned; the others are read past the cache, which is for queues. One that cannot be read is left out, counted and logged.
ReadResult *Readers::fetch_found(const KeySearch &search) {
  const std::vector<ColdRecord> &found = search.found();
  const auto position = [](const ColdRecord &record) { return record.segment->base + record.offset; };
  std::uint64_t mask = 0, pinned = 0, cold = 0;
  LogPos hot_begin;
  {
    const std::lock_guard lock(core_.mutex);
    hot_begin = core_.arena.hot_begin();
    for (const ColdRecord &record : found) {
      const bool hot = position(record) >= hot_begin;
      (hot ? pinned : cold) += record.bytes;
      if (hot) core_.arena.pin(position(record), record.bytes, &mask);
    }
  }
  ReadResult *result = ReadResult::create(static_cast<std::uint32_t>(found.size()), cold);
  result->hold(core_.arena, mask, pinned);
  std::uint8_t *to = result->bytes();
  std::uint64_t bytes = 0;
  LogPos next{-1};
  std::uint32_t n = 0;
  ExtentRef last;
  for (const ColdRecord &record : found) {
    const LogPos pos = position(record);
    const bool hot = pos >= hot_begin;
    if (!hot && !read_direct(record, to) && !read_direct(record, to)) {  // some faults of disks pass
      report_bad(*record.segment, pos, record.bytes);
      continue;
    }
    gantry_span whole{hot ? core_.arena.at(pos) : to, record.bytes, 0, nullptr};
    if (!hot) to += record.bytes;
    if (record.refers) {
      const std::optional<Reference> reference = reference_of(record, whole.p);
      if (!reference) continue;
      if (n > 0 && bytes + whole_bytes(*reference, record.bytes) > kMaxKeyAnswerBytes) {
        next = LogPos{result->records()[n - 1].phys_pos};
        break;
      }
      if (!borrow(*reference, record, whole.p, &last, result, &whole)) continue;
    }
    bytes += whole.n;
    result->records()[n++] = {whole, -1, pos.v, 0, record.store_ms};
  }
  if (next.v < 0 && search.more()) next = position(found.back());
  gantry_read_result &r = result->result();
  r.next_off = next.v;
  r.stop = next.v >= 0 ? GANTRY_STOP_LIMIT : GANTRY_STOP_END;
  result->seal(n);
  return result;
}

}  // namespace gantry::commitlog
