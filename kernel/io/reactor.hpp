// Asio's part of a shard: the io_context it sleeps in, which waits for the poller, for listeners, and for one timer.
#pragma once

#include <utility>  // Asio 1.81 needs it before its own headers in C++20

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>

#include "kernel/io/timers.hpp"

namespace gantry::io {

struct Reactor {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  boost::asio::posix::stream_descriptor poller{context};  // over Poller's descriptor, which stays Poller's
  boost::asio::steady_timer timer{context};
  bool poller_awaited = false;
  bool poller_ready = false;
  std::int64_t timer_deadline_ms = Timers::kNever;  // for which `timer` is set

  explicit Reactor(int poller_fd) { poller.assign(poller_fd); }
  ~Reactor() { poller.release(); }

  void await_poller() {
    if (std::exchange(poller_awaited, true)) return;
    poller.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code &) {
      poller_awaited = false;
      poller_ready = true;
    });
  }
  // Sets the timer only when it must fire earlier than it would: each setting is a system call, firing too early is a turn for nothing.
  void await_deadline(std::int64_t deadline_ms) {
    if (deadline_ms >= timer_deadline_ms) return;
    timer_deadline_ms = deadline_ms;
    timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::milliseconds(deadline_ms)));
    timer.async_wait([this](const boost::system::error_code &error) {
      if (!error) timer_deadline_ms = Timers::kNever;
    });
  }
};

}  // namespace gantry::io
