#include "twin.h"

#include "format.hpp"
#include "support/test_util.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>

namespace gantry::test {

namespace {
constexpr std::size_t kSector = 512;
}

const char *name_of(DiskOp op) {
  static constexpr const char *kNames[kDiskOps] = {"create", "allocate", "log write", "write", "sync", "truncate", "rename", "remove", "make folder", "sync folder"};
  return kNames[static_cast<std::size_t>(op)];
}

class TwinFiles final : public commitlog::Files {
 public:
  explicit TwinFiles(std::shared_ptr<TwinDisk> disk) : disk_(std::move(disk)) {}

  int open(const std::string &path, int flags) override {
    disk_->on_open(path);
    const std::lock_guard lock(disk_->mutex_);
    if ((flags & O_CREAT) != 0) {
      if (const int error = disk_->fault(DiskOp::kCreate); error != 0) return -error;
      if (const int error = disk_->on_create(path); error != 0) return -error;
    }
    const int fd = Files::open(path, disk_->claim_direct ? flags & ~O_DIRECT : flags);
    if (fd >= 0 && (flags & O_TRUNC) != 0) disk_->unflushed_.erase(path);
    if (fd >= 0 && disk_->trace) disk_->trace->opened(fd, path, flags);
    return fd;
  }
  int allocate(int fd, std::int64_t bytes) override {
    const std::lock_guard lock(disk_->mutex_);
    int error = disk_->fault(DiskOp::kAllocate);
    if (error == 0) error = disk_->on_allocate(bytes);
    const int rc = error != 0 ? -error : Files::allocate(fd, bytes);
    if (rc == 0 && disk_->trace) disk_->trace->allocated(fd, bytes);
    return rc;
  }
  std::int64_t write(int fd, const void *data, std::size_t bytes, std::int64_t offset) override {
    const std::lock_guard lock(disk_->mutex_);
    const int error = disk_->fault(DiskOp::kWrite);
    if (error > 0) return -error;
    // A write that the disk breaks off goes on in the caller's loop and meets the end of the space there.
    const std::size_t part = error < 0 ? bytes / 2 / kSector * kSector : bytes;
    const std::int64_t n = disk_->write(fd, data, part, offset);
    return error < 0 && n >= 0 ? -ENOSPC : n;
  }
  std::int64_t read(int fd, void *data, std::size_t bytes, std::int64_t offset) override {
    int error;
    {
      const std::lock_guard lock(disk_->mutex_);
      const std::string path = disk_->path_of(fd);
      error = path.find("/commitlog/") != std::string::npos ? disk_->on_read(++disk_->reads_) : 0;
      if (error == 0) error = disk_->on_read_of(path, offset, bytes);
    }
    return error != 0 ? -error : Files::read(fd, data, bytes, offset);
  }
  std::int64_t read_pieces(int fd, std::span<const iovec> pieces, std::int64_t offset) override {
    ++disk_->calls_of_pieces;
    std::int64_t done = 0;
    for (const iovec &piece : pieces) {
      const std::int64_t n = read(fd, piece.iov_base, piece.iov_len, offset + done);
      if (n < 0) return done > 0 ? done : n;
      done += n;
      if (n < static_cast<std::int64_t>(piece.iov_len)) break;
    }
    return done;
  }
  int sync(int fd) override {
    const std::lock_guard lock(disk_->mutex_);
    const int error = disk_->fault(DiskOp::kSync);
    if (error != 0 && !disk_->frozen_) {
      if (disk_->trace) disk_->trace->sync_failed(fd);
      disk_->flush_failed(disk_->path_of(fd));
      disk_->a_flush_failed_ = true;
    }
    return error != 0 ? -error : disk_->sync(fd);
  }
  int forget(int fd) override {
    const std::lock_guard lock(disk_->mutex_);
    disk_->forget(fd);
    return 0;
  }
  int truncate(int fd, std::int64_t bytes) override {
    const std::lock_guard lock(disk_->mutex_);
    const int error = disk_->fault(DiskOp::kTruncate);
    const int rc = error != 0 ? -error : Files::truncate(fd, bytes);
    if (rc == 0 && disk_->trace) disk_->trace->truncated(fd, bytes);
    return rc;
  }
  int rename(const std::string &from, const std::string &to) override {
    const std::lock_guard lock(disk_->mutex_);
    if (const int error = disk_->fault(DiskOp::kRename); error != 0) return -error;
    const int rc = Files::rename(from, to);
    if (rc == 0) disk_->renamed(from, to);
    if (rc == 0 && disk_->trace) disk_->trace->renamed(from, to);
    return rc;
  }
  int remove(const std::string &path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (const int error = disk_->fault(DiskOp::kRemove); error != 0) return -error;
    const int rc = Files::remove(path);
    if (rc == 0) disk_->unflushed_.erase(path);
    if (rc == 0 && disk_->trace) disk_->trace->removed(path);
    return rc;
  }
  int make_dir(const std::string &path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (const int error = disk_->fault(DiskOp::kMakeDir); error != 0) return -error;
    const bool fresh = ::access(path.c_str(), F_OK) != 0;
    const int rc = Files::make_dir(path);
    if (rc == 0 && fresh && disk_->trace) disk_->trace->made_dir(path);
    return rc;
  }
  int sync_dir(const std::string &path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (const int error = disk_->fault(DiskOp::kSyncDir); error != 0) return -error;
    const int rc = disk_->real_sync ? Files::sync_dir(path) : 0;
    if (rc == 0 && disk_->trace && !disk_->ignore_sync) disk_->trace->synced_dir(path);
    return rc;
  }
  int space(const std::string &path, commitlog::DiskSpace *out) override {
    const int rc = Files::space(path, out);
    if (rc == 0) disk_->on_space(out);
    return rc;
  }

 private:
  const std::shared_ptr<TwinDisk> disk_;
};

// Writes at once inside submit; the completion waits for reap, as with the real engines.
class TwinEngine final : public commitlog::IoEngine {
 public:
  explicit TwinEngine(std::shared_ptr<TwinDisk> disk) : disk_(std::move(disk)), inner_(engine_by_name()), event_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    disk_->wake_engine_ = [this] { signal(); };
  }
  ~TwinEngine() override {
    for (const Done &done : done_) note(done);
    disk_->wake_engine_ = [] {};
    ::close(event_fd_);
  }

  int event_fd() const override { return event_fd_; }
  void submit(std::span<const commitlog::WriteOp> ops) override {
    for (const commitlog::WriteOp &op : ops) done_.push_back(perform(op));
    if (!disk_->hold_writes) signal();
  }
  std::size_t reap(std::span<commitlog::WriteDone> out) override {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(event_fd_, &count, sizeof count);
    if (disk_->hold_writes) return 0;
    std::size_t found = 0;
    for (std::size_t left = done_.size(); left > 0 && found < out.size(); --left) {
      const Done done = done_.front();
      done_.pop_front();
      if (disk_->put_off()) {
        done_.push_back(done);
        continue;
      }
      note(done);
      out[found++] = done.done;
    }
    if (!done_.empty()) signal();
    return found;
  }
  std::string description() const override { return "twin"; }

 private:
  struct Done {
    commitlog::WriteDone done;
    std::optional<std::size_t> traced;
    std::uint64_t id = 0;  // TwinDisk::Unflushed
  };
  // Also when the process is dead that asked for it: the kernel finishes the write, and the next flush of the file covers it.
  void note(const Done &done) {
    const std::lock_guard lock(disk_->mutex_);
    disk_->answered(done.id);
    if (done.traced && disk_->trace) disk_->trace->log_done(*done.traced);
  }
  // What writes: an engine of the store where the environment names one, so that each runs through all of these tests.
  static std::unique_ptr<commitlog::IoEngine> engine_by_name() {
    const char *name = std::getenv("GANTRY_TEST_ENGINE");
    if (name == nullptr) return nullptr;
    auto made = std::string_view(name) == "io_uring" ? commitlog::make_uring_engine() : commitlog::make_pwrite_engine("of a test");
    if (!made) std::fprintf(stderr, "engine %s is refused: %s\n", name, made.error().text.c_str());
    return made ? std::move(*made) : nullptr;
  }
  std::int64_t write(const commitlog::WriteOp &op, std::uint32_t bytes) {
    if (inner_ == nullptr) return commitlog::Files().write(op.fd, op.data, bytes, static_cast<std::int64_t>(op.file_off));
    commitlog::WriteOp part = op;
    part.bytes = bytes;
    part.dsync = op.dsync && disk_->real_sync;
    inner_->submit({&part, 1});
    commitlog::WriteDone done;
    while (inner_->reap({&done, 1}) == 0) {
      pollfd ready{inner_->event_fd(), POLLIN, 0};
      (void)::poll(&ready, 1, 1000);
    }
    require(done.cookie == op.cookie, "the engine answers for another write");
    return done.result;
  }
  void signal() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(event_fd_, &one, sizeof one);
  }
  Done perform(const commitlog::WriteOp &op) {
    const std::lock_guard lock(disk_->mutex_);
    int error = disk_->fault(DiskOp::kLogWrite);
    if (error == 0) error = disk_->on_log_write(++disk_->log_writes_);
    if (error > 0) return {{op.cookie, -error}, std::nullopt, 0};
    const std::uint32_t bytes = error < 0 ? op.bytes / 2 : op.bytes;
    const auto offset = static_cast<std::int64_t>(op.file_off);
    const std::uint64_t id = ++disk_->next_id_;
    disk_->keep_unflushed(op.fd, op.data, bytes, offset, id);
    const std::int64_t n = write(op, bytes);
    Done done{{op.cookie, n}, std::nullopt, id};
    if (n >= 0 && disk_->trace) done.traced = disk_->trace->log_write(op.fd, op.data, bytes, offset, op.dsync && !disk_->ignore_sync);
    if (n < 0 || !op.dsync) return done;
    if (const int rc = disk_->on_sync(disk_->path_of(op.fd)); rc != 0) {
      done = {{op.cookie, -rc}, std::nullopt, id};
    } else {
      if (disk_->track_unflushed && !disk_->ignore_sync) disk_->unflushed_[disk_->path_of(op.fd)].back().kept = true;
      if (disk_->real_sync) (void)commitlog::Files().sync(op.fd);
    }
    return done;
  }

  const std::shared_ptr<TwinDisk> disk_;
  const std::unique_ptr<commitlog::IoEngine> inner_;
  const int event_fd_;
  std::deque<Done> done_;
};

std::unique_ptr<commitlog::Files> TwinDisk::files() { return std::make_unique<TwinFiles>(shared_from_this()); }
std::unique_ptr<commitlog::IoEngine> TwinDisk::engine() { return std::make_unique<TwinEngine>(shared_from_this()); }

std::string TwinDisk::path_of(int fd) const {
  char path[4096];
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return {path, n > 0 ? static_cast<std::size_t>(n) : 0};
}

int TwinDisk::fault(DiskOp op) {
  if (frozen_) return EIO;
  return on_op(op, ++ops_[static_cast<std::size_t>(op)]);
}

void TwinDisk::answered(std::uint64_t log_write) {
  if (log_write == 0) return;
  for (auto &[path, writes] : unflushed_) {
    for (Unflushed &write : writes) {
      if (write.id == log_write) write.under_way = false;
    }
  }
}

void TwinDisk::keep_unflushed(int fd, const void *data, std::size_t bytes, std::int64_t offset, std::uint64_t log_write) {
  if (!track_unflushed) return;
  const commitlog::AlignedBuffer before(static_cast<std::size_t>(commitlog::align_up(static_cast<std::int64_t>(bytes), commitlog::kBlock)));
  std::memset(before.data(), 0, before.size());
  const std::string path = path_of(fd);
  const int read_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  [[maybe_unused]] const ssize_t n = ::pread(read_fd, before.data(), bytes, offset);
  ::close(read_fd);
  unflushed_[path].push_back({offset, {reinterpret_cast<char *>(before.data()), bytes}, {static_cast<const char *>(data), bytes}, false, false, log_write != 0, log_write});
}

void TwinDisk::flushed(const std::string &path) {
  const auto at = unflushed_.find(path);
  if (at == unflushed_.end()) return;
  for (Unflushed &write : at->second) write.kept |= !write.doomed && !write.under_way;
  if (std::all_of(at->second.begin(), at->second.end(), [](const Unflushed &write) { return write.kept; })) unflushed_.erase(at);
}

void TwinDisk::flush_failed(const std::string &path) {
  const auto at = unflushed_.find(path);
  if (at == unflushed_.end()) return;
  for (Unflushed &write : at->second) write.doomed |= !write.kept;
}

void TwinDisk::forget(int fd) {
  const std::string path = path_of(fd);
  const auto at = unflushed_.find(path);
  if (at == unflushed_.end()) return;
  commitlog::Files disk;
  const commitlog::FileHandle plain(disk.open(path, O_RDWR));  // the store's own may be one for aligned memory only
  require(plain.get() >= 0, "cannot open a log file to make it forget");
  for (auto write = at->second.rbegin(); write != at->second.rend(); ++write) (void)disk.write(plain.get(), write->before.data(), write->before.size(), write->offset);
  std::erase_if(at->second, [](const Unflushed &write) { return write.doomed; });
  for (Unflushed &write : at->second) {
    (void)disk.read(plain.get(), write.before.data(), write.before.size(), write.offset);  // without what was lost
    (void)disk.write(plain.get(), write.after.data(), write.after.size(), write.offset);
  }
}

void TwinDisk::renamed(const std::string &from, const std::string &to) {
  unflushed_.erase(to);  // of the file that had the name before
  if (auto moved = unflushed_.extract(from); !moved.empty()) {
    moved.key() = to;
    unflushed_.insert(std::move(moved));
  }
}

std::int64_t TwinDisk::write(int fd, const void *data, std::size_t bytes, std::int64_t offset) {
  keep_unflushed(fd, data, bytes, offset);
  const std::int64_t n = commitlog::Files().write(fd, data, bytes, offset);
  if (n >= 0 && trace) trace->written(fd, data, bytes, offset);
  return n;
}

int TwinDisk::sync(int fd) {
  if (const int error = on_sync(path_of(fd)); error != 0) return -error;
  if (!ignore_sync) flushed(path_of(fd));
  const int rc = real_sync ? commitlog::Files().sync(fd) : 0;
  if (rc == 0 && trace && !ignore_sync) trace->synced(fd);
  return rc;
}

void TwinDisk::freeze() {
  {
    const std::lock_guard lock(mutex_);
    frozen_ = true;
  }
  release_writes();
}

void TwinDisk::lose_unflushed(std::mt19937_64 &random) {
  const std::lock_guard lock(mutex_);
  for (auto &[path, writes] : unflushed_) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) continue;
    // Back to the last flush, then each write again: whole, not at all, or some of its sectors.
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      [[maybe_unused]] const ssize_t n = ::pwrite(fd, write->before.data(), write->before.size(), write->offset);
    }
    for (const Unflushed &write : writes) {
      const std::uint64_t fate = write.kept ? 1 : random() % 3;
      if (fate == 0) continue;
      for (std::size_t at = 0; at < write.after.size(); at += kSector) {
        if (fate == 2 && random() % 2 == 0) continue;
        const std::size_t n = std::min(kSector, write.after.size() - at);
        [[maybe_unused]] const ssize_t done = ::pwrite(fd, write.after.data() + at, n, write.offset + static_cast<std::int64_t>(at));
      }
    }
    ::close(fd);
  }
  unflushed_.clear();
}

}  // namespace gantry::test
