// Compares one log file, and its run if it has one, with all their checksums: what is damaged, and which records of which queues that costs.
#pragma once

#include "run_file.hpp"
#include "scan.hpp"

#include <functional>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

struct CheckFinding {
  enum class What {
    kRecord,      // a record that its checksum does not fit: lost
    kKnown,       // records that are lost, and the run says so already
    kBase,        // a record whose body is gone or damaged with another one: lost
    kFrame,       // a frame whose header or trailer is damaged, or what is no frame at all; the records in it follow as kInFrame
    kInFrame,     // offsets of a queue that are lost with a frame
    kRun,         // the run contradicts the log or itself: nothing is lost
  };
  What what = What::kRecord;
  LogPos pos;
  std::int64_t bytes = 0;
  std::int64_t queue = -1;  // handle; -1: none, or not known
  QueueOff begin{-1}, end{-1};
  std::uint64_t readable = 0;  // kFrame: records in it that can still be read through the run
};

class SegmentCheck {
 public:
  struct Sink {
    std::function<void(const ScannedUnit &)> on_frame = [](const ScannedUnit &) {};  // every frame that holds, records with a wrong checksum marked
    std::function<void(const CheckFinding &)> on_finding = [](const CheckFinding &) {};
    // Whether what stands at that position of this segment was once completely written, when the file itself does not tell.
    std::function<bool(LogPos pos)> vouched = [](LogPos) { return true; };
    // Stored bytes [pos, pos + bytes) of a base, wherever it lies; empty: they are not there. Null: bases are not looked at.
    std::function<std::span<const std::uint8_t>(LogPos pos, std::uint32_t bytes)> stored;
  };

  // `run` may be null. next_off: by queue handle, the offset that follows the last one seen in older segments; carried on.
  SegmentCheck(Files &files, const Segment &segment, const RunFile *run, std::unordered_map<std::uint32_t, std::int64_t> *next_off, Sink sink);

  // Looks at the next frame or filler. False: the segment, or the log, ends here. IO. [blocking: may]
  [[nodiscard]] Result<bool> step();
  [[nodiscard]] LogPos pos() const { return pos_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  void start_epoch(std::uint64_t epoch) { epoch_ = epoch; }
  // After step() said false: the log ends at pos() with an unfinished write of so many bytes.
  [[nodiscard]] bool log_ended() const { return log_ended_; }
  [[nodiscard]] std::int64_t torn_bytes() const { return torn_bytes_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return reader_.bytes_read(); }
  [[nodiscard]] std::uint64_t records() const { return records_; }

 private:
  void check_frame();
  void check_base(const ParsedRecord &record, LogPos pos, const std::vector<std::pair<std::uint32_t, std::int64_t>> &links);
  void check_offsets();
  [[nodiscard]] bool known_lost(std::uint32_t queue, std::int64_t begin, std::int64_t end) const;
  void find_in_run(const ParsedRecord &record, bool bad, bool *known);
  void lost_range(LogPos end);
  [[nodiscard]] Result<void> damaged(bool sized);
  void tell(CheckFinding::What kind, LogPos pos, std::int64_t bytes, const std::vector<std::pair<std::uint32_t, std::int64_t>> &links);

  Files &files_;
  const Segment &segment_;
  const RunFile *const run_;
  std::unordered_map<std::uint32_t, std::int64_t> &next_off_;
  const Sink sink_;
  SegmentReader reader_;
  ScannedUnit unit_;
  LogPos pos_;
  std::uint64_t epoch_ = 0, records_ = 0;
  std::size_t run_at_ = 0;        // next row of the run's records
  bool run_doubted_ = false;      // said once
  bool log_ended_ = false;
  std::int64_t torn_bytes_ = 0;
};

}  // namespace gantry::commitlog
