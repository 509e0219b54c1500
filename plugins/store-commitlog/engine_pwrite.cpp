// Thread engine: one writer thread with pwritev2. Runs where io_uring is refused, and is what ThreadSanitizer can see into.
#include "io_engine.hpp"

#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace gantry::commitlog {

namespace {

class PwriteEngine final : public IoEngine {
 public:
  explicit PwriteEngine(std::string reason) : reason_(std::move(reason)) {}

  ~PwriteEngine() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    if (event_fd_ >= 0) ::close(event_fd_);
  }

  Result<void> init() {
    event_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd_ < 0) return io_error("eventfd", errno);
    return {};
  }

  int event_fd() const override { return event_fd_; }

  void submit(std::span<const WriteOp> ops) override {
    {
      const std::lock_guard lock(mutex_);
      waiting_.insert(waiting_.end(), ops.begin(), ops.end());
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    wake_.notify_one();
  }

  std::size_t reap(std::span<WriteDone> out) override {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(event_fd_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    while (!done_.empty() && found < out.size()) {
      out[found++] = done_.front();
      done_.pop_front();
    }
    return found;
  }

  std::string description() const override { return reason_.empty() ? "pwrite thread" : "pwrite thread (" + reason_ + ")"; }

 private:
  static std::int64_t write_one(const WriteOp &op) {
    const iovec part{const_cast<std::uint8_t *>(op.data), op.bytes};
    for (;;) {
      const ssize_t n = ::pwritev2(op.fd, &part, 1, static_cast<off_t>(op.file_off), op.dsync ? RWF_DSYNC : 0);
      if (n >= 0) return n;
      if (errno == EINTR) continue;
      if (errno != EOPNOTSUPP || !op.dsync) return -errno;
      // No RWF_DSYNC here: the same promise in two calls.
      const ssize_t plain = ::pwrite(op.fd, op.data, op.bytes, static_cast<off_t>(op.file_off));
      if (plain < 0) return -errno;
      return ::fdatasync(op.fd) == 0 ? plain : -errno;
    }
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const WriteOp op = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      const std::int64_t result = write_one(op);
      lock.lock();
      done_.push_back({op.cookie, result});
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t n = ::write(event_fd_, &one, sizeof one);
    }
  }

  const std::string reason_;
  int event_fd_ = -1;
  std::mutex mutex_;  // everything below
  std::condition_variable wake_;
  std::deque<WriteOp> waiting_;
  std::deque<WriteDone> done_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<IoEngine>> make_pwrite_engine(const std::string &reason) {
  auto engine = std::make_unique<PwriteEngine>(reason);
  GANTRY_TRY(engine->init());
  return std::unique_ptr<IoEngine>(std::move(engine));
}

}  // namespace gantry::commitlog
