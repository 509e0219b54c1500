// TCP sockets to a broker: one that waits (set-up calls) and one that pipelines (the load itself).
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/frame.hpp"

namespace gantry::bench {

/// Something that makes a measurement impossible: no connection, broken frames, a refused topic.
/// Tools print what() and exit with 3.
struct BenchError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Host name or address, and port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;

  /// Parses `HOST:PORT` (`[::1]:PORT` for IPv6). Throws BenchError.
  static Endpoint parse(const std::string &text);
  [[nodiscard]] std::string text() const { return host + ":" + std::to_string(port); }
};

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd &operator=(Fd &&other) noexcept;
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// Connects and sets TCP_NODELAY. Blocking; waits as long as the kernel does. Throws BenchError.
[[nodiscard]] Fd connect_to(const Endpoint &endpoint);

/// One response with storage of its own.
struct Response {
  int code = -1;
  std::string remark;
  std::string body;
};

/// One request at a time over a blocking socket, for creating topics and registering groups.
class BlockingClient {
 public:
  /// Every receive and send gives up after `timeout_s` seconds. Throws BenchError.
  BlockingClient(const Endpoint &endpoint, HeaderType type, int timeout_s);

  /// Sends one request and returns its response; requests from the broker that arrive meanwhile are skipped.
  /// Throws BenchError when the connection fails, closes or times out.
  Response call(RequestCode code, const Fields &fields, std::string_view body);

 private:
  std::string where_;
  HeaderType type_;
  Fd socket_;
  std::string received_;
  std::int32_t next_opaque_ = kFirstOpaque;
};

/// A non-blocking connection with an output queue and a receive buffer. One thread.
class PipelinedConnection {
 public:
  explicit PipelinedConnection(const Endpoint &endpoint);

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool has_output() const { return sent_ < output_.size(); }

  /// Appends bytes to the output queue and returns where they stand, for patching before the next flush.
  char *append(std::string_view first, std::string_view second);

  /// Sends what the socket takes. Throws BenchError when the peer is gone.
  void flush();

  /// One recv(). Throws BenchError when the peer closed the connection.
  void receive();

  /// Calls handle(FrameView) for every whole frame received. Throws BenchError on broken frames.
  template <class Handle>
  void for_each_frame(Handle handle) {
    FrameView frame;
    while (true) {
      const FrameStatus status = cut_frame(pending(), frame);
      if (status == FrameStatus::kIncomplete) break;
      if (status == FrameStatus::kBroken) throw BenchError("broken frame from " + where_);
      handle(frame);
      begin_ += frame.size;
    }
    compact();
  }

 private:
  [[nodiscard]] std::string_view pending() const { return {input_.data() + begin_, end_ - begin_}; }
  void compact();

  std::string where_;
  Fd socket_;
  std::string output_;
  std::size_t sent_ = 0;
  std::vector<char> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace gantry::bench
