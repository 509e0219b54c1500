// What the memory store keeps: one log of records, queues that refer to them, meta rows. No locks; the owner has one.
#pragma once

#include <gantry/draft/store.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace memory_store {

struct Record {
  std::string bytes;
  std::int64_t phys_pos = 0;
  std::int64_t store_ms = 0;
  std::vector<std::uint64_t> key_hashes;
  std::uint32_t live_links = 0;  // 0 = unreachable, leaves the log
};

struct Entry {
  std::shared_ptr<Record> record;
  std::int64_t tag = 0;
};

struct Queue {
  std::string topic;
  std::uint32_t queue_no = 0;
  bool dropped = false;
  std::int64_t min_off = 0, max_off = 0;  // readable: min_off <= o < max_off
  std::deque<Entry> entries;              // from min_off on, readable or not yet

  [[nodiscard]] std::int64_t appended_off() const { return min_off + static_cast<std::int64_t>(entries.size()); }
  [[nodiscard]] const Entry &at(std::int64_t offset) const { return entries[static_cast<std::size_t>(offset - min_off)]; }
};

class MemoryLog {
 public:
  // keep_per_queue: the newest records that stay readable in a queue; 0 = all.
  explicit MemoryLog(std::int64_t keep_per_queue) : keep_per_queue_(keep_per_queue) {}

  [[nodiscard]] gantry_queue open_queue(std::string_view topic, std::uint32_t queue_no);
  [[nodiscard]] bool has_queue(std::string_view topic, std::uint32_t queue_no) const {
    return handles_.contains({std::string(topic), queue_no});
  }
  void drop_queue(gantry_queue queue);
  [[nodiscard]] Queue *find(gantry_queue queue);  // nullptr: never given or dropped
  [[nodiscard]] std::size_t queue_count() const { return handles_.size(); }

  // The request must be valid. Gives queue offsets and fills link_offsets; readable only after reveal(). Returns the log position.
  std::int64_t append(const gantry_append &request, std::int64_t *first_queue_off);
  // Everything appended so far becomes readable; trims queues to keep_per_queue.
  void reveal();
  // Readable records with that key, newest first: at most max_records; *next_pos: see gantry_store_v1::query_key.
  [[nodiscard]] std::vector<std::shared_ptr<const Record>> by_key(const gantry_key_query &query, std::int64_t *next_pos) const;
  // Records at or after this position are kept: in their queues, and of dropped queues by position.
  void retain_from(std::int64_t phys_pos);
  [[nodiscard]] std::shared_ptr<const Record> at_position(std::int64_t phys_pos) const;  // nullptr: none readable begins there

  void apply(const gantry_meta_op &op);
  [[nodiscard]] std::size_t meta_rows() const { return meta_.size(); }

  [[nodiscard]] std::int64_t end_pos() const { return end_pos_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void unlink(Entry &entry);
  void forget(const Record &record);
  void trim(Queue &queue);

  const std::int64_t keep_per_queue_;
  std::deque<Queue> queues_;  // handle = index; stays where it is
  std::map<std::pair<std::string, std::uint32_t>, gantry_queue> handles_;
  std::unordered_map<std::int64_t, std::shared_ptr<Record>> by_pos_;
  std::set<std::pair<std::uint64_t, std::int64_t>> keys_;  // hash, position
  std::map<std::string, std::string, std::less<>> meta_;
  std::vector<gantry_queue> hidden_;  // queues with records not yet revealed
  std::map<std::int64_t, std::shared_ptr<Record>> held_;  // in no queue any more
  std::int64_t held_from_ = INT64_MAX;
  std::int64_t end_pos_ = 0, revealed_pos_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace memory_store
