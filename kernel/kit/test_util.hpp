// Small things every test needs: a folder of its own, waiting with a deadline, and stopping loudly when a test misuses a helper.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace gantry::test {

// A new folder below $GANTRY_TEST_TMPDIR, else $TMPDIR, else /tmp; removed with its contents on destruction.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;

  [[nodiscard]] const std::filesystem::path &path() const { return path_; }
  [[nodiscard]] std::string str() const { return path_.string(); }
  // The folder stays on disk; for looking at what a failed test left behind.
  void keep() { keep_ = true; }

 private:
  std::filesystem::path path_;
  bool keep_ = false;
};

// Asks `done` until it says true (returns true) or timeout_ms have passed (returns its last answer). Sleeps 1 ms between.
[[nodiscard]] bool poll_until(const std::function<bool()> &done, int timeout_ms = 10000);

// One line per thread of this process: name, state, kernel function it sleeps in. For the message of a wait that took too long:
// it tells a plugin that waits for ever from a machine that is too slow.
[[nodiscard]] std::string describe_threads();

// Prints `text` and aborts unless `cond` holds. For rules of the host's interface that a plugin or a test broke.
void require(bool cond, const char *text);
void require(bool cond, const std::string &text);

}  // namespace gantry::test
