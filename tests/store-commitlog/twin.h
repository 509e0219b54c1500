// A disk under test: the store's two I/O interfaces over real files, with faults on demand and memory of what was not flushed yet.
#pragma once

#include "files.hpp"
#include "io_engine.hpp"

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

class TwinDisk : public std::enable_shared_from_this<TwinDisk> {
 public:
  // Faults: each answers the errno to fail with, 0 = go on. nth counts from 1.
  std::function<int(std::uint64_t nth)> on_log_write = [](std::uint64_t) { return 0; };  // errno, or -1 for a short write
  std::function<int(const std::string &path)> on_sync = [](const std::string &) { return 0; };
  std::function<int(std::uint64_t nth)> on_read = [](std::uint64_t) { return 0; };
  std::function<int(std::int64_t bytes)> on_allocate = [](std::int64_t) { return 0; };
  std::function<int(const std::string &path)> on_create = [](const std::string &) { return 0; };
  std::function<void(commitlog::DiskSpace *)> on_space = [](commitlog::DiskSpace *) {};  // changes what is said of the disk
  bool hold_writes = false;    // log writes do not finish while set; clear it with release_writes
  bool track_unflushed = false;
  bool ignore_sync = false;    // a flush that answers well and does nothing
  std::atomic<int> calls_of_pieces{0};  // reads into several buffers; on_read is asked for each buffer
  bool real_sync = false;      // else flushing is bookkeeping only: fast, and enough as no machine loses power here

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

 private:
  friend class TwinFiles;
  friend class TwinEngine;
  struct Unflushed {
    std::int64_t offset;
    std::string before, after;
  };
  std::int64_t write(int fd, const void *data, std::size_t bytes, std::int64_t offset);
  int sync(int fd);
  [[nodiscard]] std::string path_of(int fd) const;

  std::function<void()> wake_engine_ = [] {};
  std::mutex mutex_;
  std::atomic<bool> frozen_ = false;
  std::uint64_t log_writes_ = 0, reads_ = 0;
  std::map<std::string, std::vector<Unflushed>> unflushed_;  // by path
};

}  // namespace gantry::test
