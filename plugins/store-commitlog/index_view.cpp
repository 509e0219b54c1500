#include "index_view.hpp"

#include "format.hpp"
#include "mutation.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gantry::commitlog {

namespace {
constexpr std::size_t kSectionAlign = 64;
constexpr std::int64_t kMaxOffset = INT64_MAX / 2;

// First row in 0..count for which `before` is false.
template <typename Before>
std::uint32_t partition(std::uint32_t count, const Before &before) {
  std::uint32_t low = 0, high = count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
}  // namespace

IndexView rows_and_keys_of(const SegmentIndex &index, std::int64_t end) {
  IndexView view;
  index.chunks(&view.record_chunks, &view.key_chunks);
  view.record_count = partition(index.record_count(), [&](std::uint32_t i) { return index.record(i).offset < end; });
  view.key_count = partition(index.key_count(), [&](std::uint32_t i) { return index.key(i).offset < end; });
  return view;
}

std::uint32_t IndexView::find_record(std::uint32_t offset) const {
  const std::uint32_t i = partition(record_count, [&](std::uint32_t at) { return record(at).offset < offset; });
  return i < record_count && record(i).offset == offset ? i : kNoRecord;
}

bool is_in_reach(LogPos segment_end, LogPos base) { return (segment_end - base) / kBlock < UINT32_MAX; }

std::uint32_t base_reach_of(LogPos segment_end, LogPos oldest_base) {
  if (oldest_base >= segment_end) return 0;
  GANTRY_ASSERT(is_in_reach(segment_end, oldest_base));
  return static_cast<std::uint32_t>((segment_end - align_down(oldest_base, kBlock)) / kBlock);
}

LogPos oldest_base_of(LogPos segment_end, std::uint32_t base_reach) {
  return base_reach == 0 ? LogPos{INT64_MAX} : segment_end - std::int64_t{base_reach} * kBlock;
}

IndexView view_of(const SegmentIndex &index, std::int64_t end, const std::function<QueueOff(std::uint32_t)> &visible_end) {
  IndexView view = rows_and_keys_of(index, end);
  view.parts.reserve(index.parts().size());
  for (const QueuePart *part : index.parts()) {
    const QueueOff last = visible_end(part->queue);
    if (last <= part->first || last.v < 0) continue;
    view.parts.push_back(*part);
    view.parts.back().count = static_cast<std::uint32_t>(std::min<std::int64_t>(part->count, last - part->first));
  }
  std::sort(view.parts.begin(), view.parts.end(), [](const QueuePart &a, const QueuePart &b) { return a.queue < b.queue; });
  return view;
}

IndexView whole_view(const SegmentIndex &index) {
  return view_of(index, INT64_MAX, [](std::uint32_t) { return QueueOff{INT64_MAX}; });
}

// Rows of a segment are a quarter of a million hashes, spread evenly: three passes over their upper 32 bits leave next to nothing to
// compare (radix sort by the lowest digit first; Knuth, TAOCP 3, 5.2.5).
void sort_keys(std::vector<KeyRow> &keys) {
  constexpr std::size_t kFewKeys = 256;
  const auto before = [](const KeyRow &a, const KeyRow &b) { return a.hash != b.hash ? a.hash < b.hash : a.offset < b.offset; };
  if (keys.size() < kFewKeys) return std::sort(keys.begin(), keys.end(), before);
  std::vector<KeyRow> other(keys.size());
  for (const auto &[shift, bits] : {std::pair{32, 11}, std::pair{43, 11}, std::pair{54, 10}}) {
    const std::uint64_t mask = (1u << bits) - 1;
    std::vector<std::uint32_t> place(std::size_t{1} << bits);
    for (const KeyRow &key : keys) ++place[key.hash >> shift & mask];
    std::exclusive_scan(place.begin(), place.end(), place.begin(), 0u);
    for (const KeyRow &key : keys) other[place[key.hash >> shift & mask]++] = key;
    keys.swap(other);
  }
  // What is left: runs of equal upper halves, one hash many times or a few by chance.
  for (std::size_t begin = 0, end = 0; begin < keys.size(); begin = end) {
    for (end = begin + 1; end < keys.size() && keys[end].hash >> 32 == keys[begin].hash >> 32;) ++end;
    if (end - begin > 1) std::sort(keys.begin() + static_cast<std::ptrdiff_t>(begin), keys.begin() + static_cast<std::ptrdiff_t>(end), before);
  }
}

namespace {
bool is_wide(const QueuePart &part) {
  for (std::uint32_t i = 0; i < part.count; ++i) {
    if (part.at(i).tag != static_cast<std::int32_t>(part.at(i).tag)) return true;
  }
  return false;
}

std::uint32_t bytes_of(const IndexView &view, const QueuePart &part) {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < part.count; ++i) {
    if (const std::uint32_t record = part.at(i).record; record != kNoRecord) bytes += view.record(record).bytes();
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, INT32_MAX));
}

void put_entries(FileBuilder &out, const QueuePart &part, bool wide) {
  for (std::uint32_t i = 0; i < part.count; ++i) {
    const Entry &entry = part.at(i);
    out.put_value(entry.record);
    if (wide) {
      out.put_value(std::uint32_t{0});
      out.put_value(entry.tag);
    } else {
      out.put_value(static_cast<std::int32_t>(entry.tag));
    }
  }
}
}  // namespace

IndexSections put_index(FileBuilder &out, const IndexView &view, bool bytes_of_parts) {
  IndexSections s;
  const auto begin = [&] {
    out.pad_to(kSectionAlign);
    (void)out.take_crc();
    return out.position();
  };
  s.record_count = view.record_count;
  s.part_count = static_cast<std::uint32_t>(view.parts.size());
  s.key_count = view.key_count;
  s.base_reach = view.base_reach;

  s.records_at = begin();
  for (std::uint32_t i = 0; i < view.record_count; ++i) out.put_value(view.record(i));
  s.records_crc = out.take_crc();

  s.parts_at = begin();
  std::uint64_t at = 0;
  for (const QueuePart &part : view.parts) {
    const bool wide = is_wide(part);
    const std::uint32_t first = part.at(0).record;
    const std::uint32_t bytes = bytes_of_parts ? bytes_of(view, part) : 0;
    out.put_value(PartRow{part.queue, part.count, part.first.v, at, bytes << 1 | (wide ? 1u : 0u), first != kNoRecord ? view.record(first).store_ms_delta : kUnknownStoreMs});
    at += std::uint64_t{part.count} * (wide ? 16 : 8);
  }
  s.parts_crc = out.take_crc();

  s.entries_at = begin();
  for (const QueuePart &part : view.parts) put_entries(out, part, is_wide(part));
  s.entries_crc = out.take_crc();

  s.keys_at = begin();
  std::vector<KeyRow> keys(view.key_count);
  for (std::uint32_t i = 0; i < view.key_count; ++i) keys[i] = view.key(i);
  sort_keys(keys);
  if (!keys.empty()) out.put(keys.data(), keys.size() * sizeof(KeyRow));
  s.keys_crc = out.take_crc();
  s.end = out.position();
  return s;
}

bool IndexReader::attach(const std::uint8_t *base, std::uint64_t bytes, const IndexSections &s) {
  const auto fits = [&](std::uint64_t at, std::uint64_t next, std::uint64_t size) {
    return at % kSectionAlign == 0 && at <= next && next <= bytes && size <= next - at;
  };
  if (!fits(s.records_at, s.parts_at, std::uint64_t{s.record_count} * sizeof(RecordRow)) ||
      !fits(s.parts_at, s.entries_at, std::uint64_t{s.part_count} * sizeof(PartRow)) || !fits(s.entries_at, s.keys_at, 0) ||
      !fits(s.keys_at, s.end, std::uint64_t{s.key_count} * sizeof(KeyRow))) {
    return false;
  }
  sections_ = s;
  base_ = base;
  records_ = {reinterpret_cast<const RecordRow *>(base + s.records_at), s.record_count};
  parts_ = {reinterpret_cast<const PartRow *>(base + s.parts_at), s.part_count};
  keys_ = {reinterpret_cast<const KeyRow *>(base + s.keys_at), s.key_count};
  return true;
}

bool IndexReader::parts_hold() const {
  if (!mutated("checksum-of-index-parts") && crc32c(parts_.data(), parts_.size_bytes()) != sections_.parts_crc) return false;
  const std::uint64_t room = sections_.keys_at - sections_.entries_at;
  for (const PartRow &part : parts_) {
    if (part.count == 0 || part.first_off < 0 || part.first_off > kMaxOffset || part.entries_at > room || std::uint64_t{part.count} * (part.wide() ? 16 : 8) > room - part.entries_at) return false;
  }
  return true;
}

bool IndexReader::entries_hold() const {
  if (!mutated("checksum-of-index-records") && crc32c(records_.data(), records_.size_bytes()) != sections_.records_crc) return false;
  if (crc32c(keys_.data(), keys_.size_bytes()) != sections_.keys_crc) return false;
  std::uint64_t bytes = 0;
  for (const PartRow &part : parts_) bytes += std::uint64_t{part.count} * (part.wide() ? 16 : 8);
  if (bytes > sections_.keys_at - sections_.entries_at || (!mutated("checksum-of-index-entries") && crc32c(base_ + sections_.entries_at, bytes) != sections_.entries_crc)) return false;
  for (const PartRow &part : parts_) {
    for (std::uint32_t i = 0; i < part.count; ++i) {
      const std::uint32_t record = entry(part, i).record;
      if (record != kNoRecord && record >= records_.size()) return false;
    }
  }
  return true;
}

const PartRow *IndexReader::find_part(std::uint32_t queue) const {
  const auto at = std::lower_bound(parts_.begin(), parts_.end(), queue, [](const PartRow &p, std::uint32_t q) { return p.queue < q; });
  return at != parts_.end() && at->queue == queue ? &*at : nullptr;
}

Entry IndexReader::entry(const PartRow &part, std::uint32_t i) const {
  const std::uint8_t *p = base_ + sections_.entries_at + part.entries_at + std::uint64_t{i} * (part.wide() ? 16 : 8);
  Entry entry;
  std::memcpy(&entry.record, p, 4);
  if (part.wide()) {
    std::memcpy(&entry.tag, p + 8, 8);
  } else {
    std::int32_t tag;
    std::memcpy(&tag, p + 4, 4);
    entry.tag = tag;
  }
  return entry;
}

std::uint32_t IndexReader::find_record(std::uint32_t offset) const {
  const auto at = std::lower_bound(records_.begin(), records_.end(), offset, [](const RecordRow &r, std::uint32_t o) { return r.offset < o; });
  return at != records_.end() && at->offset == offset ? static_cast<std::uint32_t>(at - records_.begin()) : kNoRecord;
}

}  // namespace gantry::commitlog
