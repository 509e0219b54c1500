// io_uring engine: one ring, submitted and reaped by the home shard, its eventfd watched by the shard's loop.
#include "io_engine.hpp"

#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace gantry::commitlog {

namespace {

constexpr unsigned kEntries = 4 * kMaxWritesInFlight;

class UringEngine final : public IoEngine {
 public:
  ~UringEngine() override {
    if (ring_ready_) io_uring_queue_exit(&ring_);
    if (event_fd_ >= 0) ::close(event_fd_);
  }

  Result<void> init() {
    struct Attempt {
      unsigned flags;
      const char *text;
    };
    // The ring is made on the control thread and used on the shard: R_DISABLED lets the first submitter become its owner.
    const Attempt attempts[] = {
        {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED, "deferred task run"},
        {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED, "cooperative task run"},
        {IORING_SETUP_R_DISABLED, "plain"},
    };
    int rc = -ENOSYS;
    for (const Attempt &attempt : attempts) {
      rc = io_uring_queue_init(kEntries, &ring_, attempt.flags);
      if (rc == 0) {
        mode_ = attempt.text;
        ring_ready_ = true;
        break;
      }
      if (rc != -EINVAL) break;
    }
    if (rc != 0) return Error{GANTRY_E_UNSUPPORTED, std::string("io_uring_setup: ") + std::strerror(-rc), -rc};
    event_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd_ < 0) return io_error("eventfd", errno);
    rc = io_uring_register_eventfd(&ring_, event_fd_);
    if (rc != 0) return Error{GANTRY_E_UNSUPPORTED, std::string("io_uring eventfd: ") + std::strerror(-rc), -rc};
    return {};
  }

  int event_fd() const override { return event_fd_; }

  void submit(std::span<const WriteOp> ops) override {
    if (!enabled_ && !enable()) {
      for (const WriteOp &op : ops) refuse(op.cookie, enable_error_);
      return;
    }
    for (const WriteOp &op : ops) {
      io_uring_sqe *sqe = io_uring_get_sqe(&ring_);
      GANTRY_ASSERT(sqe != nullptr);  // kEntries > kMaxWritesInFlight
      io_uring_prep_write(sqe, op.fd, op.data, op.bytes, op.file_off);
      sqe->rw_flags = op.dsync ? RWF_DSYNC : 0;
      sqe->user_data = op.cookie;
    }
    // Also runs pending completion work, so that a busy shard seldom needs a wake-up of its own.
    int rc = io_uring_submit_and_get_events(&ring_);
    while (rc == -EINTR || rc == -EAGAIN || rc == -EBUSY) rc = io_uring_submit_and_get_events(&ring_);
    GANTRY_ASSERT(rc >= 0);  // the ring itself is broken; entries left in it could be written at any later time
  }

  std::size_t reap(std::span<WriteDone> out) override {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(event_fd_, &count, sizeof count);
    std::size_t found = 0;
    while (!refused_.empty() && found < out.size()) {
      out[found++] = refused_.back();
      refused_.pop_back();
    }
    if (!enabled_) return found;
    // The kernel signals the descriptor only when its list of finished work was empty: having cleared it, this list must be emptied, whether
    // or not entries are waiting in the ring already.
    if ((*ring_.sq.kflags & IORING_SQ_TASKRUN) != 0 || io_uring_cq_ready(&ring_) == 0) (void)io_uring_get_events(&ring_);
    io_uring_cqe *cqe = nullptr;
    while (found < out.size() && io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
      out[found++] = {cqe->user_data, cqe->res};
      io_uring_cqe_seen(&ring_, cqe);
    }
    return found;
  }

  std::string description() const override { return std::string("io_uring (") + mode_ + ")"; }

 private:
  bool enable() {
    // By hand: Debian 12's liburing declares io_uring_enable_rings and does not export it.
    const long rc = ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    enable_error_ = rc == 0 ? 0 : -errno;
    enabled_ = rc == 0;
    return enabled_;
  }

  void refuse(std::uint64_t cookie, int error) {
    refused_.push_back({cookie, error});
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(event_fd_, &one, sizeof one);
  }

  io_uring ring_{};
  bool ring_ready_ = false, enabled_ = false;
  int enable_error_ = 0;
  int event_fd_ = -1;
  const char *mode_ = "";
  std::vector<WriteDone> refused_;
};

}  // namespace

Result<std::unique_ptr<IoEngine>> make_uring_engine() {
  auto engine = std::make_unique<UringEngine>();
  GANTRY_TRY(engine->init());
  return std::unique_ptr<IoEngine>(std::move(engine));
}

}  // namespace gantry::commitlog
