// Which queue the next message goes to, when there are many.
#pragma once

#include <cstdint>
#include <vector>

namespace gantry::bench {

/// Queues by turns, or by Zipf's law: the queue of rank r is chosen with a probability in proportion to 1 / r^exponent. Ranks are scattered over the queues, so
/// that the popular ones are not neighbours.
class Spread {
 public:
  /// exponent 0: by turns.
  Spread(std::uint64_t queues, double exponent, std::uint64_t seed);
  /// Queue of message number i, below `queues`.
  [[nodiscard]] std::uint64_t queue_of(std::uint64_t i) const { return picks_.empty() ? i % queues_ : picks_[i % picks_.size()]; }

 private:
  std::uint64_t queues_;
  std::vector<std::uint32_t> picks_;  ///< drawn beforehand, so that choosing costs the same for few and for many queues; used over and over
};

}  // namespace gantry::bench
