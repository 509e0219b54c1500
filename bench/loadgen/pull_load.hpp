// Load of pulls: every slot walks one queue from its beginning to its end, again and again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/engine.hpp"

namespace gantry::bench {

/// `depth` pulls are always open on each connection; each of these slots has its queue and offset.
/// Delivered messages are checked for running queue offsets. Stops early when the topic holds nothing.
class PullLoad final : public Workload {
 public:
  PullLoad(const Options &options, Tally &tally);
  void begin(Engine &engine, std::uint64_t now_ns) override;
  void on_reply(Engine &engine, const Reply &reply) override;
  [[nodiscard]] bool is_exhausted() const override;

 private:
  struct Slot {
    unsigned connection;
    unsigned queue;
    std::int64_t offset;
  };
  void issue(Engine &engine, std::uint32_t slot, std::uint64_t now_ns);
  void restart(Slot &slot);
  void take_messages(Slot &slot, std::string_view body);
  /// False: the reply names no later place.
  [[nodiscard]] static bool follow(Slot &slot, const Reply &reply);

  const Options &options_;
  Tally &tally_;
  std::vector<Slot> slots_;
  std::string subscription_version_;
};

}  // namespace gantry::bench
