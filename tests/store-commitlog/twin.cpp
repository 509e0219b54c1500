#include "twin.h"

#include "format.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

namespace gantry::test {

namespace {
constexpr std::size_t kSector = 512;
}

class TwinFiles final : public commitlog::Files {
 public:
  explicit TwinFiles(std::shared_ptr<TwinDisk> disk) : disk_(std::move(disk)) {}

  int open(const std::string &path, int flags) override {
    if ((flags & O_CREAT) != 0) {
      if (disk_->frozen_) return -EIO;
      if (const int error = disk_->on_create(path); error != 0) return -error;
    }
    return Files::open(path, flags);
  }
  int allocate(int fd, std::int64_t bytes) override {
    const int error = disk_->frozen_ ? EIO : disk_->on_allocate(bytes);
    return error != 0 ? -error : Files::allocate(fd, bytes);
  }
  std::int64_t write(int fd, const void *data, std::size_t bytes, std::int64_t offset) override { return disk_->write(fd, data, bytes, offset); }
  std::int64_t read(int fd, void *data, std::size_t bytes, std::int64_t offset) override {
    int error;
    {
      const std::lock_guard lock(disk_->mutex_);
      error = disk_->on_read(++disk_->reads_);
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
  int sync(int fd) override { return disk_->sync(fd); }
  int truncate(int fd, std::int64_t bytes) override { return disk_->frozen_ ? -EIO : Files::truncate(fd, bytes); }
  int rename(const std::string &from, const std::string &to) override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->frozen_) return -EIO;
    if (auto moved = disk_->unflushed_.extract(from); !moved.empty()) {
      moved.key() = to;
      disk_->unflushed_.insert(std::move(moved));
    }
    return Files::rename(from, to);
  }
  int remove(const std::string &path) override {
    const std::lock_guard lock(disk_->mutex_);
    if (disk_->frozen_) return -EIO;
    disk_->unflushed_.erase(path);
    return Files::remove(path);
  }
  int space(const std::string &path, commitlog::DiskSpace *out) override {
    const int rc = Files::space(path, out);
    if (rc == 0) disk_->on_space(out);
    return rc;
  }
  int sync_dir(const std::string &path) override { return disk_->frozen_ ? -EIO : disk_->real_sync ? Files::sync_dir(path) : 0; }

 private:
  const std::shared_ptr<TwinDisk> disk_;
};

// Writes at once inside submit; the completion waits for reap, as with the real engines.
class TwinEngine final : public commitlog::IoEngine {
 public:
  explicit TwinEngine(std::shared_ptr<TwinDisk> disk) : disk_(std::move(disk)), event_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    disk_->wake_engine_ = [this] { signal(); };
  }
  ~TwinEngine() override {
    disk_->wake_engine_ = [] {};
    ::close(event_fd_);
  }

  int event_fd() const override { return event_fd_; }
  void submit(std::span<const commitlog::WriteOp> ops) override {
    for (const commitlog::WriteOp &op : ops) done_.push_back({op.cookie, perform(op)});
    if (!disk_->hold_writes) signal();
  }
  std::size_t reap(std::span<commitlog::WriteDone> out) override {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(event_fd_, &count, sizeof count);
    std::size_t found = 0;
    while (!disk_->hold_writes && found < out.size() && !done_.empty()) {
      out[found++] = done_.front();
      done_.pop_front();
    }
    if (!done_.empty() && !disk_->hold_writes) signal();
    return found;
  }
  std::string description() const override { return "twin"; }

 private:
  void signal() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(event_fd_, &one, sizeof one);
  }
  std::int64_t perform(const commitlog::WriteOp &op) {
    int error;
    {
      const std::lock_guard lock(disk_->mutex_);
      error = disk_->frozen_ ? EIO : disk_->on_log_write(++disk_->log_writes_);
    }
    if (error > 0) return -error;
    const std::uint32_t bytes = error < 0 ? op.bytes / 2 : op.bytes;
    const std::int64_t n = disk_->write(op.fd, op.data, bytes, static_cast<std::int64_t>(op.file_off));
    if (n < 0 || !op.dsync) return n;
    const int rc = disk_->sync(op.fd);
    return rc < 0 ? rc : n;
  }

  const std::shared_ptr<TwinDisk> disk_;
  const int event_fd_;
  std::deque<commitlog::WriteDone> done_;
};

std::unique_ptr<commitlog::Files> TwinDisk::files() { return std::make_unique<TwinFiles>(shared_from_this()); }
std::unique_ptr<commitlog::IoEngine> TwinDisk::engine() { return std::make_unique<TwinEngine>(shared_from_this()); }

std::string TwinDisk::path_of(int fd) const {
  char path[4096];
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return {path, n > 0 ? static_cast<std::size_t>(n) : 0};
}

std::int64_t TwinDisk::write(int fd, const void *data, std::size_t bytes, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  if (frozen_) return -EIO;
  commitlog::Files plain;
  if (track_unflushed) {
    const commitlog::AlignedBuffer before(static_cast<std::size_t>(commitlog::align_up(static_cast<std::int64_t>(bytes), commitlog::kBlock)));
    std::memset(before.data(), 0, before.size());
    const std::string path = path_of(fd);
    const int read_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    [[maybe_unused]] const ssize_t n = ::pread(read_fd, before.data(), bytes, offset);
    ::close(read_fd);
    unflushed_[path].push_back({offset, {reinterpret_cast<char *>(before.data()), bytes}, {static_cast<const char *>(data), bytes}});
  }
  return plain.write(fd, data, bytes, offset);
}

int TwinDisk::sync(int fd) {
  const std::lock_guard lock(mutex_);
  if (frozen_) return -EIO;
  if (const int error = on_sync(path_of(fd)); error != 0) return -error;
  if (!ignore_sync) unflushed_.erase(path_of(fd));
  return real_sync ? commitlog::Files().sync(fd) : 0;
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
      const std::uint64_t fate = random() % 3;
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
