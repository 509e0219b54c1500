#include "topic_retention.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
constexpr std::uint64_t kQueuesPerLock = 4096;
constexpr std::int64_t kForEver = INT64_MAX;
}  // namespace

// The names of topics that are new here.
void TopicRetention::learn() {
  const std::lock_guard lock(core_.mutex);
  for (const SegmentRef &segment : core_.segments.live) {
    const std::vector<Space::TopicShare> *shares = space_.topics_in(segment->no);
    if (shares == nullptr) continue;
    for (const Space::TopicShare &share : *shares) {
      const auto [at, fresh] = topics_.try_emplace(share.topic);
      if (!fresh) continue;
      Known &topic = at->second;
      if (share.topic != Space::kDeletedTopic) topic.name = core_.queues.topic_name(share.topic);
      for (const TopicRule &rule : core_.options.topic_rules) {
        const bool fits = rule.prefix ? topic.name.starts_with(rule.topic) : topic.name == rule.topic;
        if (fits && topic.rule == nullptr) topic.rule = &rule;
      }
      topic.keep_ms = topic.rule != nullptr && topic.rule->keep_ms >= 0 ? topic.rule->keep_ms : core_.options.retention_ms;
      if (topic.keep_ms == 0) topic.keep_ms = kForEver;
    }
  }
}

std::int64_t TopicRetention::keep_ms(const Segment &segment) const {
  const std::vector<Space::TopicShare> *shares = space_.topics_in(segment.no);
  if (shares == nullptr) return kForEver;
  std::int64_t longest = shares->empty() && core_.options.retention_ms == 0 ? kForEver : shares->empty() ? core_.options.retention_ms : 0;
  for (const Space::TopicShare &share : *shares) {
    const auto topic = topics_.find(share.topic);
    longest = std::max(longest, topic == topics_.end() ? kForEver : topic->second.keep_ms);
  }
  return longest;
}

bool TopicRetention::is_over(const std::string &topic, std::uint32_t segment_no) const {
  for (const auto &[id, first] : first_) {
    if (segment_no < first && topics_.at(id).name == topic) return true;
  }
  return false;
}

// For each topic in full log files, oldest first: its first one that is not over.
std::unordered_map<std::uint32_t, std::uint32_t> TopicRetention::first_by_topic(bool by_time, const std::vector<SegmentRef> &full) const {
  const std::int64_t now_ms = core_.host.wall_ms();
  std::unordered_map<std::uint32_t, std::uint32_t> first = first_;
  std::unordered_map<std::uint32_t, std::uint64_t> newer_bytes;
  for (auto at = full.rbegin(); at != full.rend(); ++at) {
    const Segment &segment = **at;
    const std::vector<Space::TopicShare> *shares = space_.topics_in(segment.no);
    if (shares == nullptr) continue;
    for (const Space::TopicShare &share : *shares) {
      if (share.topic == Space::kDeletedTopic) continue;
      const auto &[name, rule, keep] = topics_.at(share.topic);
      const std::uint64_t bytes = newer_bytes[share.topic] += share.bytes;
      const bool too_old = by_time && keep != kForEver && segment.last_store_ms < now_ms - keep;
      const bool too_much = rule != nullptr && rule->bytes > 0 && bytes > static_cast<std::uint64_t>(rule->bytes);
      if (too_old || too_much) first[share.topic] = std::max(first[share.topic], segment.no + 1);
    }
  }
  return first;
}

void TopicRetention::apply(bool by_time, const std::function<void(const std::string &, const std::vector<UnconsumedRange> &)> &missed) {
  if (!in_use()) return;
  learn();
  std::vector<SegmentRef> full;
  {
    const std::lock_guard lock(core_.mutex);
    for (const SegmentRef &segment : core_.segments.live) {
      if (segment->no < core_.segments.first_no()) continue;
      if (segment->run == nullptr || segment->end() > core_.held_from) break;
      full.push_back(segment);
    }
  }
  const auto first = first_by_topic(by_time, full);
  if (first == first_) return;
  for (const SegmentRef &segment : full) {
    std::unordered_map<std::string, std::vector<UnconsumedRange>> by_topic;
    for (const auto &[topic, no] : first) {
      const auto before = first_.find(topic);
      const bool goes_now = segment->no < no && (before == first_.end() || segment->no >= before->second);
      if (goes_now) by_topic.emplace(topics_.at(topic).name, std::vector<UnconsumedRange>());
    }
    if (by_topic.empty()) continue;
    for (UnconsumedRange &range : unconsumed_in(core_, *segment, false)) {
      if (const auto at = by_topic.find(range.topic); at != by_topic.end()) at->second.push_back(std::move(range));
    }
    for (const auto &[topic, of_topic] : by_topic) {
      if (!of_topic.empty()) missed(topic, of_topic);
    }
  }
  first_ = first;
  forget();
}

void TopicRetention::forget() {
  for (std::uint64_t at = 0;; at += kQueuesPerLock) {
    const std::lock_guard lock(core_.mutex);
    if (at >= core_.queues.size()) return;
    for (gantry_queue handle = at; handle < std::min(at + kQueuesPerLock, core_.queues.size()); ++handle) {
      QueueState *queue = core_.queues.get(handle);
      if (queue == nullptr) continue;
      if (const auto first = first_.find(queue->topic); first != first_.end()) queue->forget_before(first->second);
    }
  }
}

}  // namespace gantry::commitlog
