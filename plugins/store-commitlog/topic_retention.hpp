// Topics with a retention of their own. A log file stays while one of its topics wants it; a topic whose time or bytes are over can be read no more, though the
// file that it is in may stay.
#pragma once

#include "consumption.hpp"
#include "space.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

// [thread: background], or the one that starts the store.
class TopicRetention {
 public:
  TopicRetention(Core &core, const Space &space) : core_(core), space_(space) {}

  [[nodiscard]] bool in_use() const { return !core_.options.topic_rules.empty(); }
  // How long a full log file is to be kept after its newest record: as long as the topic in it that wants most; INT64_MAX: for ever, or not known yet.
  [[nodiscard]] std::int64_t keep_ms(const Segment &segment) const;
  // Makes unreadable what is over by now. by_time: also by time. `missed` is told what groups had not consumed, segment by segment.
  void apply(bool by_time, const std::function<void(const std::string &topic, const std::vector<UnconsumedRange> &)> &missed);
  // The topic's records in that segment can be read no more already.
  [[nodiscard]] bool is_over(const std::string &topic, std::uint32_t segment_no) const;

 private:
  struct Known {
    std::string name;
    const TopicRule *rule = nullptr;
    std::int64_t keep_ms = 0;
  };
  void learn();
  [[nodiscard]] std::unordered_map<std::uint32_t, std::uint32_t> first_by_topic(bool by_time, const std::vector<SegmentRef> &full) const;
  void forget();

  Core &core_;
  const Space &space_;
  std::unordered_map<std::uint32_t, Known> topics_;         // those that occur, by number
  std::unordered_map<std::uint32_t, std::uint32_t> first_;  // by topic: number of the first segment that it can be read from
};

}  // namespace gantry::commitlog
