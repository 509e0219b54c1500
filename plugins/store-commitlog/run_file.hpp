// Run: the index of a sealed segment as one immutable file, index/<20 digits of the segment's base>.run, mapped when read.
//
//   "GANTRYRN" {u32 version}, sections (index_view.hpp), RunFooter at the very end
#pragma once

#include "core.hpp"
#include "index_view.hpp"

#include <atomic>
#include <memory>

namespace gantry::commitlog {

struct RunFooter {
  std::int64_t base = 0, segment_bytes = 0;
  std::int64_t first_store_ms = 0, last_store_ms = 0;
  IndexSections sections;
  std::uint32_t version = 1;
  char magic[8] = {'G', 'A', 'N', 'T', 'R', 'Y', 'R', 'F'};
  std::uint32_t pad = 0, pad2 = 0;
  std::uint32_t crc = 0;  // of all above
};
static_assert(sizeof(RunFooter) == 128);

class RunFile {
 public:
  ~RunFile();
  RunFile(const RunFile &) = delete;
  RunFile &operator=(const RunFile &) = delete;

  // Maps the run of that segment and verifies footer and directory. NOT_FOUND, IO, CORRUPT. [blocking: may]
  static Result<std::shared_ptr<RunFile>> open(const Core &core, LogPos base, std::int64_t segment_bytes);
  // Writes it; durable when it returns. [blocking: may]
  static Result<void> write(const Core &core, LogPos base, std::int64_t segment_bytes, std::int64_t first_ms, std::int64_t last_ms, const IndexView &view);
  // Fine when there is none; gone for good when it returns.
  static Result<void> remove(const Core &core, LogPos base);
  static std::string name(LogPos base) { return segment_file_name(base) + ".run"; }

  [[nodiscard]] const RunFooter &footer() const { return footer_; }
  [[nodiscard]] const IndexReader &index() const { return index_; }
  // Whether entries and records hold; reads the whole run the first time. [thread: reader] [blocking: may]
  [[nodiscard]] bool verified();
  // The same, comparing again although it was done before.
  [[nodiscard]] bool verified_anew() {
    state_.store(0, std::memory_order_release);
    return verified();
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  RunFile() = default;
  const std::uint8_t *map_ = nullptr;
  std::uint64_t bytes_ = 0;
  Files *files_ = nullptr;
  std::string path_;
  RunFooter footer_;
  IndexReader index_;
  std::atomic<int> state_{0};  // 0 not yet looked at, 1 good, 2 damaged
};

}  // namespace gantry::commitlog
