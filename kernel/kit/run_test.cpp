#include "kernel/kit/run_test.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace gantry::kit {
namespace {

constexpr std::size_t kOutputKept = 4000;
int verdict_fd = -1;  // in the child

[[noreturn]] void end(char verdict, const std::string &text) {
  const std::string whole = verdict + text;
  std::size_t done = 0;
  while (done < whole.size()) {
    const ssize_t n = ::write(verdict_fd, whole.data() + done, whole.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  std::fflush(nullptr);
  ::_exit(0);
}

Outcome broken(const std::string &what) { return {Outcome::kFailed, what + ": " + std::strerror(errno), {}}; }

// Appends what is there; false at the end.
bool take(int fd, std::string &to) {
  char buffer[4096];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  to.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

std::string signal_text(int signal) {
  const char *name = ::sigdescr_np(signal);
  return "signal " + std::to_string(signal) + (name == nullptr ? "" : std::string(" (") + name + ")");
}

Outcome judge(int status, bool late, int timeout_ms, const std::string &verdict) {
  if (late) return {Outcome::kFailed, "did not end within " + std::to_string(timeout_ms) + " ms", {}};
  if (WIFSIGNALED(status)) return {Outcome::kFailed, "the process was ended by " + signal_text(WTERMSIG(status)), {}};
  if (verdict.empty()) return {Outcome::kFailed, "the process left with exit code " + std::to_string(WEXITSTATUS(status)) + " in the middle of the test", {}};
  const std::string text = verdict.substr(1);
  switch (verdict[0]) {
    case 'p': return {Outcome::kPassed, text, {}};
    case 's': return {Outcome::kSkipped, text, {}};
    default: return {Outcome::kFailed, text, {}};
  }
}

}  // namespace

void fail(const std::string &text) { end('f', text); }
void skip(const std::string &text) { end('s', text); }
void pass(const std::string &text) { end('p', text); }

Outcome run_in_process(const std::function<void()> &run, int timeout_ms) {
  int verdict_pipe[2], output_pipe[2];
  if (::pipe(verdict_pipe) != 0) return broken("no pipe for the test");
  if (::pipe(output_pipe) != 0) {
    for (const int fd : verdict_pipe) ::close(fd);
    return broken("no pipe for the test");
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(verdict_pipe[0]);
    ::close(output_pipe[0]);
    ::dup2(output_pipe[1], STDOUT_FILENO);
    ::dup2(output_pipe[1], STDERR_FILENO);
    ::close(output_pipe[1]);
    verdict_fd = verdict_pipe[1];
    run();
    pass("");
  }
  ::close(verdict_pipe[1]);
  ::close(output_pipe[1]);
  std::string verdict, output;
  bool late = false;
  if (child > 0) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    pollfd fds[2] = {{verdict_pipe[0], POLLIN, 0}, {output_pipe[0], POLLIN, 0}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      if (left <= 0) {
        late = true;
        ::kill(child, SIGKILL);
        break;
      }
      if (::poll(fds, 2, static_cast<int>(left)) <= 0) continue;
      if ((fds[0].revents != 0) && !take(fds[0].fd, verdict)) fds[0].fd = -1;
      if ((fds[1].revents != 0) && !take(fds[1].fd, output)) fds[1].fd = -1;
      if (output.size() > 2 * kOutputKept) output.erase(0, output.size() - kOutputKept);
    }
  }
  ::close(verdict_pipe[0]);
  ::close(output_pipe[0]);
  if (child < 0) return broken("no process for the test");
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Outcome outcome = judge(status, late, timeout_ms, verdict);
  outcome.output = output.substr(output.size() - std::min(output.size(), kOutputKept));
  return outcome;
}

}  // namespace gantry::kit
