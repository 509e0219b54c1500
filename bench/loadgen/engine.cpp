#include "loadgen/engine.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "wire/clock.hpp"

namespace gantry::bench {

namespace {

constexpr std::uint64_t kWakeKey = ~0ull;
/// Opaque numbers repeat after this many requests; a power of two, so that slots follow from the number.
constexpr std::uint64_t kOpaquePeriod = 1ull << 30;
static_assert(kFirstOpaque + (kOpaquePeriod - 1) <= 0x7fffffff);

std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

}  // namespace

InFlightTable::InFlightTable(std::uint64_t capacity)
    : slots_(std::bit_ceil(std::max<std::uint64_t>(capacity, 2))), mask_(slots_.size() - 1) {}

std::int32_t InFlightTable::open(std::uint64_t start_ns, std::uint32_t tag) {
  while (slots_[next_ & mask_].opaque != 0) ++next_;
  const auto opaque = static_cast<std::int32_t>(kFirstOpaque + (next_ & (kOpaquePeriod - 1)));
  slots_[next_ & mask_] = {start_ns, opaque, tag};
  ++next_;
  ++used_;
  return opaque;
}

std::optional<InFlight> InFlightTable::close(std::int32_t opaque) {
  if (opaque < kFirstOpaque) return std::nullopt;
  InFlight &slot = slots_[static_cast<std::uint64_t>(opaque - kFirstOpaque) & mask_];
  if (slot.opaque != opaque) return std::nullopt;
  const InFlight found = slot;
  slot.opaque = 0;
  --used_;
  return found;
}

Engine::Engine(const Options &options, std::uint64_t capacity)
    : options_(options),
      wants_write_(options.connections),
      is_dirty_(options.connections),
      in_flight_(capacity),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) throw BenchError(std::string("cannot make an epoll set: ") + std::strerror(errno));
  connections_.reserve(options.connections);
  for (unsigned i = 0; i < options.connections; ++i) {
    connections_.emplace_back(options.broker);
    watch(connections_[i].fd(), i);
  }
}

void Engine::watch(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw BenchError(std::string("cannot watch a descriptor: ") + std::strerror(errno));
  }
}

char *Engine::issue(unsigned connection, std::uint64_t start_ns, std::uint32_t tag, std::string_view head,
                    std::string_view body, std::size_t opaque_at) {
  const std::int32_t opaque = in_flight_.open(start_ns, tag);
  char *frame = connections_[connection].append(head, body);
  patch_opaque(frame, opaque_at, options_.header, opaque);
  ++tally_->requests;
  if (!is_dirty_[connection]) {
    is_dirty_[connection] = 1;
    dirty_.push_back(connection);
  }
  return frame;
}

void Engine::flush_dirty() {
  for (const unsigned i : dirty_) {
    is_dirty_[i] = 0;
    connections_[i].flush();
    const bool blocked = connections_[i].has_output();
    if (blocked == static_cast<bool>(wants_write_[i])) continue;
    epoll_event event{};
    event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connections_[i].fd(), &event);
    wants_write_[i] = blocked;
  }
  dirty_.clear();
}

void Engine::take_replies(unsigned connection, Workload &workload) {
  connections_[connection].receive();
  const std::uint64_t now_ns = monotonic_ns();
  connections_[connection].for_each_frame([&](const FrameView &frame) {
    HeaderView header;
    if (!parse_header(frame, header)) throw BenchError("unreadable header from " + options_.broker.text());
    if (!header.is_response()) return;
    const auto request = in_flight_.close(header.opaque);
    if (!request) {
      throw BenchError(options_.broker.text() + " answered opaque " + std::to_string(header.opaque) +
                       ", which is not open");
    }
    tally_->last_reply_ns = now_ns;
    workload.on_reply(*this, Reply{header, frame.body, *request, connection, now_ns});
  });
}

void Engine::wait(std::uint64_t until_ns, Workload &workload) {
  std::array<epoll_event, 256> events;
  const std::uint64_t now_ns = monotonic_ns();
  const std::uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
  const timespec timeout{static_cast<time_t>(left_ns / 1'000'000'000u), static_cast<long>(left_ns % 1'000'000'000u)};
  const int n = epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (n < 0 && errno != EINTR) throw BenchError(std::string("cannot wait for events: ") + std::strerror(errno));
  for (int i = 0; i < n; ++i) {
    if (events[static_cast<std::size_t>(i)].data.u64 == kWakeKey) continue;
    const auto connection = static_cast<unsigned>(events[static_cast<std::size_t>(i)].data.u64);
    if (events[static_cast<std::size_t>(i)].events & EPOLLOUT && !is_dirty_[connection]) {
      is_dirty_[connection] = 1;
      dirty_.push_back(connection);
    }
    if (events[static_cast<std::size_t>(i)].events & ~static_cast<std::uint32_t>(EPOLLOUT)) {
      take_replies(connection, workload);
    }
  }
}

bool Engine::should_end(Workload &workload, std::uint64_t now_ns, std::uint64_t &until_ns) {
  if (!stopping_ && (now_ns >= end_ns_ || workload.is_exhausted())) {
    // Arrivals that fell due while the last events were handled still belong to the run.
    workload.on_tick(*this, now_ns);
    flush_dirty();
    stopping_ = true;
    drain_end_ns_ = now_ns + to_ns(options_.drain_s);
  }
  until_ns = stopping_ ? drain_end_ns_ : end_ns_;
  return stopping_ && (in_flight_.size() == 0 || now_ns >= drain_end_ns_);
}

void Engine::run(Workload &workload, Tally &tally) {
  tally_ = &tally;
  if (workload.wake_fd() >= 0) watch(workload.wake_fd(), kWakeKey);
  const std::uint64_t cpu_before_us = own_cpu_us();
  tally.started_ns = monotonic_ns();
  end_ns_ = tally.started_ns + to_ns(options_.duration_s);
  workload.begin(*this, tally.started_ns);
  flush_dirty();
  std::uint64_t until_ns = 0;
  while (!should_end(workload, monotonic_ns(), until_ns)) {
    wait(until_ns, workload);
    if (!stopping_) workload.on_tick(*this, monotonic_ns());
    flush_dirty();
  }
  tally.unanswered = in_flight_.size();
  tally.cpu_us = own_cpu_us() - cpu_before_us;
}

}  // namespace gantry::bench
