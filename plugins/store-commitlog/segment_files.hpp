// Making, opening, reusing and dropping the files of segments. [thread: background, or control during open] [blocking: may]
#pragma once

#include "core.hpp"

namespace gantry::commitlog {

// The file of the segment that begins at `base`, blocks reserved, known to its folder: a recycled one if there is one of that size, else new.
// NO_SPACE, IO.
[[nodiscard]] Result<SegmentRef> make_segment(Core &core, LogPos base, std::int64_t bytes);
// Dropped files that the next ones of options.segment_bytes are made of.
[[nodiscard]] std::size_t reusable_segments(Core &core);
// An existing file.
[[nodiscard]] Result<SegmentRef> open_segment(Core &core, LogPos base);
// Overwrites a segment that is not in use yet with zeros, so that the file system need not convert its blocks on each flush. Ends early
// when the log comes in or stop is true.
void zero_fill(Core &core, Segment &segment, const std::atomic<bool> &stop);
// The file leaves the log: kept for reuse while there are fewer than options.recycle_segments, else removed.
[[nodiscard]] Result<void> retire_segment(Core &core, const SegmentRef &segment);
// Removes what an interrupted make_segment left behind. 
void remove_leftovers(Core &core);

}  // namespace gantry::commitlog
