// What a run counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "wire/histogram.hpp"

namespace gantry::bench {

/// Counts of one run. A reply is counted once: as success, as empty (a pull that found nothing) or as error.
struct Tally {
  struct Refusal {
    std::uint64_t count = 0;
    std::string first_remark;
  };

  std::uint64_t requests = 0;    ///< sent
  std::uint64_t messages = 0;    ///< acknowledged or delivered
  std::uint64_t body_bytes = 0;  ///< bodies of `messages`
  std::uint64_t empty = 0;       ///< pulls answered "nothing there"
  std::uint64_t unanswered = 0;  ///< requests without a reply when the drain time was over
  std::uint64_t unsent = 0;      ///< open loop: arrivals that were due and could not be sent
  std::uint64_t misplaced = 0;   ///< pulled messages that are not the next one of their queue
  std::map<int, Refusal> refusals;  ///< by response code
  Histogram latency;             ///< of successful requests
  std::uint64_t started_ns = 0;
  std::uint64_t last_reply_ns = 0;
  std::uint64_t cpu_us = 0;      ///< of the generator, during the run

  void refuse(int code, std::string_view remark) {
    Refusal &refusal = refusals[code];
    if (refusal.count++ == 0) refusal.first_remark = remark;
  }
  [[nodiscard]] std::uint64_t errors() const {
    std::uint64_t sum = 0;
    for (const auto &[code, refusal] : refusals) sum += refusal.count;
    return sum;
  }
  [[nodiscard]] double elapsed_s() const {
    return last_reply_ns > started_ns ? static_cast<double>(last_reply_ns - started_ns) / 1e9 : 0.0;
  }
  /// True when something was measured and every request was answered as wanted.
  [[nodiscard]] bool clean() const {
    return messages > 0 && errors() == 0 && unanswered == 0 && unsent == 0 && misplaced == 0;
  }
};

}  // namespace gantry::bench
