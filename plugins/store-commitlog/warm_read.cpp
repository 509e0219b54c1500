// Reads answered on the shard from extents that readers filled: nothing is handed over and, but for records across a border, nothing copied.
#include "hot_read.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

// The extents that the picked records lie in, into extents_. False: one is not here, or too much would be pinned or copied.
bool HotReader::find_extents(std::size_t *copied) {
  extents_.clear();
  LogPos begin, end;  // of extents_.back()
  for (Picked &one : picked_) {
    const LogPos pos{one.record.phys_pos};
    const LogPos record_end = pos + one.row->bytes();
    LogPos missing = pos - one.row->offset % Extent::kBytes;
    one.extent = static_cast<std::uint32_t>(extents_.size());
    if (missing == begin && end != begin) {
      --one.extent;
      if (record_end <= end) continue;
      missing = end;
    }
    while (missing < record_end) {
      if (extents_.size() == kMaxExtentsPinned) return false;
      ExtentRef extent = core_.extents.find(missing);
      if (extent == nullptr) return false;
      begin = missing;
      missing = end = extent->end();
      extents_.push_back(std::move(extent));
    }
    if (extents_[one.extent]->end() < record_end) *copied += one.row->bytes();
    if (*copied > kMaxCopiedInline) return false;
  }
  return true;
}

// Copies a record that ends in a later extent than it begins in. False: it is not what its checksum says.
bool HotReader::place_across(const Picked &one, std::uint8_t *to) const {
  LogPos pos{one.record.phys_pos};
  const LogPos end = pos + one.row->bytes();
  std::uint8_t *at = to;
  for (std::size_t extent = one.extent; pos < end; ++extent) {
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
  const std::uint32_t n = picked_.size();
  ReadResult *result = ReadResult::create(n, copied, static_cast<std::uint32_t>(extents_.size()));
  gantry_read_result &r = result->result();
  result->set_range(state);
  std::uint8_t *to = result->bytes();
  gantry_record *record = result->records();
  std::uint32_t good = 0;
  for (; good < n; ++good, ++record) {
    const Picked &one = picked_[good];
    const LogPos pos{one.record.phys_pos};
    const Extent &extent = *extents_[one.extent];
    *record = one.record;
    if (pos + one.row->bytes() <= extent.end()) {
      if (extent.is_bad(pos)) {  // counted and logged when the extent was filled
        r.next_off = one.record.queue_off + 1;
        r.stop = GANTRY_STOP_BAD;
        break;
      }
      record->bytes.p = extent.at(pos);
    } else {
      if (!place_across(one, to)) {  // the reader tries again, and reports it
        result->seal(0);
        result->release();
        extents_.clear();
        return nullptr;
      }
      record->bytes.p = to;
      to += one.row->bytes();
    }
  }
  look_ahead(cold);
  for (ExtentRef &extent : extents_) result->keep(std::move(extent));
  extents_.clear();
  result->seal(good);
  return result;
}

// Who reads in an extent a second time will want the next one. When this one had been read ahead too, several are read together, with one call of
// a reader that is woken once; the first of them asks for as many again. Where one read goes over several extents, as those that are filtered do,
// the next one will as well.
void HotReader::look_ahead(ColdRead *cold) const {
  bool asks = false, goes_on = false;
  for (const ExtentRef &extent : extents_) {
    asks |= extent->ask_ahead();
    goes_on |= extent->read_ahead;
  }
  const LogPos behind = extents_.back()->end();
  if (!asks || behind >= core_.arena.hot_begin()) return;
  cold->ahead = behind;
  cold->ahead_count = goes_on ? core_.extents.ahead_count(extents_.size()) : 1;
}

}  // namespace gantry::commitlog
