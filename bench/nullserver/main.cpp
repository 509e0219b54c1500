// gantry-nullserver: answers remoting requests with prepared replies and stores nothing.
//
// What a load generator reaches against it is the limit of sockets, wake-ups and the generator on this machine.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <unordered_map>

#include "nullserver/replies.hpp"
#include "wire/socket.hpp"

namespace {

using namespace gantry::bench;

constexpr std::size_t kScratchSize = 256 * 1024;
/// A client that does not read its replies is cut off at this much unsent output.
constexpr std::size_t kMaxOutput = 256u << 20;

/// One client: the incomplete tail of its input and what could not be sent yet.
struct Client {
  Fd socket;
  std::string input;
  std::string output;
  std::size_t sent = 0;
  bool wants_write = false;
};

[[noreturn]] void fail(const std::string &what) { throw BenchError(what + ": " + std::strerror(errno)); }

class Server {
 public:
  explicit Server(const ReplyOptions &options) : replies_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_.get() < 0) fail("cannot make an epoll set");
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    stop_ = Fd(signalfd(-1, &stop, SFD_CLOEXEC));
    control(EPOLL_CTL_ADD, stop_.get(), EPOLLIN);
  }

  std::uint16_t listen_on(std::uint16_t port) {
    listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 1024) != 0) {
      fail("cannot listen on 127.0.0.1:" + std::to_string(port));
    }
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr *>(&address), &size);
    control(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
    return ntohs(address.sin_port);
  }

  /// Serves until SIGINT or SIGTERM.
  void run() {
    std::array<epoll_event, 256> events;
    while (true) {
      const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      if (n < 0 && errno != EINTR) fail("cannot wait for events");
      for (int i = 0; i < n; ++i) {
        const epoll_event &event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == stop_.get()) return;
        if (event.data.fd == listener_.get()) {
          accept_all();
        } else {
          serve(event.data.fd, event.events);
        }
      }
    }
  }

 private:
  void control(int operation, int fd, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (epoll_ctl(epoll_.get(), operation, fd, &event) != 0) fail("cannot watch a descriptor");
  }

  void accept_all() {
    while (true) {
      Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket.get() < 0) return;
      const int on = 1;
      setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      control(EPOLL_CTL_ADD, socket.get(), EPOLLIN);
      const int fd = socket.get();
      clients_[fd].socket = std::move(socket);
    }
  }

  void serve(int fd, std::uint32_t what) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    Client &client = found->second;
    bool alive = true;
    if (what & ~static_cast<std::uint32_t>(EPOLLOUT)) alive = receive(client);
    if (alive) alive = flush(client);
    if (!alive) clients_.erase(found);
  }

  /// False when the client is to be dropped.
  bool receive(Client &client) {
    const ssize_t n = recv(client.socket.get(), scratch_.data(), scratch_.size(), 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    std::string_view bytes(scratch_.data(), static_cast<std::size_t>(n));
    if (!client.input.empty()) {
      client.input += bytes;
      bytes = client.input;
    }
    FrameView frame;
    FrameStatus status;
    while ((status = cut_frame(bytes, frame)) == FrameStatus::kWhole) {
      if (!replies_.answer(frame, client.output)) return false;
      bytes.remove_prefix(frame.size);
    }
    if (status == FrameStatus::kBroken) return false;
    client.input = std::string(bytes);
    return client.output.size() - client.sent <= kMaxOutput;
  }

  bool flush(Client &client) {
    while (client.sent < client.output.size()) {
      const ssize_t n = send(client.socket.get(), client.output.data() + client.sent,
                             client.output.size() - client.sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) return false;
      if (n < 0) break;
      client.sent += static_cast<std::size_t>(n);
    }
    const bool blocked = client.sent < client.output.size();
    if (!blocked) {
      client.output.clear();
      client.sent = 0;
    }
    if (blocked != client.wants_write) {
      client.wants_write = blocked;
      control(EPOLL_CTL_MOD, client.socket.get(), blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
  }

  Replies replies_;
  Fd epoll_;
  Fd stop_;
  Fd listener_;
  std::unordered_map<int, Client> clients_;
  std::array<char, kScratchSize> scratch_;
};

}  // namespace

int main(int argc, char **argv) {
  CLI::App app{"Answers remoting requests without storing anything, on 127.0.0.1. Ends on SIGINT or SIGTERM."};
  ReplyOptions options;
  std::uint16_t port = 0;
  app.add_option("--port", port, "port, 0 = any free one; it is printed")->capture_default_str();
  app.add_option("--refuse-code", options.refuse_code, "response code of refused sends, 2 = busy")
      ->capture_default_str();
  app.add_option("--refuse-every", options.refuse_every, "refuse every n-th send, 0 = none")->capture_default_str();
  app.add_flag("--refuse-admin", options.refuse_admin, "do not know UPDATE_AND_CREATE_TOPIC");
  app.add_option("--pull-messages", options.pull_messages, "messages per pull, 0 = answer 'not found'")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--pull-size", options.pull_size, "body bytes of each of them")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    Server server(options);
    std::cout << "listening on 127.0.0.1:" << server.listen_on(port) << std::endl;
    server.run();
    return 0;
  } catch (const BenchError &error) {
    std::cerr << "gantry-nullserver: " << error.what() << '\n';
    return 3;
  }
}
