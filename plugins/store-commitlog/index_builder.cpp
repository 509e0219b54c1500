#include "index_builder.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kMaxLost = 16 << 20;  // per segment, and an entry takes two bytes of a trailer at the least: more missing offsets are damage, not a hole
}

void IndexBuilder::load(const IndexReader &from, std::int64_t first_ms, std::int64_t last_ms) {
  segment_.first_store_ms = first_ms;
  segment_.last_store_ms = last_ms;
  segment_.oldest_base = oldest_base_of(segment_.end(), from.base_reach());
  for (const RecordRow &row : from.records()) segment_.index->add_record(row);
  std::vector<KeyRow> keys(from.keys().begin(), from.keys().end());
  std::sort(keys.begin(), keys.end(), [](const KeyRow &a, const KeyRow &b) { return a.offset < b.offset; });
  for (const KeyRow &key : keys) segment_.index->add_key(key.hash, key.offset);
  for (const PartRow &row : from.parts()) {
    QueuePart *part = part_for(row.queue, row.first_off);
    for (std::uint32_t i = 0; i < row.count; ++i) {
      const Entry entry = from.entry(row, i);
      segment_.index->add_entry(part, entry.record, entry.tag);
    }
  }
}

void IndexBuilder::note_loss(const Loss &loss) {
  if (losses_.size() < kMostLosses) losses_.push_back(loss);
}

QueuePart *IndexBuilder::part_for(std::uint32_t queue, std::int64_t offset) {
  QueuePart *&part = parts_[queue];
  if (part == nullptr) part = segment_.index->add_part(queue, {offset});
  return part;
}

void IndexBuilder::add(const ParsedFrame &frame, const std::vector<std::uint8_t> &bad) {
  const auto frame_at = static_cast<std::uint32_t>(frame.header.pos - segment_.base.v);
  next_.clear();
  for (const QueueRow &row : frame.queues) next_.push_back(row.first_off);
  for (std::size_t i = 0; i < frame.records.size(); ++i) {
    const ParsedRecord &record = frame.records[i];
    if (segment_.index->record_count() == 0) segment_.first_store_ms = record.store_ms;
    segment_.last_store_ms = std::max(segment_.last_store_ms, record.store_ms);
    const std::uint32_t offset = frame_at + record.offset_in_frame;
    const std::uint32_t size = bad[i] != 0 ? 0 : record.bytes | (record.refers ? RecordRow::kRefers : 0);
    if (bad[i] == 0 && record.refers) segment_.oldest_base = std::min(segment_.oldest_base, LogPos{record.base_pos});
    const std::uint32_t row = segment_.index->add_record({offset, size, record.crc, store_ms_delta(segment_.first_store_ms, record.store_ms)});
    const LogPos pos = segment_.base + std::int64_t{offset};
    for (std::uint32_t k = 0; k < record.n_keys; ++k) segment_.index->add_key(record.key(k), offset);
    for (std::uint32_t l = 0; l < record.n_links; ++l) {
      const std::uint32_t queue = frame.queues[record.link(l)].queue;
      const std::int64_t queue_off = next_[record.link(l)]++;
      QueuePart *part = part_for(queue, queue_off);
      std::int64_t hole = queue_off - (part->first + part->count).v;
      if (hole < 0 || hole > std::min(kMaxLost, segment_.bytes / 2) - static_cast<std::int64_t>(lost_)) continue;  // contradicts what is before it
      if (hole > 0) note_loss({queue, part->first + part->count, hole, LogPos{-1}});
      if (bad[i] != 0) note_loss({queue, {queue_off}, 1, pos});
      for (; hole > 0; --hole, ++lost_) segment_.index->add_entry(part, kNoRecord, 0);
      segment_.index->add_entry(part, row, record.tag(l));
    }
  }
}

}  // namespace gantry::commitlog
