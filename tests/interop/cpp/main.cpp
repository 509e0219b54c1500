// Runs the cases of the C++ client against the name server in NAMESRV_ADDR. Environment: INTEROP_ONLY, INTEROP_SKIP and INTEROP_NOT_YET (regular
// expressions for whole case names), INTEROP_PATIENCE, INTEROP_WIDTH (cases at a time, default 8), INTEROP_CPP_LOGS (folder of the library's logs).
#include "suite.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <regex>
#include <thread>

using namespace interop;

namespace {

std::regex pattern(const char *variable, const char *otherwise) {
  const char *const text = std::getenv(variable);
  return std::regex(text == nullptr || *text == '\0' ? otherwise : text);
}

int number(const char *variable, int otherwise) {
  const char *const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::atoi(text);
}

std::atomic<int> passed, failed, skipped;
std::mutex printing;

void say(const char *verdict, const Case &c, const std::string &text) {
  const std::lock_guard lock(printing);
  std::printf("%s %s%s\n", verdict, c.name, text.c_str());
  std::fflush(stdout);
}

void run(const Case &c) {
  const long long begin = now_ms();
  // A case that does not end keeps its threads; the process ends without them.
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> result = done->get_future();
  std::thread([&c, done] {
    try {
      Env env(c.name);
      c.body(env);
      done->set_value();
    } catch (...) {
      done->set_exception(std::current_exception());
    }
  }).detach();
  const int deadline_s = c.deadline_s * number("INTEROP_PATIENCE", 2);
  try {
    if (result.wait_for(std::chrono::seconds(deadline_s)) != std::future_status::ready) throw Failed("not done after " + std::to_string(deadline_s) + " s");
    result.get();
    ++passed;
    say("PASS", c, " (" + std::to_string(now_ms() - begin) + " ms)");
  } catch (const Missing &e) {
    ++skipped;
    say("SKIP", c, std::string(": ") + e.what());
  } catch (const std::exception &e) {
    ++failed;
    say("FAIL", c, std::string(": ") + e.what());
  }
}

}  // namespace

int main() {
  if (std::getenv("NAMESRV_ADDR") == nullptr) {
    std::fputs("NAMESRV_ADDR is not set: host:port of the name server to test\n", stderr);
    return 2;
  }
  const std::regex only = pattern("INTEROP_ONLY", ".*"), skip = pattern("INTEROP_SKIP", "$^"), not_yet = pattern("INTEROP_NOT_YET", "$^");
  std::vector<Case> selected;
  for (const auto &cases : {send_cases(), consume_cases(), feature_cases()}) {
    for (const Case &c : cases) {
      if (!std::regex_match(c.name, only) || std::regex_match(c.name, skip)) continue;
      if (std::regex_match(c.name, not_yet)) {
        ++skipped;
        say("SKIP", c, ": not yet promised");
      } else {
        selected.push_back(c);
      }
    }
  }
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> lanes;
  for (int i = 0; i < number("INTEROP_WIDTH", 8); ++i)
    lanes.emplace_back([&] {
      for (std::size_t at; (at = next++) < selected.size();) run(selected[at]);
    });
  for (std::thread &lane : lanes) lane.join();
  std::printf("%d passed, %d failed, %d skipped\n", passed.load(), failed.load(), skipped.load());
  std::fflush(stdout);
  // Destructors of the library's globals race with its threads.
  ::_exit(failed == 0 && passed > 0 ? 0 : 1);
}
