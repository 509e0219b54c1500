#include "consumption.hpp"

#include "run_file.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
constexpr std::size_t kPartsPerCall = 1024;
constexpr std::size_t kRangesTold = 8;
}  // namespace

std::vector<UnconsumedRange> unconsumed_in(Core &core, const Segment &segment, bool with_unread) {
  std::vector<UnconsumedRange> out;
  if (core.consumption == nullptr || segment.run == nullptr) return out;
  const std::span<const PartRow> parts = segment.run->index().parts();
  std::vector<gantry_queue_name> names;
  std::vector<const PartRow *> rows;
  std::vector<gantry_consumed> consumed;
  for (std::size_t at = 0; at < parts.size(); at += kPartsPerCall) {
    names.clear();
    rows.clear();
    {
      const std::lock_guard lock(core.mutex);
      for (const PartRow &part : parts.subspan(at, std::min(kPartsPerCall, parts.size() - at))) {
        const QueueState *queue = core.queues.get(part.queue);
        if (queue == nullptr) continue;
        const std::string &topic = core.queues.topic_of(*queue);  // never freed
        names.push_back({{topic.data(), static_cast<std::uint32_t>(topic.size()), 0}, queue->queue_no, 0});
        rows.push_back(&part);
      }
    }
    if (names.empty()) continue;
    consumed.assign(names.size(), gantry_consumed{});
    // Not under the mutex: who answers has locks that come before it.
    core.consumption->consumed(core.consumption->self, names.data(), static_cast<std::uint32_t>(names.size()), consumed.data());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::int64_t begin = std::max(rows[i]->first_off, consumed[i].offset), end = rows[i]->first_off + rows[i]->count;
      if (begin >= end || (consumed[i].group.n == 0 && !with_unread)) continue;
      out.push_back({{names[i].topic.p, names[i].topic.n}, names[i].queue_no, begin, end, {consumed[i].group.p, consumed[i].group.n}});
    }
  }
  return out;
}

std::string ranges_text(const std::vector<UnconsumedRange> &ranges) {
  std::string text;
  for (std::size_t i = 0; i < std::min(ranges.size(), kRangesTold); ++i) {
    const UnconsumedRange &range = ranges[i];
    text += (i == 0 ? "" : ", ") + range.topic + " queue " + std::to_string(range.queue_no) + " offsets " + std::to_string(range.begin) + " to " + std::to_string(range.end - 1) +
            (range.group.empty() ? " (no group is known there)" : " (group " + range.group + " is at " + std::to_string(range.begin) + ")");
  }
  if (ranges.size() > kRangesTold) text += " and " + std::to_string(ranges.size() - kRangesTold) + " more ranges";
  return text;
}

}  // namespace gantry::commitlog
