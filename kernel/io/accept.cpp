// Accepting on shard 0 and handing each connection to the shard that has the fewest.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/io/listen.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {
constexpr int kAcceptsPerTurn = 64;
constexpr std::int64_t kBackOffMs = 100;
constexpr std::int64_t kLogEveryMs = 5'000;

struct Accepted {  // on its way to another shard
  int fd;
  Origin *origin;
  std::uint32_t listener;
  Endpoint peer;

  static void arrive(void *arg) noexcept {
    const std::unique_ptr<Accepted> self(static_cast<Accepted *>(arg));
    Shard::current()->adopt(self->fd, *self->origin, self->listener, self->peer);
  }
};
}  // namespace

Acceptor::Acceptor(Origin &origin, std::uint32_t listener, int fd, std::string address)
    : origin_(origin), listener_(listener), address_(std::move(address)), fd_(fd) {}

Acceptor::~Acceptor() {
  if (fd_ >= 0) ::close(fd_);
}

// Edge-triggered: while accepting fails and is tried again later, connections that wait must not wake the shard over and over.
void Acceptor::start(Shard &shard) {
  if (stopped_) return;
  if (!shard.await_connections(fd_, *this)) log_error("io", "cannot accept on ", address_, ": ", std::strerror(errno));
}

void Acceptor::stop() {
  stopped_ = true;
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Acceptor::accept_some(Shard &shard) {
  if (stopped_) return;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t bytes = sizeof address;
    const int fd = ::accept4(fd_, reinterpret_cast<sockaddr *>(&address), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      place(shard, fd, Endpoint::of(address));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) back_off(shard, errno);
    return;
  }
  shard.acceptor_ready(*this);  // there may be more
}

void Acceptor::place(Shard &shard, int fd, const Endpoint &peer) {
  ShardSetInner &set = shard.set;
  if (origin_.connections.fetch_add(1, std::memory_order_relaxed) >= origin_.max_connections) {
    origin_.connections.fetch_sub(1, std::memory_order_relaxed);
    shard.count(Count::kRefused);
    ++refused_;
    log_refusals(shard);
    ::close(fd);
    return;
  }
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  shard.count(Count::kAccepted);
  Shard *least = set.shards[next_shard_++ % set.shards.size()].get();
  for (const auto &other : set.shards)
    if (other->load.load(std::memory_order_relaxed) < least->load.load(std::memory_order_relaxed)) least = other.get();
  least->load.fetch_add(1, std::memory_order_relaxed);
  if (least == &shard) return shard.adopt(fd, origin_, listener_, peer);
  auto accepted = std::make_unique<Accepted>(Accepted{fd, &origin_, listener_, peer});
  if (least->post({&Accepted::arrive, accepted.get()})) {
    (void)accepted.release();
    return;
  }
  least->load.fetch_sub(1, std::memory_order_relaxed);
  origin_.connections.fetch_sub(1, std::memory_order_relaxed);
  ::close(fd);
}

void Acceptor::log_refusals(Shard &shard) {
  if (refusals_logged_ms_ != 0 && shard.now_ms() - refusals_logged_ms_ < kLogEveryMs) return;
  refusals_logged_ms_ = shard.now_ms();
  log_warn("io", "listener ", address_, ": ", refused_, " connections refused so far, ", origin_.max_connections,
           " are open; raise max_connections or look for clients that do not close");
}

void Acceptor::back_off(Shard &shard, int error) {
  if (failure_logged_ms_ == 0 || shard.now_ms() - failure_logged_ms_ >= kLogEveryMs) {
    failure_logged_ms_ = shard.now_ms();
    log_error("io", "listener ", address_, ": cannot accept: ", std::strerror(error),
              error == EMFILE || error == ENFILE ? "; raise the limit of file descriptors (ulimit -n)" : "", "; trying again");
  }
  struct Retry {
    static void run(void *arg) noexcept {
      auto *self = static_cast<Acceptor *>(arg);
      self->retry_timer_ = 0;
      if (!self->stopped_) Shard::current()->acceptor_ready(*self);
    }
  };
  if (retry_timer_ == 0) retry_timer_ = shard.arm(kBackOffMs, &Retry::run, this);
}

}  // namespace gantry::io
