// How often producers were asked about each open half message. Kept in rows of the store, one per 16,384 queue offsets of the half queue and only for those
// that were asked about; a crash may forget the questions of the last round, no more.
#pragma once

#include "kernel/broker/core.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>

namespace gantry::semantics {

// [thread: one, shard 0; restore: control, before the shards run]
class CheckCounts {
 public:
  static constexpr std::int64_t kChunk = 16'384;  // queue offsets

  // `key`: of the rows, each with the number of its chunk behind it.
  explicit CheckCounts(std::string key) : key_(std::move(key)) {}

  // Takes its rows out of Core::restored_rows. CORRUPT: a row that cannot be understood.
  [[nodiscard]] Result<void> restore(broker::Core &core);
  // Writes the rows that changed; what the store does not take now comes with the next call.
  void save(broker::Core &core);

  [[nodiscard]] std::uint32_t of(std::int64_t queue_off) const;
  // Asked in this round already.
  [[nodiscard]] bool asked_in(std::int64_t queue_off, std::uint64_t round) const;
  void add(std::int64_t queue_off, std::uint64_t round);
  void forget(std::int64_t queue_off);
  // Forgets those for which it is true; looks at all of them.
  void forget_if(const std::function<bool(std::int64_t queue_off)> &gone);

 private:
  struct Count {
    std::uint32_t asked = 0;
    std::uint64_t round = 0;  // the last one; 0 = before this start
  };
  [[nodiscard]] std::string row_of(std::int64_t chunk, bool *empty) const;

  std::string key_;
  std::map<std::int64_t, Count> counts_;  // by queue offset
  std::set<std::int64_t> changed_;        // chunks
};

}  // namespace gantry::semantics
