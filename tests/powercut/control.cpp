#include "control.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

namespace gantry::test::powercut {

namespace {
std::string cut(World &world, std::istringstream &in, const std::string &log_path) {
  std::uint64_t seed = 0, after = 0, at_most_ms = 0;
  if (!(in >> seed >> after >> at_most_ms)) return "error: cut SEED AFTER AT_MOST_MS";
  const CutReport report = world.power.cut(seed, after, std::chrono::milliseconds(at_most_ms));
  if (!log_path.empty()) {
    std::ofstream log(log_path, std::ios::app);
    log << "cut with seed " << seed << '\n';
    for (const std::string &line : report.lines) log << "  " << line << '\n';
  }
  std::ostringstream out;
  out << "kept " << report.kept << " dropped " << report.dropped << " torn " << report.torn << " names_kept " << report.names_kept << " names_dropped " << report.names_dropped;
  return out.str();
}

std::string rule(World &world, std::istringstream &in) {
  std::string op, error;
  Rule wanted;
  if (!(in >> op >> wanted.pattern >> wanted.nth >> wanted.count >> error >> wanted.delay_ms)) return "error: rule OP PATTERN NTH COUNT ERROR DELAY_MS";
  if (!parse_op(op, &wanted.op)) return "error: no operation " + op;
  wanted.error = error == "EIO" ? EIO : error == "ENOSPC" ? ENOSPC : error == "EDQUOT" ? EDQUOT : 0;
  if (wanted.error == 0 && error != "0") return "error: EIO, ENOSPC, EDQUOT or 0, not " + error;
  world.faults.add(std::move(wanted));
  return "ok";
}

std::string counts(World &world) {
  std::ostringstream out;
  out << "changes " << world.power.changes() << " writes " << world.writes << " flushing_writes " << world.flushing_writes << " flushes " << world.flushes << " name_flushes "
      << world.name_flushes << " direct_opens " << world.direct_opens << " used " << world.disk.used();
  return out.str();
}
}  // namespace

std::string obey(World &world, const std::string &line, const std::string &log_path) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  if (word == "cut") return cut(world, in, log_path);
  if (word == "rule") return rule(world, in);
  if (word == "counts") return counts(world);
  if (word == "met") return std::to_string(world.faults.met());
  if (word == "restore") {
    world.power.restore();
  } else if (word == "clear") {
    world.faults.clear();
  } else if (word == "lie") {
    world.lies = true;
  } else if (word == "forget-failed") {
    world.disk.show_what_failed_flushes_left();
  } else if (std::uint64_t size = 0; word == "size" && in >> size) {
    world.disk.resize(size);
  } else {
    return "error: what is \"" + line + "\"?";
  }
  return "ok";
}

Control::Control(World &world, std::string path, std::string log_path) : world_(world), path_(std::move(path)), log_path_(std::move(log_path)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  (void)::unlink(path_.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return;
  if (::bind(listener_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 || ::listen(listener_, 8) != 0) {
    ::close(listener_);
    listener_ = -1;
    return;
  }
  // Signals are for the thread that serves.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Control::~Control() {
  if (listener_ < 0) return;
  (void)::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  (void)::unlink(path_.c_str());
}

void Control::run() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    talk(fd);
    ::close(fd);
  }
}

void Control::talk(int fd) {
  std::string got;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    got.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = got.find('\n')) != std::string::npos; got.erase(0, end + 1)) {
      const std::string reply = obey(world_, got.substr(0, end), log_path_) + "\n";
      if (::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
    }
  }
}

}  // namespace gantry::test::powercut
