// Log segments: one file each, named by the log position of its first byte.
#pragma once

#include "files.hpp"
#include "segment_index.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace gantry::commitlog {

class RunFile;

// Shared by the writer, the index and readers; the file is closed when the last of them lets go.
struct Segment {
  LogPos base;
  std::int64_t bytes = 0;
  std::uint32_t no = 0;  // consecutive in this process; compares by age
  FileHandle file;
  bool direct = false;   // opened with O_DIRECT
  std::string path;

  [[nodiscard]] LogPos end() const { return base + bytes; }

  // ---- guarded by the store's mutex
  std::shared_ptr<SegmentIndex> index;  // null once `run` alone answers for it; shared with searches under way
  std::shared_ptr<RunFile> run;         // null until it is on disk
  std::int64_t first_store_ms = 0, last_store_ms = 0;  // of its records; 0 when it has none
  LogPos plain_end;                     // end of the last write without dsync
  LogPos oldest_base{INT64_MAX};        // lowest position that a reference in here leads to
  bool sealed = false;                  // the log went on in the next one
  bool for_rows = false;                // made of what is reserved on a full disk: no ordinary records until there is space again
  bool recycled = false;                // its blocks were written in an earlier life

  // ---- zero-filling of a segment that is not in use yet
  std::atomic<bool> taken{false};       // the log came in: stop filling
  std::atomic<std::int64_t> filling_at{-1};  // file offset of the fill write that may be under way, -1 none
};
using SegmentRef = std::shared_ptr<Segment>;

inline constexpr std::int64_t kFillStep = 1 << 20;

// All live segments in log order without gaps, and those prepared to follow. Guarded by the store's mutex.
struct SegmentList {
  std::deque<SegmentRef> live;   // front is the oldest, back the one written to
  std::deque<SegmentRef> ready;  // allocated, consecutive after live.back()
  std::uint32_t next_no = 0;
  std::uint32_t first_readable = 0;  // segments before it have expired: kept for the references of later ones, no more to be read from

  [[nodiscard]] Segment &active() const { return *live.back(); }
  [[nodiscard]] std::uint32_t first_no() const { return std::max(first_readable, live.front()->no); }
  [[nodiscard]] const SegmentRef &oldest_readable() const { return by_no(first_no()); }
  // A record that can be read refers to the oldest segment.
  [[nodiscard]] bool oldest_is_base() const;
  [[nodiscard]] const SegmentRef &by_no(std::uint32_t no) const { return live[no - live.front()->no]; }
  // Null when the position lies in none.
  [[nodiscard]] SegmentRef find(LogPos pos) const;
};

[[nodiscard]] std::string segment_file_name(LogPos base);             // 20 digits
[[nodiscard]] bool parse_position(const std::string &text, LogPos *out);  // exactly 20 digits

}  // namespace gantry::commitlog
