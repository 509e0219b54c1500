// Recently read stretches of log files: filled and verified by reader threads, read in place by shards.
//
// Keyed by log position, which is never reused. Replacement is 2Q: an extent comes in on probation, a first-in first-out list that takes a
// quarter of the room once the rest is wanted, however often it is read there; only one that is asked for again after it left
// moves to the main list, where the least recently used leaves. So a scan passes through probation and leaves the main list alone.
// What nobody reads for a while leaves too: memory that is worth a lot while a backlog is read is nobody's afterwards.
#pragma once

#include "files.hpp"
#include "segment_index.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gantry::commitlog {

// Buffers of extents, used again: fresh pages cost more than reading them. Outlives the cache as long as an extent is pinned.
class ExtentBuffers {
 public:
  explicit ExtentBuffers(std::size_t spare) : spare_(spare) {}
  // Both: [thread: any]
  [[nodiscard]] AlignedBuffer take();
  void give_back(AlignedBuffer buffer);
  // Those that wait to be used again are freed.
  void free_spare();

 private:
  const std::size_t spare_;
  std::mutex mutex_;  // leaf
  std::vector<AlignedBuffer> free_;
};

// Bytes begin .. begin + bytes of the log. Does not change once it is in the cache; whoever holds a reference pins it.
class Extent {
 public:
  static constexpr std::int64_t kBytes = 256 << 10;
  static constexpr std::uint32_t kMaxTogether = 8;  // read with one call

  Extent(std::shared_ptr<ExtentBuffers> buffers, LogPos begin, std::int64_t bytes);
  ~Extent();
  Extent(const Extent &) = delete;
  Extent &operator=(const Extent &) = delete;

  [[nodiscard]] LogPos begin() const { return begin_; }
  [[nodiscard]] LogPos end() const { return begin_ + bytes_; }
  [[nodiscard]] std::uint8_t *data() { return buffer_.data(); }
  [[nodiscard]] const std::uint8_t *at(LogPos pos) const { return buffer_.data() + (pos - begin_); }
  // Whether the record that begins there is damaged; only of records that lie in a verified extent as a whole.
  [[nodiscard]] bool is_bad(LogPos pos) const { return !bad.empty() && std::binary_search(bad.begin(), bad.end(), pos); }
  // True for one caller: who reads here first asks for extents behind, unless others have been read together with it. [thread: any]
  [[nodiscard]] bool ask_ahead() const { return !ahead_asked_.load(std::memory_order_relaxed) && !ahead_asked_.exchange(true); }
  // Those behind the first one that were read with one call: reading the first asks for what comes behind all of them. Before it is in the cache.
  void do_not_ask() { ahead_asked_.store(true, std::memory_order_relaxed); }

  bool read_ahead = false;  // nobody had asked for it yet
  bool verified = false;    // every record that lies in here as a whole was compared with its checksum
  std::vector<LogPos> bad;  // those that did not match, ascending
  // Rows of records that begin in here and may be bases or refer to one: those of some size, since a small body is better stored again.
  static constexpr std::uint32_t kMinBaseBytes = 256;
  std::vector<RecordRow> bases;

 private:
  const std::shared_ptr<ExtentBuffers> buffers_;
  const LogPos begin_;
  const std::int64_t bytes_;
  AlignedBuffer buffer_;
  mutable std::atomic<bool> ahead_asked_{false};
};
using ExtentRef = std::shared_ptr<const Extent>;

class ExtentCache {
 public:
  // Holds at most `bytes`, at least one extent. Pinned ones that left count no more.
  explicit ExtentCache(std::int64_t bytes);

  // How many are read together ahead of a consumer that goes through the log. When the first of some is reached, twice as many are to lie ahead, else as many
  // again are read: at most three times as many less one. No more than an eighth of the room lies ahead of one.
  [[nodiscard]] std::uint32_t ahead_count() const { return static_cast<std::uint32_t>(std::clamp<std::size_t>((capacity_ / 8 + 1) / 4, 1, Extent::kMaxTogether / 2)); }
  // The same for one whose reads go over so many extents each: the next read is to find all of its own.
  [[nodiscard]] std::uint32_t ahead_count(std::size_t extents) const {
    const std::size_t most = std::clamp<std::size_t>(capacity_ / 8, 1, Extent::kMaxTogether);
    return extents > 1 ? std::max(ahead_count(), static_cast<std::uint32_t>(std::min(extents + 1, most))) : ahead_count();
  }

  // Null when it is not here. [thread: any] [blocking: never]
  [[nodiscard]] ExtentRef find(LogPos begin);
  // Whether it is here or under way. [thread: any] [blocking: never]
  [[nodiscard]] bool is_known(LogPos begin);
  // Null: the caller has to read it and must call filled(). Waits while another thread does that. [thread: reader] [blocking: may]
  [[nodiscard]] ExtentRef find_or_claim(LogPos begin);
  // False: it is here or under way. True: as above. [thread: reader] [blocking: never]
  [[nodiscard]] bool claim(LogPos begin);
  // The end of a claim; a null extent could not be read. [thread: reader]
  void filled(LogPos begin, ExtentRef extent);
  // Nothing before `begin` is wanted any more, now or later. [thread: any]
  void drop_before(LogPos begin);
  // To be called at even intervals: what nobody asked for since kIdleRounds calls leaves. When all has left, so do buffers kept for use again. [thread: background]
  void age();
  static constexpr std::uint32_t kIdleRounds = 3;

  [[nodiscard]] const std::shared_ptr<ExtentBuffers> &buffers() const { return buffers_; }
  [[nodiscard]] std::size_t count();

 private:
  struct Item {
    ExtentRef extent;
    bool main;
    std::uint32_t used;  // the round in which it was asked for last
  };
  using Items = std::list<Item>;
  [[nodiscard]] ExtentRef look_up(std::int64_t key);
  void admit(std::int64_t key, ExtentRef extent);
  void evict(std::vector<ExtentRef> *out);
  void remember(std::int64_t key);

  const std::size_t capacity_, probation_share_;
  const std::shared_ptr<ExtentBuffers> buffers_;
  std::mutex mutex_;  // leaf: everything below; no extent is freed under it
  std::condition_variable filled_;
  Items probation_, main_;  // newest first
  std::unordered_map<std::int64_t, Items::iterator> by_pos_;
  std::list<std::int64_t> ghosts_;  // positions that left probation, newest first
  std::unordered_map<std::int64_t, std::list<std::int64_t>::iterator> ghost_by_pos_;
  std::unordered_set<std::int64_t> claims_;
  LogPos first_wanted_;
  std::uint32_t round_ = 0;  // calls of age()
};

}  // namespace gantry::commitlog
