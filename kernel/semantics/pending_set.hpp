// Which messages of one hidden queue still wait, and when each is due. For timers, and for anything else that is held back in a hidden queue
// and settled later in any order (half messages of transactions).
//
// The queue itself is the storage: the tag of an index entry is the due time. This keeps
//   - entries due soon (16 bytes each) in a heap by due time, at most `near_max` of them;
//   - per 65,536 queue offsets one bit for each entry that is settled, and the earliest due time of those that are not in the heap. Such a chunk is
//     read again from the queue's index when that time comes near (chunk_to_load).
// So memory is near_max * 16 bytes and about one bit per waiting message, whatever their number.
//
// An entry is open, then claimed by one who settles it, then settled; or it is released and open again. The claim keeps two from settling it at the same
// time: take_due claims what it gives out, and a recall or commit claims by queue offset. Settled is what the op queue says: on_settled is called for each
// of its records when it is read, and may be called as soon as the record is acknowledged. So a checkpoint of the bits holds at least for everything in
// the op queue below the offset read so far, and never for what could be lost.
//
// [thread: one; whoever owns it]
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace gantry::semantics {

struct PendingLimits {
  std::size_t near_max = 1u << 18;
  std::int64_t horizon_ms = 600'000;    // entries due later than this from now need not be in the heap
  std::int64_t load_ahead_ms = 60'000;  // chunks are read again so long before their earliest entry is due
};

class PendingSet {
 public:
  static constexpr std::int64_t kChunk = 65536;  // queue offsets
  static constexpr std::size_t kBitmapBytes = kChunk / 8;
  static constexpr std::int64_t kNever = INT64_MAX;

  struct Entry {
    std::int64_t due_ms, queue_off;
    auto operator<=>(const Entry &) const = default;
  };

  explicit PendingSet(PendingLimits limits = {}) : limits_(limits) {}

  // ---- what the log says ----
  // Entry `queue_off` of the hidden queue, each in order; offsets that are left out count as settled.
  void on_held(std::int64_t queue_off, std::int64_t due_ms, std::int64_t phys_pos, std::int64_t now_ms);
  // The op queue says that the entry is settled; also before on_held has seen it. Twice is once.
  void on_settled(std::int64_t queue_off);
  // Everything before `queue_off` is settled or lost.
  void settle_before(std::int64_t queue_off);

  // ---- who settles ----
  // Claims up to `max` entries that are due at now_ms, earliest first, and appends them to `out`.
  void take_due(std::int64_t now_ms, std::size_t max, std::vector<Entry> &out);
  // False: settled or claimed already. An offset that on_held has not seen yet can be claimed; that it exists is the caller's to know.
  [[nodiscard]] bool claim(std::int64_t queue_off);
  // The claim is given up: due again at due_ms; kNever: it is among those to come already. Also for what shall be looked at again later without being settled. Until a restart: then the entry has
  // the due time of its index entry.
  void release(std::int64_t queue_off, std::int64_t due_ms);

  [[nodiscard]] bool is_settled(std::int64_t queue_off) const;
  [[nodiscard]] bool is_claimed(std::int64_t queue_off) const { return claimed_.contains(queue_off); }
  [[nodiscard]] bool is_open(std::int64_t queue_off) const { return !is_settled(queue_off) && !is_claimed(queue_off); }

  // ---- chunks that must be read again ----
  struct Load {
    std::int64_t begin = 0, end = 0;  // queue offsets to read; begin == end: nothing to do
  };
  // The most urgent chunk. What is read goes to on_loaded, then end_load; at most one load at a time.
  [[nodiscard]] Load begin_load(std::int64_t now_ms);
  void on_loaded(std::int64_t queue_off, std::int64_t due_ms);
  void end_load();
  // When the next entry is due or the next chunk is to be loaded; kNever when nothing waits. May be too early, never too late.
  [[nodiscard]] std::int64_t next_ms() const;

  // ---- bounds ----
  [[nodiscard]] std::int64_t end() const { return end_; }  // the offset that on_held expects next
  // Everything below is settled.
  [[nodiscard]] std::int64_t open_from() const;
  // Log position at or before that of the first entry that is not settled; kNever when there is none.
  [[nodiscard]] std::int64_t hold_pos() const;
  // The first entry that is not settled lies there; better known than by hold_pos so far, which may tell a position before it.
  void on_first(std::int64_t phys_pos) { floor_pos_ = std::max(floor_pos_, phys_pos); }
  [[nodiscard]] std::int64_t waiting() const { return waiting_; }  // entries seen and not settled
  [[nodiscard]] bool has_released() const { return !again_.empty(); }  // something was due and is to be tried again
  [[nodiscard]] std::size_t near_count() const { return near_.size() + again_.size(); }
  [[nodiscard]] std::size_t claimed_count() const { return claimed_.size(); }

  // ---- checkpoint ----
  struct ChunkRow {
    std::int64_t chunk;  // queue offset / kChunk
    std::string bitmap;  // kBitmapBytes, bit i of byte i / 8 = offset chunk * kChunk + i is settled; empty: all are
  };
  // A save has the rows of the chunks that changed since the last one began, and then, in one write with open_from, the removal of rows below that.
  // Rows may be newer than the op offset that is written with them: what the op queue says twice is once.
  [[nodiscard]] bool has_changes() const { return !dirty_.empty() || !saving_.empty() || !removed_rows_.empty(); }
  void begin_save() { saving_.merge(dirty_); }
  [[nodiscard]] std::vector<ChunkRow> take_rows(std::size_t max);  // empty: no more in this save
  [[nodiscard]] std::vector<std::int64_t> take_removed_rows() { return std::exchange(removed_rows_, {}); }
  // What was taken could not be written.
  void put_back_row(std::int64_t chunk);
  void put_back_removed_rows(const std::vector<std::int64_t> &chunks) { removed_rows_.insert(removed_rows_.end(), chunks.begin(), chunks.end()); }
  // Before anything else is called: settle_before(open_from of the checkpoint), then its rows. False: a row of wrong size.
  [[nodiscard]] bool restore_chunk(std::int64_t chunk, std::string_view bitmap);

 private:
  struct Chunk {
    std::vector<std::uint8_t> settled;  // kBitmapBytes once there is a bit to set; none when all or none are settled
    std::int64_t count = 0;             // of settled
    std::int64_t far_min_ms = kNever;   // earliest due time of open entries that are not in the heap
    Entry loaded_until{0, 0};           // entries before this are in the heap, claimed or settled; others are not in the heap
    std::vector<std::int64_t> marks;    // lowest log position per kMark offsets
    bool row = false;                   // the checkpoint has a row of it
  };
  static constexpr std::int64_t kMark = 1024;

  [[nodiscard]] Chunk &chunk_of(std::int64_t queue_off);
  void settle_below_low(std::int64_t number, Chunk &chunk);
  [[nodiscard]] static bool bit(const Chunk &chunk, std::int64_t queue_off);
  void set_bit(std::int64_t number, Chunk &chunk, std::int64_t queue_off);
  void to_far(Chunk &chunk, std::int64_t due_ms);
  void push(Entry entry);
  void shrink();
  void forget_settled_chunks();

  PendingLimits limits_;
  std::map<std::int64_t, Chunk> chunks_;  // by queue offset / kChunk; none below low_
  std::int64_t low_ = 0;                  // everything below is settled
  std::int64_t end_ = 0;
  std::int64_t waiting_ = 0;
  std::int64_t floor_pos_ = 0;            // no entry that waits lies before it
  std::int64_t far_floor_ms_ = kNever;    // no chunk's far_min_ms is lower
  std::vector<Entry> near_;               // heap, earliest on top; may have entries that are settled or claimed meanwhile
  std::vector<Entry> again_;              // heap of what was released; never moved out
  std::unordered_set<std::int64_t> claimed_;
  std::unordered_set<std::int64_t> dirty_, saving_;  // chunk numbers: to be saved with the next save, with this one
  std::vector<std::int64_t> removed_rows_;           // chunk numbers whose rows have no use any more
  std::int64_t loading_ = -1;             // chunk number
  Entry loaded_before_{0, 0};             // of the chunk that is being loaded: what its heap entries reached before
};

}  // namespace gantry::semantics
