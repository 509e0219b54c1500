// Reading the log back: where it ends, which frames hold, what they say. Used by recovery, on the control thread.
//
// Torn or rotten? A frame that does not hold is part of an unfinished write when nothing vouches for it: then the log ends there. It is
// damage in the middle, kept out and reported, when its position is known to have been complete: it lies before the checkpoint, or a later
// frame of the same or a later epoch says so by its stable_pos.
#pragma once

#include "checkpoint.hpp"
#include "core.hpp"
#include "index_builder.hpp"
#include "scan.hpp"

#include <optional>
#include <vector>

namespace gantry::commitlog {

class LogScan {
 public:
  explicit LogScan(Core &core) : core_(core) {}

  // `segments` in log order, at least one. Numbers them, gives each its run or index, applies meta operations to core.rows and core.queues.
  Result<void> run(const std::vector<SegmentRef> &segments, const Checkpoint *checkpoint);

  // A new run for one sealed segment, from its frames alone. [thread: any]
  Result<std::shared_ptr<RunFile>> rebuild(LogPos base);

  [[nodiscard]] LogPos end() const { return end_; }
  [[nodiscard]] std::uint32_t last_no() const { return last_no_; }  // of the segment the log ends in
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }      // greatest one seen
  [[nodiscard]] std::uint64_t scanned_bytes() const { return scanned_bytes_; }
  [[nodiscard]] std::uint64_t cut_bytes() const { return cut_bytes_; }
  [[nodiscard]] std::uint64_t bad_records() const { return bad_records_; }

 private:
  struct Evidence {
    bool complete = false;               // what stands at the position was once completely written
    std::optional<std::size_t> segment;  // of the next frame that holds
    LogPos next;
    std::uint64_t bytes = 0;             // of frames that hold behind it
  };
  enum class Step { kNext, kEnd };  // go on with the next segment, or the log ends here

  Result<void> flush_from(std::size_t first);
  Result<void> keep_or_rebuild(const SegmentRef &segment);
  Result<Step> scan_segment(std::size_t i, const Checkpoint *checkpoint);
  Result<Step> walk(std::size_t i, IndexBuilder *builder, LogPos stop_at);
  Result<Step> walk_with(SegmentReader &reader, std::size_t i, IndexBuilder *builder, LogPos stop_at);
  Result<Evidence> look_ahead(std::size_t i, LogPos bad, LogPos from, std::int64_t reach);
  [[nodiscard]] bool one_is_missing_before(const FrameHeader &header) const;
  void apply(const ScannedUnit &unit, IndexBuilder *builder);
  void apply_ops(const std::vector<MetaOp> &ops);
  [[nodiscard]] Result<std::shared_ptr<RunFile>> run_of(const Segment &segment) const;
  Result<void> seal(const SegmentRef &segment);
  void report_losses(const IndexBuilder &builder, const Segment &segment);
  void report_damage(LogPos from, LogPos to);

  Core &core_;
  std::vector<SegmentRef> segments_;
  LogPos pos_, end_, known_stable_;
  std::uint32_t last_no_ = 0;
  std::uint64_t epoch_ = 0, scanned_bytes_ = 0, cut_bytes_ = 0, bad_records_ = 0;
  bool clean_ = false;     // the checkpoint says that the log ends at end_of_clean_
  LogPos end_of_clean_;
  std::optional<LogPos> frame_end_;  // of the last frame, when all from there to pos_ is filler
  bool apply_meta_ = true;
  bool index_stays_ = false;  // that of a segment stays in memory: those of the segments behind it do, too
};

}  // namespace gantry::commitlog
