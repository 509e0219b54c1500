#include "kernel/kit/test_util.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

namespace gantry::test {

namespace {
std::string base_dir() {
  for (const char *name : {"GANTRY_TEST_TMPDIR", "TMPDIR"}) {
    if (const char *dir = std::getenv(name); dir != nullptr && *dir != '\0') return dir;
  }
  return "/tmp";
}
}  // namespace

TempDir::TempDir() {
  std::string pattern = base_dir() + "/gantry-test-XXXXXX";
  require(::mkdtemp(pattern.data()) != nullptr, "cannot make a folder like " + pattern + "; set TMPDIR to a writable folder");
  path_ = pattern;
}

TempDir::~TempDir() {
  if (keep_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool poll_until(const std::function<bool()> &done, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return done();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::string describe_threads() {
  const auto text_of_file = [](const std::filesystem::path &path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  std::string out;
  std::error_code ignored;
  for (const auto &task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const std::string stat = text_of_file(task.path() / "stat");
    const auto state = stat.rfind(") ");
    out += "\n  " + stat.substr(0, state == std::string::npos ? 0 : state + 3) + " in " + text_of_file(task.path() / "wchan");
  }
  return out;
}

void require(bool cond, const char *text) {
  if (cond) return;
  std::fprintf(stderr, "gantry test: %s\n", text);
  std::abort();
}

void require(bool cond, const std::string &text) { require(cond, text.c_str()); }

}  // namespace gantry::test
