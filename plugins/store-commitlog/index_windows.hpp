// Stretches of queues' indexes, copied out of run files by reader threads. A shard chooses records from them in memory: a run file is mapped, and touching
// it may have to wait for the disk.
#pragma once

#include "segment_index.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

struct IndexWindow {
  static constexpr std::uint32_t kEntries = 1024;
  struct Row {
    std::int64_t tag = 0;
    RecordRow record{kNoRecord};

    [[nodiscard]] bool lost() const { return record.offset == kNoRecord; }
  };
  QueueOff first;
  std::int64_t first_store_ms = 0;  // of the segment
  std::vector<Row> rows;            // 1 .. kEntries, of offsets first, first + 1, ...

  [[nodiscard]] QueueOff end() const { return first + static_cast<std::int64_t>(rows.size()); }
};
using IndexWindowRef = std::shared_ptr<const IndexWindow>;

// The least recently used leaves. Windows begin at multiples of kEntries from the first entry that the queue has in the segment.
class IndexWindows {
 public:
  // Holds at most `bytes`, at least one window.
  explicit IndexWindows(std::int64_t bytes);

  // The window with entry number `entry` of the queue's part in that segment; null when it is not here. [thread: any] [blocking: never]
  [[nodiscard]] IndexWindowRef find(std::uint32_t queue, std::uint32_t segment_no, std::uint32_t entry);
  // [thread: reader]
  void put(std::uint32_t queue, std::uint32_t segment_no, std::uint32_t entry, IndexWindowRef window);
  // As ExtentCache::age(). [thread: background]
  void age();
  static constexpr std::uint32_t kIdleRounds = 3;
  [[nodiscard]] std::size_t count();

 private:
  struct Key {
    std::uint32_t queue, segment_no, window;
    bool operator==(const Key &) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key &k) const {
      return ((std::uint64_t{k.queue} << 32 | k.segment_no) * 0x9E3779B97F4A7C15ull ^ k.window * 0xC2B2AE3D27D4EB4Full) >> 7;
    }
  };
  struct Item {
    Key key;
    IndexWindowRef window;
    std::uint32_t used;  // the round in which it was asked for last
  };

  const std::size_t capacity_;
  std::mutex mutex_;  // leaf: everything below
  std::list<Item> items_;  // most recently used first
  std::unordered_map<Key, std::list<Item>::iterator, KeyHash> by_key_;
  std::uint32_t round_ = 0;  // calls of age()
};

}  // namespace gantry::commitlog
