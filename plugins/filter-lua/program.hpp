// A compiled expression: its script, and for each shard a machine that runs it.
#pragma once

#include "script.hpp"

#include <gantry/draft/filter.h>

#include <array>

namespace gantry::lua {

inline constexpr std::uint32_t kShardsMax = 64;

class Program {
 public:
  // `first`: a machine that holds the script already, for whichever shard comes first; may be null.
  Program(std::shared_ptr<const Script> script, std::shared_ptr<NamedScript> named, const Limits &limits, std::unique_ptr<Engine> first)
      : script_(std::move(script)), named_(std::move(named)), limits_(limits), first_(std::move(first)) {}
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  // gantry_filter_v1.eval. A message that takes more than its budget cannot be decided. A script that keeps doing so is suspended on this shard: BUDGET with the reason,
  // until its file has another text. [thread: shard]
  [[nodiscard]] std::int32_t eval(std::uint32_t shard, const gantry_filter_batch &batch, std::uint64_t *match, std::uint64_t *error);

 private:
  // A message over its budget adds kDebtOfOne, any other takes one away: what goes over it every now and then is not suspended.
  static constexpr std::uint32_t kDebtOfOne = 64, kDebtMax = 16 * kDebtOfOne;

  struct Slot {
    std::shared_ptr<const Script> script;  // of the machine
    std::unique_ptr<Engine> engine;
    std::uint32_t debt = 0;
    std::string suspended;  // why; empty: it is not
  };
  [[nodiscard]] bool prepare(Slot &slot);
  void note(Slot &slot, Answer answer);
  static void tell(const gantry_filter_batch &batch, std::int32_t code, std::string_view text);

  const std::shared_ptr<const Script> script_;  // null with a named one
  const std::shared_ptr<NamedScript> named_;    // null with an expression
  const Limits limits_;
  std::mutex first_mutex_;
  std::unique_ptr<Engine> first_;
  std::array<Slot, kShardsMax> slots_;
};

}  // namespace gantry::lua
