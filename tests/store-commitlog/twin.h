// A disk under test: the store's two I/O interfaces over real files, with faults on demand and memory of what was not flushed yet.
#pragma once

#include "trace.h"

#include "files.hpp"
#include "io_engine.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace gantry::test {

// What the store asks of its disk; for faults by kind and number.
enum class DiskOp : std::uint8_t { kCreate, kAllocate, kLogWrite, kWrite, kSync, kTruncate, kRename, kRemove, kMakeDir, kSyncDir };
inline constexpr std::size_t kDiskOps = 10;
[[nodiscard]] const char *name_of(DiskOp op);

class TwinDisk : public std::enable_shared_from_this<TwinDisk> {
 public:
  // Faults: each answers the errno to fail with, 0 = go on. nth counts from 1.
  std::function<int(std::uint64_t nth)> on_log_write = [](std::uint64_t) { return 0; };  // errno, or -1 for a short write
  std::function<int(const std::string &path)> on_sync = [](const std::string &) { return 0; };
  std::function<int(std::uint64_t nth)> on_read = [](std::uint64_t) { return 0; };  // of log files
  std::function<int(const std::string &path, std::int64_t offset, std::size_t bytes)> on_read_of = [](const std::string &, std::int64_t, std::size_t) { return 0; };
  std::function<int(std::int64_t bytes)> on_allocate = [](std::int64_t) { return 0; };
  std::function<int(const std::string &path)> on_create = [](const std::string &) { return 0; };
  std::function<void(const std::string &path)> on_open = [](const std::string &) {};  // before any open; may wait for what other threads ask of the disk
  std::function<void(commitlog::DiskSpace *)> on_space = [](commitlog::DiskSpace *) {};  // changes what is said of the disk
  std::function<int(DiskOp op, std::uint64_t nth)> on_op = [](DiskOp, std::uint64_t) { return 0; };  // of any kind; -1 for a short write; nth of its kind
  bool hold_writes = false;    // log writes do not finish while set; clear it with release_writes
  bool track_unflushed = false;
  bool ignore_sync = false;    // a flush that answers well and does nothing
  std::atomic<int> calls_of_pieces{0};  // reads into several buffers; on_read is asked for each buffer
  bool real_sync = false;      // else flushing is bookkeeping only: fast, and enough as no machine loses power here

  bool claim_direct = false;   // opens with O_DIRECT succeed, and the file is not
  std::shared_ptr<Trace> trace;             // gets all that is done
  std::function<bool()> put_off = [] { return false; };  // a finished log write is answered later, and perhaps after younger ones

  void release_writes() {
    hold_writes = false;
    wake_engine_();
  }
  [[nodiscard]] std::unique_ptr<commitlog::Files> files();
  [[nodiscard]] std::unique_ptr<commitlog::IoEngine> engine();

  // Power is gone: nothing changes on disk any more, every operation fails. Then the un-flushed writes are kept, lost or torn at
  // 512 bytes as the generator says.
  void freeze();
  void lose_unflushed(std::mt19937_64 &random);
  [[nodiscard]] std::uint64_t log_writes() const { return log_writes_; }
  [[nodiscard]] std::uint64_t ops(DiskOp op) const { return ops_[static_cast<std::size_t>(op)]; }  // so far
  // As by freeze, and back: the process was killed, the machine goes on. What it had written is in the page cache.
  void thaw() { frozen_ = false; }
  [[nodiscard]] bool a_flush_failed() const { return a_flush_failed_; }

 private:
  friend class TwinFiles;
  friend class TwinEngine;
  struct Unflushed {
    std::int64_t offset;
    std::string before, after;
    bool kept = false;    // flushed by itself
    bool doomed = false;  // its flush failed: the kernel calls it clean, and it never comes to the disk
    bool under_way = false;  // a log write that is not answered: no flush covers it for sure, as in the trace
    std::uint64_t id = 0;    // of a log write
  };
  std::int64_t write(int fd, const void *data, std::size_t bytes, std::int64_t offset);
  int sync(int fd);
  // 0, or the errno to fail with, -1 for a short write. Counts. Mutex held.
  [[nodiscard]] int fault(DiskOp op);
  void flushed(const std::string &path);
  void flush_failed(const std::string &path);
  void forget(int fd);
  void renamed(const std::string &from, const std::string &to);
  void keep_unflushed(int fd, const void *data, std::size_t bytes, std::int64_t offset, std::uint64_t log_write = 0);
  void answered(std::uint64_t log_write);
  [[nodiscard]] std::string path_of(int fd) const;

  std::function<void()> wake_engine_ = [] {};
  std::mutex mutex_;
  std::atomic<bool> frozen_ = false, a_flush_failed_ = false;
  std::uint64_t log_writes_ = 0, reads_ = 0, next_id_ = 0;
  std::array<std::atomic<std::uint64_t>, kDiskOps> ops_{};
  std::map<std::string, std::vector<Unflushed>> unflushed_;  // by path
};

}  // namespace gantry::test
