// Which requests fail or take their time: rules by kind, path and number.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::test::powercut {

enum class Op : std::uint8_t { kLookup, kOpen, kCreate, kRead, kWrite, kFlush, kFlushNames, kTruncate, kAllocate, kRename, kRemove, kMakeFolder, kCount };

// "lookup", "open", "create", "read", "write", "fsync", "fsyncdir", "truncate", "allocate", "rename", "remove", "mkdir"; false: none of these.
[[nodiscard]] bool parse_op(const std::string &name, Op *out);

struct Rule {
  Op op = Op::kWrite;
  std::string pattern;      // of the path below the mount, as in fnmatch
  std::uint64_t nth = 1;    // the first of the matching requests from now on that is met, counted from 1
  std::uint64_t count = 1;  // how many are met; 0: all from there on
  int error = 0;            // errno; 0: the request only takes longer
  std::uint32_t delay_ms = 0;
  std::uint64_t seen = 0, met = 0;
};

class Faults {
 public:
  void add(Rule rule);
  void clear();
  // How many requests were met since the last clear.
  [[nodiscard]] std::uint64_t met() const;

  // Sleeps as the rules say. 0, or the -errno to answer with. [thread: any] [blocking: may]
  [[nodiscard]] int check(Op op, const std::string &path);

 private:
  mutable std::mutex mutex_;
  std::vector<Rule> rules_;
};

}  // namespace gantry::test::powercut
