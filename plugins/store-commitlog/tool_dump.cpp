// Tools: printing records, index entries and rows.
#include "tool.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
gantry_str borrowed(const std::string &text) { return {text.data(), static_cast<std::uint32_t>(text.size()), 0}; }
}  // namespace

bool StoreTool::wanted(std::uint32_t queue, std::int64_t offset) const {
  if (offset < request_.begin_off || offset >= request_.end_off) return false;
  if (topic_.empty() && request_.queue_no < 0) return true;
  const QueueName *name = name_of(queue);
  return name != nullptr && (topic_.empty() || name->topic == topic_) && (request_.queue_no < 0 || request_.queue_no == name->queue_no);
}

Result<void> StoreTool::emit(const gantry_store_item &item) {
  if (!cancelled_ && sink_.item(sink_.self, &item) == GANTRY_OK) return {};
  return Error{GANTRY_E_CANCELLED, "stopped before the end"};
}

// A record once for each queue that it is in.
Result<void> StoreTool::dump_frame(const ScannedUnit &unit) {
  const ParsedFrame &frame = unit.frame;
  std::vector<std::int64_t> next;
  std::vector<std::uint64_t> keys;
  for (const QueueRow &row : frame.queues) next.push_back(row.first_off);
  for (std::size_t i = 0; i < frame.records.size(); ++i) {
    const ParsedRecord &record = frame.records[i];
    keys.clear();
    for (std::uint32_t k = 0; k < record.n_keys; ++k) keys.push_back(record.key(k));
    for (std::uint32_t l = 0; l < record.n_links; ++l) {
      const std::uint32_t queue = frame.queues[record.link(l)].queue;
      const std::int64_t offset = next[record.link(l)]++;
      if (!wanted(queue, offset)) continue;
      const QueueName *name = name_of(queue);
      gantry_store_item item{};
      item.size = sizeof item;
      item.kind = GANTRY_DUMP_RECORDS;
      if (name != nullptr) item.topic = borrowed(name->topic);
      item.queue_no = name != nullptr ? name->queue_no : -1;
      item.offset = offset;
      item.position = frame.header.pos + record.offset_in_frame;
      item.store_ms = record.store_ms;
      item.tag = record.tag(l);
      item.bytes = record.bytes;
      item.flags = (unit.bad[i] != 0 ? GANTRY_ITEM_BAD : 0) | (record.refers ? GANTRY_ITEM_REFERS : 0) | (name == nullptr || name->dropped ? GANTRY_ITEM_DROPPED : 0);
      item.key_hashes = keys.data();
      item.n_keys = static_cast<std::uint32_t>(keys.size());
      GANTRY_TRY(emit(item));
    }
  }
  return {};
}

// What the run of a file has; the file that is being written has none.
Result<void> StoreTool::dump_entries(const Segment &segment) {
  if (segment.run == nullptr) return {};
  const IndexReader &index = segment.run->index();
  for (const PartRow &part : index.parts()) {
    const QueueName *name = name_of(part.queue);
    for (std::uint32_t i = 0; i < part.count; ++i) {
      const std::int64_t offset = part.first_off + i;
      if (!wanted(part.queue, offset)) continue;
      const Entry entry = index.entry(part, i);
      gantry_store_item item{};
      item.size = sizeof item;
      item.kind = GANTRY_DUMP_ENTRIES;
      if (name != nullptr) item.topic = borrowed(name->topic);
      item.queue_no = name != nullptr ? name->queue_no : -1;
      item.offset = offset;
      item.tag = entry.tag;
      item.position = -1;
      item.flags = GANTRY_ITEM_BAD | (name == nullptr || name->dropped ? GANTRY_ITEM_DROPPED : 0);
      if (entry.record != kNoRecord) {
        const RecordRow &row = index.records()[entry.record];
        item.position = segment.base.v + row.offset;
        item.bytes = row.bytes();
        item.store_ms = store_ms_of(segment.run->footer().first_store_ms, row.store_ms_delta);
        if (!row.damaged()) item.flags &= ~GANTRY_ITEM_BAD;
        if (!row.damaged() && row.refers()) item.flags |= GANTRY_ITEM_REFERS;
      }
      GANTRY_TRY(emit(item));
    }
  }
  return {};
}

Result<void> StoreTool::dump_rows() {
  for (const auto &[key, value] : rows_) {
    gantry_store_item item{};
    item.size = sizeof item;
    item.kind = GANTRY_DUMP_ROWS;
    item.queue_no = item.offset = item.position = -1;
    item.key = borrowed(key);
    item.value = borrowed(value);
    item.bytes = static_cast<std::uint32_t>(value.size());
    GANTRY_TRY(emit(item));
  }
  return {};
}

}  // namespace gantry::commitlog
