// How much of the disk is left for the log, when it will be full at the present rate, and which topics fill it.
#pragma once

#include "core.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

// All of it: [thread: background], or the one that starts and stops it.
class Space {
 public:
  explicit Space(Core &core) : core_(core) {}

  // Measures the disk, counts topics a little further and renews the forecast; says in the log when the end comes near.
  void look();
  // A new log file of that size leaves free what is to stay free; one for meta rows alone may take half of that. NO_SPACE with numbers.
  [[nodiscard]] Result<void> may_take(std::int64_t bytes, bool for_rows) const;
  struct TopicShare {
    std::uint32_t topic;  // QueueState::topic, or kDeletedTopic
    std::uint64_t bytes;
  };
  static constexpr std::uint32_t kDeletedTopic = 0xFFFFFFFFu;
  // What a segment holds, by topic; null: not counted yet, or it has no run.
  [[nodiscard]] const std::vector<TopicShare> *topics_in(std::uint32_t segment_no) const {
    const auto at = counted_.find(segment_no);
    return at == counted_.end() ? nullptr : &at->second;
  }

  // Records are being refused, or will be soon: what those are told. `why` is the failure to make a log file, `remedy` what is known beside the usual.
  void explain(const Error &why, const std::string &remedy);

 private:
  struct Sample {
    std::int64_t ms;  // monotonic
    LogPos pos;
  };
  void measure();
  void count_topics();
  [[nodiscard]] std::vector<TopicShare> shares_of(const RunFile &run) const;
  [[nodiscard]] std::string biggest_topics() const;
  void forecast();
  [[nodiscard]] std::int64_t full_in_ms(std::uint64_t bytes_per_s) const;
  void warn_of(std::int64_t full_in_ms);
  [[nodiscard]] std::int64_t keep_free() const;

  Core &core_;
  DiskSpace disk_;
  std::int64_t reusable_bytes_ = 0;  // of dropped log files
  std::int64_t next_list_ms_ = 0;
  std::deque<Sample> samples_;
  std::unordered_map<std::uint32_t, std::vector<TopicShare>> counted_;  // by segment number
  std::unordered_map<std::uint32_t, std::uint64_t> by_topic_;
  int warned_ = 0;  // how many of the warnings about the time left were given
};

// "1.5 GiB", "3 h 20 min".
[[nodiscard]] std::string bytes_text(std::int64_t bytes);
[[nodiscard]] std::string time_text(std::int64_t ms);

}  // namespace gantry::commitlog
