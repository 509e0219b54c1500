// What every component promises in abi.h: exact pairs of calls, nothing left behind, and an orderly refusal when the host fails it.
#include "kernel/kit/subject.hpp"
#include "kernel/kit/test_util.hpp"

#include <dirent.h>

#include <algorithm>
#include <memory>

namespace gantry::kit {
namespace {

constexpr int kRounds = 50;
constexpr std::uint64_t kMostFailures = 200;  // calls tried, each in a process of its own

std::size_t threads_of_process() {
  std::size_t n = 0;
  DIR *tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) fail("/proc/self/task cannot be read; mount /proc");
  while (const dirent *entry = ::readdir(tasks)) n += entry->d_name[0] != '.';
  ::closedir(tasks);
  return n;
}

void once(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  const std::size_t before = threads_of_process();
  subject.bring_up();
  subject.stop();
  // A thread that has been joined may still be on its way out of the list.
  const bool gone = test::poll_until([&] { return threads_of_process() <= before; }, 2000);
  check(gone, "threads of the instance run on after stop: " + std::to_string(threads_of_process() - before));
  subject.destroy();
}

void repeated(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  for (int i = 0; i < kRounds; ++i) {
    subject.bring_up();
    subject.take_down();
  }
}

void destroyed_without_start(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  for (int i = 0; i < kRounds; ++i) {
    if (subject.create() != GANTRY_OK) subject.bring_up();  // says why
    subject.destroy();
  }
}

void several(const Setup &setup, const ComponentName &which) {
  std::vector<std::unique_ptr<Subject>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<Subject>(setup, which));
    all.back()->bring_up();
  }
  for (const std::size_t i : {1, 0, 2}) all[i]->take_down();
}

// The k-th call that can fail does, between create and destroy.
void host_call_fails(const Setup &setup, const ComponentName &which, std::uint64_t k) {
  Subject subject(setup, which);
  subject.host().fail_call(k);
  if (subject.create() == GANTRY_OK) {
    if (subject.start() == GANTRY_OK) subject.stop();
    subject.destroy();
  }
  subject.host().fail_call(0);
  subject.bring_up();  // what failed once works the next time
  subject.take_down();
}

std::uint64_t calls_that_can_fail(const Setup &setup, const ComponentName &which) {
  const Outcome outcome = run_in_process(
      [&] {
        Subject subject(setup, which);
        subject.host().fail_call(0);
        subject.bring_up();
        subject.take_down();
        pass(std::to_string(subject.host().calls_that_can_fail()));
      },
      setup.timeout_ms);
  return outcome.verdict == Outcome::kPassed ? std::stoull(outcome.text) : 0;
}

}  // namespace

void add_life_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out) {
  const auto add = [&](const std::string &name, void (*test)(const Setup &, const ComponentName &)) {
    out.push_back({prefix + "life." + name, [&setup, which, test] { test(setup, which); }});
  };
  add("once", once);
  add("repeated", repeated);
  add("destroyed-without-start", destroyed_without_start);
  add("several-instances", several);
  const std::uint64_t calls = std::min(calls_that_can_fail(setup, which), kMostFailures);
  for (std::uint64_t k = 1; k <= calls; ++k)
    out.push_back({prefix + "life.host-call-" + std::to_string(k) + "-fails", [&setup, which, k] { host_call_fails(setup, which, k); }});
}

}  // namespace gantry::kit
