// Reads that memory can answer: the index, with records in the arena or in cached extents. Guarded by Core::mutex.
#pragma once

#include "core.hpp"
#include "read_result.hpp"

#include <memory>
#include <vector>

namespace gantry::commitlog {

inline constexpr std::uint32_t kMaxReadRecords = 1024;
inline constexpr std::uint32_t kMaxScanned = 16384;  // entries looked at by one read, so that a rare tag does not hold the shard

// One record to fetch from disk.
struct ColdRecord {
  const Segment *segment = nullptr;  // somebody else keeps it
  std::uint32_t offset = 0, bytes = 0, crc = 0;
  std::int64_t queue_off = 0, tag = 0, store_ms = 0;
  bool refers = false;             // what is stored of it is a Reference and its own bytes
  std::vector<std::uint8_t> own;   // of one that refers and whose own bytes were in the arena, where they need not be any more

  [[nodiscard]] LogPos pos() const { return segment->base + offset; }
};

// One record of a result that was answered inline, still to be put together from two places in the arena that the result pins.
struct ToPlace {
  const std::uint8_t *stored;
  std::uint32_t stored_bytes;
  const std::uint8_t *borrowed;
  std::uint8_t *to;

  void place() const { place_whole(stored_reference(stored), {stored, stored_bytes}, borrowed, to); }
};

// Where a queue's entries of one sealed segment are.
struct RunPart {
  SegmentRef segment;
  std::shared_ptr<RunFile> run;
  QueueOff end{};  // of the entries that the queue is known to have there
};

// Work for a reader thread: records already chosen, or a queue range whose index is in run files.
struct ColdRead {
  gantry_cq cq = 0;
  std::uint64_t user_data = 0;
  std::uint32_t queue = 0;            // of a read by offset
  LogPos stable;                      // all before it is on disk and does not change
  gantry_read_result result{};        // min_off, max_off, next_off and stop as they are if all goes well
  std::vector<ColdRecord> records;    // when the index was in memory
  std::vector<SegmentRef> segments;   // that these lie in
  // Otherwise:
  std::vector<RunPart> runs;          // consecutive parts of the queue, oldest first
  std::int64_t offset = 0;
  std::vector<std::int64_t> tags;
  bool any_tag = false;
  bool index_only = false;            // no bytes are fetched
  std::uint32_t max_records = 0, max_bytes = UINT32_MAX;
  bool one = false;                   // a record by its position; CORRUPT when it is damaged
  // Its index is in runs[0]:
  bool by_position = false;
  std::uint32_t position_in_segment = 0;
  // Of a read that was answered inline: extents that its queue's next reads will want, from this log position on.
  LogPos ahead;
  std::uint32_t ahead_count = 0;
  // Likewise: to be done without the mutex.
  std::vector<ToPlace> to_place;
};

inline constexpr std::uint32_t kMaxExtentsPinned = 16;    // by one result
inline constexpr std::size_t kMaxCopiedInline = 32 << 10;  // of records that lie across the border of two extents

inline constexpr std::size_t kMaxCopiedHot = 256 << 10;    // of records that the arena is about to give up

class HotReader {
 public:
  explicit HotReader(Core &core) : core_(core) {}

  enum class Answer { kInline, kCold, kNotFound, kCorrupt };
  // kInline: *out is set, and cold->ahead and cold->to_place may be. kCold: *cold is filled in.
  [[nodiscard]] Answer read(const gantry_read &request, ReadResult **out, ColdRead *cold);
  [[nodiscard]] Answer read_at(LogPos pos, ReadResult **out, ColdRead *cold);

 private:
  struct Scan;
  struct Picked {
    gantry_record record;  // bytes.p: what is stored, bytes.n: of the whole record, as far as that is known here
    const RecordRow *row;
    std::uint32_t segment_no;
    std::uint32_t extent;  // of extents_, the first that it lies in
  };
  // Room for as many as one read may take; filled without a look at how much there is.
  class PickedList {
   public:
    void clear() { n_ = 0; }
    [[nodiscard]] Picked &add() { return all_[n_++]; }
    [[nodiscard]] bool empty() const { return n_ == 0; }
    [[nodiscard]] std::uint32_t size() const { return n_; }
    [[nodiscard]] Picked &operator[](std::size_t i) { return all_[i]; }
    [[nodiscard]] Picked *begin() { return all_.get(); }
    [[nodiscard]] Picked *end() { return all_.get() + n_; }

   private:
    std::unique_ptr<Picked[]> all_{new Picked[kMaxReadRecords]};
    std::uint32_t n_ = 0;
  };
  bool pick(Scan &scan, std::int64_t tag, const RecordRow *row, const SegmentRef &segment, std::int64_t first_store_ms);
  bool visit(Scan &scan, const QueuePart &part, const SegmentRef &segment);
  bool visit(Scan &scan, const IndexWindow &window, const SegmentRef &segment);
  [[nodiscard]] bool visit_windows(Scan &scan, const QueueState &queue);
  [[nodiscard]] std::uint32_t look_at_reference(const RecordRow &row, LogPos pos, bool *cold) const;
  [[nodiscard]] bool is_next_to_go(const Picked &one) const;
  [[nodiscard]] ReadResult *finish_hot(const gantry_read_result &state);
  [[nodiscard]] ReadResult *finish_referring(const gantry_read_result &state, ColdRead *cold);
  [[nodiscard]] ReadResult *finish_warm(const gantry_read_result &state, ColdRead *cold);
  [[nodiscard]] bool find_extents(std::size_t *copied);
  [[nodiscard]] bool place_across(const Picked &one, std::uint8_t *to) const;
  void look_ahead(ColdRead *cold) const;
  void finish_cold(const gantry_read_result &state, ColdRead *cold);

  Core &core_;
  PickedList picked_;
  std::vector<const QueuePart *> parts_;  // of the queue being read, newest first
  std::vector<IndexWindowRef> windows_;    // that records were picked from
  std::vector<ExtentRef> extents_;         // of the records picked, while a result is made
  LogPos taken_;                           // end of all that the writer took, when the read began
  std::size_t copied_ = 0;                 // bytes of the records picked that are copied instead of pinned
};

}  // namespace gantry::commitlog
