// What the files of a store that nobody has open say: `gantry store verify|dump|repair`. The functions of gantry_store_tool_v1.
#pragma once

#include "checkpoint.hpp"
#include "core.hpp"
#include "segment_check.hpp"

#include <gantry/draft/store_tool.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

// One run over a folder. [thread: control]
class StoreTool {
 public:
  StoreTool(const gantry_host *host, const gantry_store_tool_request &request, const gantry_store_tool_sink &sink);
  ~StoreTool();
  StoreTool(const StoreTool &) = delete;
  StoreTool &operator=(const StoreTool &) = delete;

  [[nodiscard]] Result<void> run();
  [[nodiscard]] const gantry_store_tool_summary &summary() const { return summary_; }

 private:
  struct QueueName {
    std::string topic;
    std::uint32_t queue_no = 0;
    bool dropped = false;
  };
  // What is said of one thing, and what would mend it; `mend` null: nothing does, or nothing need.
  struct Finding {
    std::uint32_t severity = GANTRY_FINDING_NOTE;
    std::string file;
    std::int64_t position = -1, bytes = 0;
    std::int64_t queue = -1, begin = -1, end = -1;
    std::string text, remedy;
    std::function<Result<void>()> mend;
  };

  // ---- tool.cpp: reading
  [[nodiscard]] Result<void> list_segments();
  [[nodiscard]] Result<void> load_checkpoints();
  [[nodiscard]] Result<void> open_runs();
  [[nodiscard]] Result<void> walk();
  [[nodiscard]] Result<void> walk_segment(std::size_t i);
  [[nodiscard]] Result<void> end_of_log(std::size_t i, const SegmentCheck &check);
  [[nodiscard]] bool later_segment_vouches(std::size_t i, LogPos pos, std::uint64_t epoch);
  [[nodiscard]] std::span<const std::uint8_t> stored(LogPos pos, std::uint32_t bytes);
  void note_ops(const ParsedFrame &frame);
  // ---- tool_findings.cpp: saying what is wrong, mending it
  void found(const Segment &segment, const CheckFinding &finding);
  void frame_lost(const Segment &segment, const CheckFinding &finding, Finding out);
  void tell(Finding finding);
  [[nodiscard]] Result<void> mend_all();
  [[nodiscard]] Result<void> quarantine(const std::string &path);
  [[nodiscard]] Result<void> save_bytes(const Segment &segment, LogPos begin, std::int64_t bytes);
  [[nodiscard]] Result<void> fill_hole(const SegmentRef &segment, LogPos begin, std::int64_t bytes, std::uint64_t epoch);
  [[nodiscard]] Result<void> rebuild_run(LogPos base);
  [[nodiscard]] Result<void> resize(const std::string &path, std::int64_t bytes);
  // ---- tool_dump.cpp
  [[nodiscard]] Result<void> dump_frame(const ScannedUnit &unit);
  [[nodiscard]] Result<void> dump_entries(const Segment &segment);
  [[nodiscard]] Result<void> dump_rows();
  [[nodiscard]] bool wanted(std::uint32_t queue, std::int64_t offset) const;
  [[nodiscard]] Result<void> emit(const gantry_store_item &item);

  [[nodiscard]] Result<void> progress(const char *what, std::uint64_t done);
  [[nodiscard]] const QueueName *name_of(std::int64_t queue) const;

  const gantry_store_tool_request request_;
  const gantry_store_tool_sink sink_;
  const std::string topic_;
  gantry_store_tool_summary summary_{};
  std::unique_ptr<Core> core_;
  std::vector<SegmentRef> segments_;
  std::vector<Finding> to_mend_;
  std::vector<std::string> unusable_checkpoints_;
  std::optional<Checkpoint> checkpoint_;
  LogPos known_stable_;
  std::uint64_t epoch_ = 0, total_bytes_ = 0, done_bytes_ = 0;
  bool log_ended_ = false, cancelled_ = false;
  std::unordered_map<std::uint32_t, QueueName> queues_;
  std::unordered_map<std::uint32_t, std::int64_t> next_off_;
  std::map<std::string, std::string, std::less<>> rows_;
  std::vector<std::uint8_t> base_bytes_;
  std::map<LogPos, bool> to_rebuild_;  // runs that are to be made again, so that each is once
};

}  // namespace gantry::commitlog
