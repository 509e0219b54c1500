// Reads answered on the shard from extents that readers filled: nothing is handed over and, but for records across a border, nothing copied.
#include "hot_read.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

// The extents that the picked records lie in, into extents_. False: one is not here, or too much would be pinned or copied.
bool HotReader::find_extents(std::size_t *copied) {
  extents_.clear();
  extent_of_.clear();
  for (const Picked &one : picked_) {
    const LogPos pos{one.record.phys_pos};
    const LogPos end = pos + one.row->bytes();
    LogPos begin = pos - one.row->offset % Extent::kBytes;
    if (!extents_.empty() && extents_.back()->begin() == begin) {
      extent_of_.push_back(static_cast<std::uint32_t>(extents_.size()) - 1);
      begin = extents_.back()->end();
    } else {
      extent_of_.push_back(static_cast<std::uint32_t>(extents_.size()));
    }
    while (begin < end) {
      if (extents_.size() == kMaxExtentsPinned) return false;
      ExtentRef extent = core_.extents.find(begin);
      if (extent == nullptr) return false;
      begin = extent->end();
      extents_.push_back(std::move(extent));
    }
    if (extents_[extent_of_.back()]->end() < end) *copied += one.row->bytes();
    if (*copied > kMaxCopiedInline) return false;
  }
  return true;
}

// Copies a record that begins in that extent and ends in a later one. False: it is not what its checksum says.
bool HotReader::place_across(const Picked &one, std::size_t extent, std::uint8_t *to) const {
  LogPos pos{one.record.phys_pos};
  const LogPos end = pos + one.row->bytes();
  std::uint8_t *at = to;
  for (; pos < end; ++extent) {
    const std::int64_t n = std::min(extents_[extent]->end(), end) - pos;
    std::memcpy(at, extents_[extent]->at(pos), static_cast<std::size_t>(n));
    at += n;
    pos = pos + n;
  }
  return crc32c(to, one.row->bytes()) == one.row->crc;
}

// Null: a reader thread has to do it.
ReadResult *HotReader::finish_warm(const gantry_read_result &state, ColdRead *cold) {
  std::size_t copied = 0;
  if (!find_extents(&copied)) {
    extents_.clear();
    return nullptr;
  }
  const auto n = static_cast<std::uint32_t>(picked_.size());
  ReadResult *result = ReadResult::create(n, copied, static_cast<std::uint32_t>(extents_.size()));
  gantry_read_result &r = result->result();
  result->set_range(state);
  std::uint8_t *to = result->bytes();
  std::uint32_t good = 0;
  for (; good < n; ++good) {
    const Picked &one = picked_[good];
    const LogPos pos{one.record.phys_pos};
    const Extent &extent = *extents_[extent_of_[good]];
    gantry_record &record = result->records()[good];
    record = one.record;
    if (pos + one.row->bytes() <= extent.end()) {
      if (extent.is_bad(pos)) {  // counted and logged when the extent was filled
        r.next_off = one.record.queue_off + 1;
        r.stop = GANTRY_STOP_BAD;
        break;
      }
      record.bytes.p = extent.at(pos);
    } else {
      if (!place_across(one, extent_of_[good], to)) {  // the reader tries again, and reports it
        result->seal(0);
        result->release();
        extents_.clear();
        return nullptr;
      }
      record.bytes.p = to;
      to += one.row->bytes();
    }
  }
  look_ahead(cold);
  for (ExtentRef &extent : extents_) result->keep(std::move(extent));
  extents_.clear();
  result->seal(good);
  return result;
}

// Who reads in an extent a second time will want the next one, and more of them when this one had been read ahead too: a reader that is
// woken once for several costs less, and stays ahead of a consumer that catches up. Never more than an eighth of the cache.
void HotReader::look_ahead(ColdRead *cold) const {
  const Extent &last = *extents_.back();
  if (last.end() >= core_.arena.hot_begin() || !last.ask_ahead()) return;
  cold->ahead = last.end();
  cold->ahead_count = last.read_ahead ? ahead_count_ : 1;
}

}  // namespace gantry::commitlog
