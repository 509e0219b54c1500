#include "seek.hpp"

#include "readers.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
std::int64_t time_of(const Segment &segment, const QueuePart &part, std::uint32_t i) {
  const std::uint32_t record = part.at(i).record;
  return record == kNoRecord ? 0 : store_ms_of(segment.first_store_ms, segment.index->record(record).store_ms_delta);
}
}  // namespace

bool seek_in_memory(Core &core, QueueState &queue, std::int64_t ms, QueueOff *offset, ColdSeek *cold) {
  *offset = std::min(queue.trim(core.segments.first_no()), queue.visible);
  // Newest part first: the answer is in the newest one that begins before `ms`, or right behind it.
  QueueOff behind = queue.visible;
  for (const QueuePart *part = queue.part; part != nullptr; part = part->older) {
    const Segment &segment = *core.segments.by_no(part->segment_no);
    const auto count = static_cast<std::uint32_t>(std::clamp<std::int64_t>(queue.visible - part->first, 0, part->count));
    if (count > 0 && time_of(segment, *part, 0) < ms) {
      const std::uint32_t at = first_not_before(count, ms, [&](std::uint32_t i) { return time_of(segment, *part, i); });
      *offset = at < count ? part->first + at : behind;
      return true;
    }
    behind = std::min(part->first, queue.visible);
  }
  if (queue.refs == nullptr) {
    if (queue.part != nullptr) *offset = behind;
    return true;
  }
  for (auto ref = queue.refs->rbegin(); ref != queue.refs->rend(); ++ref) {
    if (ref->first_store_ms < ms) {
      const SegmentRef &segment = core.segments.by_no(ref->segment_no);
      cold->part = {segment, segment->run};
      cold->end = behind;
      cold->ms = ms;
      return false;
    }
    behind = ref->first;
  }
  return true;
}

}  // namespace gantry::commitlog
