// Writes blocks durably, one file, several in flight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "wire/histogram.hpp"

namespace gantry::bench {

/// How blocks reach the disk, best first.
enum class DiskMethod {
  kAuto,        ///< the first of the following that works here
  kRing,        ///< io_uring, O_DIRECT, RWF_DSYNC, `depth` writes in flight
  kSyncDirect,  ///< pwritev2, O_DIRECT, RWF_DSYNC, one at a time
  kBuffered,    ///< pwrite and fdatasync, one at a time: file systems without O_DIRECT
};

[[nodiscard]] const char *name_of(DiskMethod method);

struct DiskOptions {
  std::string file;
  std::uint64_t file_size = 1ull << 30;  ///< bytes; writes wrap around at the end
  std::size_t block = 256 * 1024;        ///< bytes per write, a multiple of 4096
  unsigned depth = 4;
  double duration_s = 5;
  DiskMethod method = DiskMethod::kAuto;
  bool fresh = false;  ///< extend an empty file in place of overwriting a filled one
};

struct DiskResult {
  DiskMethod method = DiskMethod::kAuto;
  std::uint64_t writes = 0;
  double elapsed_s = 0;
  std::uint64_t cpu_us = 0;  ///< of this process; flush and completion work of the kernel's own threads is outside
  Histogram latency;
};

/// Prepares the file (filled with direct writes unless `fresh`), writes for the time asked, removes the file.
/// Throws BenchError naming the file and the failing step.
[[nodiscard]] DiskResult write_blocks(const DiskOptions &options);

}  // namespace gantry::bench
