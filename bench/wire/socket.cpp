#include "wire/socket.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace gantry::bench {

namespace {

constexpr std::size_t kFirstInputSize = 256 * 1024;
constexpr std::size_t kTrimOutputAt = 1024 * 1024;

std::string errno_text() { return std::strerror(errno); }

void set_timeout(int fd, int timeout_s) {
  const timeval limit{.tv_sec = timeout_s, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Endpoint Endpoint::parse(const std::string &text) {
  const std::size_t colon = text.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : to_integer(std::string_view(text).substr(colon + 1));
  if (!port || *port < 1 || *port > 65535 || colon == 0) {
    throw BenchError("'" + text + "' is not HOST:PORT, for example 127.0.0.1:10911");
  }
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {host, static_cast<std::uint16_t>(*port)};
}

Fd &Fd::operator=(Fd &&other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd connect_to(const Endpoint &endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  const int failed = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (failed != 0) throw BenchError("cannot resolve " + endpoint.text() + ": " + gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) throw BenchError("cannot make a socket: " + errno_text());
  if (connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0) {
    throw BenchError("cannot connect to " + endpoint.text() + ": " + errno_text());
  }
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

BlockingClient::BlockingClient(const Endpoint &endpoint, HeaderType type, int timeout_s)
    : where_(endpoint.text()), type_(type), socket_(connect_to(endpoint)) {
  set_timeout(socket_.get(), timeout_s);
}

Response BlockingClient::call(RequestCode code, const Fields &fields, std::string_view body) {
  const std::int32_t opaque = next_opaque_++;
  const BuiltFrame request = build_request(type_, code, opaque, fields, body);
  for (std::size_t sent = 0; sent < request.bytes.size();) {
    const ssize_t n = send(socket_.get(), request.bytes.data() + sent, request.bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0) throw BenchError("cannot send to " + where_ + ": " + errno_text());
    sent += static_cast<std::size_t>(n);
  }
  while (true) {
    FrameView frame;
    const FrameStatus status = cut_frame(received_, frame);
    if (status == FrameStatus::kBroken) throw BenchError("broken frame from " + where_);
    if (status == FrameStatus::kWhole) {
      HeaderView header;
      if (!parse_header(frame, header)) throw BenchError("unreadable header from " + where_);
      Response response{header.code, std::string(header.remark), std::string(frame.body)};
      const bool wanted = header.is_response() && header.opaque == opaque;
      received_.erase(0, frame.size);
      if (wanted) return response;
      continue;
    }
    char chunk[16 * 1024];
    const ssize_t n = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (n == 0) {
      throw BenchError(where_ + " closed the connection on request code " + std::to_string(static_cast<int>(code)));
    }
    if (n < 0) {
      throw BenchError("no answer from " + where_ + " to request code " + std::to_string(static_cast<int>(code)) +
                       ": " + errno_text());
    }
    received_.append(chunk, static_cast<std::size_t>(n));
  }
}

PipelinedConnection::PipelinedConnection(const Endpoint &endpoint)
    : where_(endpoint.text()), socket_(connect_to(endpoint)), input_(kFirstInputSize) {
  const int flags = fcntl(socket_.get(), F_GETFL);
  if (flags < 0 || fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw BenchError("cannot make the socket non-blocking: " + errno_text());
  }
}

char *PipelinedConnection::append(std::string_view first, std::string_view second) {
  const std::size_t at = output_.size();
  output_ += first;
  output_ += second;
  return output_.data() + at;
}

void PipelinedConnection::flush() {
  while (has_output()) {
    const ssize_t n = send(fd(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (sent_ > kTrimOutputAt) {
          output_.erase(0, sent_);
          sent_ = 0;
        }
        return;
      }
      if (errno == EINTR) continue;
      throw BenchError("cannot send to " + where_ + ": " + errno_text());
    }
    sent_ += static_cast<std::size_t>(n);
  }
  output_.clear();
  sent_ = 0;
}

void PipelinedConnection::receive() {
  if (end_ == input_.size()) input_.resize(input_.size() * 2);
  const ssize_t n = recv(fd(), input_.data() + end_, input_.size() - end_, 0);
  if (n > 0) {
    end_ += static_cast<std::size_t>(n);
  } else if (n == 0) {
    throw BenchError(where_ + " closed the connection");
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    throw BenchError("cannot receive from " + where_ + ": " + errno_text());
  }
}

void PipelinedConnection::compact() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
}

}  // namespace gantry::bench
