#include "kernel/io/poller.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace gantry::io {
namespace {
constexpr int kKindShift = 56;
constexpr std::uint64_t kNameMask = (std::uint64_t{1} << kKindShift) - 1;

epoll_event encode(Ready kind, std::uint64_t name, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<std::uint64_t>(kind) << kKindShift | (name & kNameMask);
  return event;
}
}  // namespace

Poller::~Poller() {
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
}

Result<void> Poller::open() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return io_error("epoll_create1", errno);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return io_error("eventfd", errno);
  if (!add(wake_, Ready::kWakeUp, 0, EPOLLIN | EPOLLET)) return io_error("epoll_ctl", errno);
  return {};
}

bool Poller::add(int fd, Ready kind, std::uint64_t name, std::uint32_t events) {
  epoll_event event = encode(kind, name, events);
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, Ready kind, std::uint64_t name, std::uint32_t events) {
  epoll_event event = encode(kind, name, events);
  GANTRY_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::remove(int fd) {
  epoll_event event{};
  // The owner of a watched descriptor may have closed it first, which removed it.
  (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event);
}

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const int n = ::epoll_wait(epoll_, events_, kMaxEvents, timeout_ms);
  GANTRY_ASSERT(n >= 0 || errno == EINTR);
  return {events_, static_cast<std::size_t>(n < 0 ? 0 : n)};
}

ReadyEvent Poller::decode(const epoll_event &event) {
  return {static_cast<Ready>(event.data.u64 >> kKindShift), event.data.u64 & kNameMask, event.events};
}

void Poller::wake() {
  const std::uint64_t one = 1;
  GANTRY_ASSERT(::write(wake_, &one, sizeof one) == sizeof one);
}

}  // namespace gantry::io
