// The set of descriptors whose readiness is looked at in one system call: connections, watches, and the wake-up of the shard.
//
// Asio waits for a descriptor by an epoll_ctl per wait and runs its reactor twice per round. So a shard puts the many descriptors of
// the data path into a set of its own, and the set, which is itself a descriptor, into the io_context that the shard sleeps in.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <gantry++/result.hpp>
#include <span>

namespace gantry::io {

enum class Ready : std::uint8_t { kWakeUp, kConnection, kWatch };

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
  [[nodiscard]] int fd() const { return epoll_; }

  // All level-triggered. False: errno says why. [thread: the shard, or control while it does not run]
  [[nodiscard]] bool add(int fd, Ready kind, std::uint64_t name, std::uint32_t events);
  void change(int fd, Ready kind, std::uint64_t name, std::uint32_t events);
  void remove(int fd);

  // What is ready now, without waiting; at most kMaxEvents.
  [[nodiscard]] std::span<const epoll_event> poll();
  [[nodiscard]] static ReadyEvent decode(const epoll_event &event);

  void wake();  // makes the set ready. [thread: any]

 private:
  int epoll_ = -1;
  int wake_ = -1;  // eventfd, edge-triggered: each write is an edge, so nobody needs to read it
  epoll_event events_[kMaxEvents];
};

}  // namespace gantry::io
