#include "faults.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>

namespace gantry::test::powercut {

namespace {
constexpr const char *kNames[] = {"lookup", "open", "create", "read", "write", "fsync", "fsyncdir", "truncate", "allocate", "rename", "remove", "mkdir"};
static_assert(std::size(kNames) == static_cast<std::size_t>(Op::kCount));
}  // namespace

bool parse_op(const std::string &name, Op *out) {
  const auto at = std::find(std::begin(kNames), std::end(kNames), name);
  if (at == std::end(kNames)) return false;
  *out = static_cast<Op>(at - std::begin(kNames));
  return true;
}

void Faults::add(Rule rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back(std::move(rule));
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  rules_.clear();
}

std::uint64_t Faults::met() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const Rule &rule : rules_) sum += rule.met;
  return sum;
}

int Faults::check(Op op, const std::string &path) {
  int rc = 0;
  std::uint32_t delay_ms = 0;
  {
    const std::lock_guard lock(mutex_);
    for (Rule &rule : rules_) {
      if (rule.op != op || ::fnmatch(rule.pattern.c_str(), path.c_str(), 0) != 0) continue;
      if (++rule.seen < rule.nth || (rule.count != 0 && rule.seen >= rule.nth + rule.count)) continue;
      ++rule.met;
      delay_ms = std::max(delay_ms, rule.delay_ms);
      if (rc == 0) rc = -rule.error;
    }
  }
  if (delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
  return rc;
}

}  // namespace gantry::test::powercut
