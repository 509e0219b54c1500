// What a test asked of a store, what it was promised, and whether a store that was opened later holds to it.
#pragma once

#include "harness.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gantry::test {

using QueueName = std::pair<std::string, std::uint32_t>;

// All that can be read of a store.
struct Contents {
  struct Queue {
    std::int64_t min_off = 0, max_off = 0;
    std::map<std::int64_t, std::pair<std::int64_t, std::string>> records;  // offset -> log position, bytes
    std::set<std::int64_t> bad;                                            // offsets passed over as damaged
    bool operator==(const Queue &) const = default;
  };
  std::map<QueueName, Queue> queues;
  std::map<std::string, std::string> rows;
  std::uint64_t bad_records = 0;  // counted by the store until all was read
};
// nullopt and why, when the store breaks a rule while it is read.
[[nodiscard]] std::optional<Contents> contents_of(StoreInstance &store, std::string *why);
[[nodiscard]] std::string difference(const Contents &a, const Contents &b);  // "" when they agree

// One request, in order of `seq`, which is their order in the log.
struct Asked {
  enum class What : std::uint8_t { kRecord, kPut, kDelete };
  What what = What::kRecord;
  std::int64_t seq = 0;
  std::uint32_t durability = 0;
  // kRecord
  QueueName queue;
  std::int64_t offset = -1, phys_pos = -1;  // phys_pos: -1 until it is acknowledged
  Message message;
  std::string borrowed;  // the part of the body that stands in another record, the one at base_pos
  std::int64_t base_pos = -1;
  // kPut, kDelete
  std::string key, value;
  bool cut = false;          // it failed, and the next open did not find it: nothing is promised, and its offset may be given again

  [[nodiscard]] std::string expected(std::int64_t pos) const;
};

struct Promise {
  std::set<std::int64_t> kept;  // seq that must be there
  std::int64_t log_begin = 0;   // records before this position may have expired
};

class Ledger {
 public:
  std::vector<Asked> asked;

  // Promises at the moment before event `end`: with power_cut what is flushed, else what is written as well.
  [[nodiscard]] Promise promised(const Trace &trace, std::size_t end, bool power_cut) const;
  // "" when the contents hold to it. exact: nothing damaged, and all of it is what the requests up to some one make, nothing of the later ones.
  [[nodiscard]] std::string check(const Contents &contents, const Promise &promise, bool exact) const;

 private:
  [[nodiscard]] std::string check_records(const Contents &contents, const Promise &promise, bool exact, std::int64_t *first, std::int64_t *last) const;
  [[nodiscard]] std::string check_rows(const Contents &contents, const Promise &promise, bool exact, std::int64_t first, std::int64_t last) const;
};

}  // namespace gantry::test
