// The epoll loop under both kinds of load: sockets, requests in flight, end of the run.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/options.hpp"
#include "loadgen/tally.hpp"
#include "wire/socket.hpp"

namespace gantry::bench {

/// One request on its way.
struct InFlight {
  std::uint64_t start_ns = 0;  ///< when it was sent, or was due in an open loop
  std::int32_t opaque = 0;     ///< 0 = this slot is free
  std::uint32_t tag = 0;       ///< what the workload wants to know about it
};

/// Open requests by opaque number. Capacity is fixed; a number is not given out twice within it.
class InFlightTable {
 public:
  explicit InFlightTable(std::uint64_t capacity);
  [[nodiscard]] std::uint64_t size() const { return used_; }
  [[nodiscard]] bool is_full() const { return used_ == slots_.size(); }
  /// Registers a request and returns its opaque number. Requires !is_full().
  std::int32_t open(std::uint64_t start_ns, std::uint32_t tag);
  /// Removes and returns a request; empty when no such request is open.
  std::optional<InFlight> close(std::int32_t opaque);

 private:
  std::vector<InFlight> slots_;
  std::uint64_t mask_;
  std::uint64_t next_ = 0;
  std::uint64_t used_ = 0;
};

/// One reply as the workload sees it; views end with the call.
struct Reply {
  const HeaderView &header;
  std::string_view body;
  InFlight request;
  unsigned connection;
  std::uint64_t now_ns;
};

class Engine;

/// What is sent and how replies are judged. Called on the engine's one thread.
class Workload {
 public:
  virtual ~Workload() = default;
  /// Called once before the loop.
  virtual void begin(Engine &engine, std::uint64_t now_ns) = 0;
  virtual void on_reply(Engine &engine, const Reply &reply) = 0;
  /// Called after each round of events; an open loop sends here.
  virtual void on_tick(Engine &, std::uint64_t) {}
  /// True when nothing more will be sent.
  [[nodiscard]] virtual bool is_exhausted() const = 0;
  /// A descriptor that wakes the loop for on_tick, or -1.
  [[nodiscard]] virtual int wake_fd() const { return -1; }
};

/// Runs one workload over pipelined connections. One thread; use once.
class Engine {
 public:
  Engine(const Options &options, std::uint64_t capacity);

  /// Returns when the time is over or the workload is exhausted, and replies have come or the drain time passed.
  /// Throws BenchError when a connection breaks.
  void run(Workload &workload, Tally &tally);

  [[nodiscard]] bool is_stopping() const { return stopping_; }
  [[nodiscard]] const InFlightTable &in_flight() const { return in_flight_; }
  [[nodiscard]] std::uint64_t end_ns() const { return end_ns_; }

  /// Registers a request, queues its bytes on a connection and returns where they stand for patching;
  /// the opaque number is already patched at `opaque_at`.
  char *issue(unsigned connection, std::uint64_t start_ns, std::uint32_t tag, std::string_view head,
              std::string_view body, std::size_t opaque_at);

 private:
  void watch(int fd, std::uint64_t key);
  void wait(std::uint64_t until_ns, Workload &workload);
  void take_replies(unsigned connection, Workload &workload);
  void flush_dirty();
  [[nodiscard]] bool should_end(Workload &workload, std::uint64_t now_ns, std::uint64_t &until_ns);

  const Options &options_;
  std::vector<PipelinedConnection> connections_;
  std::vector<char> wants_write_;
  std::vector<char> is_dirty_;
  std::vector<unsigned> dirty_;
  InFlightTable in_flight_;
  Fd epoll_;
  Tally *tally_ = nullptr;
  bool stopping_ = false;
  std::uint64_t end_ns_ = 0;
  std::uint64_t drain_end_ns_ = 0;
};

}  // namespace gantry::bench
