// One test, in a process of its own: what crashes, hangs or leaves with exit() is a failed test and nothing more.
#pragma once

#include <functional>
#include <string>

namespace gantry::kit {

struct Test {
  std::string name;           // "filter.sql92.truth-table"
  std::function<void()> run;  // passes by returning
};

struct Outcome {
  enum Verdict { kPassed, kFailed, kSkipped } verdict = kFailed;
  std::string text;    // why it failed or was skipped; of a passed one what it had to say
  std::string output;  // the end of what it wrote to stdout and stderr
};

// Forks, so the caller has one thread. The child is killed after timeout_ms and when the caller ends.
[[nodiscard]] Outcome run_in_process(const std::function<void()> &run, int timeout_ms);

// These are for the code of a test and end its process.
[[noreturn]] void fail(const std::string &text);
[[noreturn]] void skip(const std::string &text);
[[noreturn]] void pass(const std::string &text);

inline void check(bool holds, const std::string &text) {
  if (!holds) fail(text);
}

}  // namespace gantry::kit
