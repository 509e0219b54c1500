// The set of descriptors that a shard waits for: connections, listeners, watches, and its own wake-up. One system call waits and says what is ready.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <gantry++/result.hpp>
#include <span>

namespace gantry::io {

enum class Ready : std::uint8_t { kWakeUp, kConnection, kListener, kWatch };

// What an event says: whose it is and the 56-bit name under which it was added.
struct ReadyEvent {
  Ready kind;
  std::uint64_t name;
  std::uint32_t events;  // EPOLL*
};

class Poller {
 public:
  static constexpr int kMaxEvents = 256;

  Poller() = default;
  ~Poller();
  Poller(const Poller &) = delete;
  Poller &operator=(const Poller &) = delete;

  [[nodiscard]] Result<void> open();

  // Level-triggered unless `events` has EPOLLET. False: errno says why. [thread: the shard, or control while it does not run]
  [[nodiscard]] bool add(int fd, Ready kind, std::uint64_t name, std::uint32_t events);
  void change(int fd, Ready kind, std::uint64_t name, std::uint32_t events);
  void remove(int fd);

  // What is ready, at most kMaxEvents. Waits for something up to timeout_ms; 0 = not at all, below 0 = for ever.
  [[nodiscard]] std::span<const epoll_event> wait(int timeout_ms);
  [[nodiscard]] static ReadyEvent decode(const epoll_event &event);

  void wake();  // makes the set ready. [thread: any]

 private:
  int epoll_ = -1;
  int wake_ = -1;  // eventfd, edge-triggered: each write is an edge, so nobody needs to read it
  epoll_event events_[kMaxEvents];
};

}  // namespace gantry::io
