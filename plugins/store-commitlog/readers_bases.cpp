// The readers' part of records that refer to a base: what is stored of them is at hand, the base is fetched from wherever it is.
#include "readers.hpp"

#include "mutation.hpp"

#include <algorithm>

namespace gantry::commitlog {

// nullopt: what is stored is not what a reference looks like, although its checksum holds. Counted and logged.
std::optional<Reference> Readers::reference_of(const ColdRecord &record, const std::uint8_t *stored) {
  std::optional<Reference> reference = parse_reference(stored, record.bytes, record.pos());
  if (!reference) report_bad(*record.segment, record.pos(), record.bytes);
  return reference;
}

// The whole record, in memory of the result. False: its base cannot be had; counted and logged unless the record has expired too.
bool Readers::borrow(const Reference &reference, const ColdRecord &record, const std::uint8_t *stored, ExtentRef *last, ReadResult *result, gantry_span *whole) {
  const auto put_together = [&](const std::uint8_t *base) {
    whole->n = whole_bytes(reference, record.bytes);
    std::uint8_t *to = result->add_bytes(whole->n);
    place_whole(reference, {stored, record.bytes}, base + reference.skip, to);
    whole->p = to;
  };
  if (read_base(reference, last, put_together)) return true;
  SegmentRef segment;
  {
    const std::lock_guard lock(core_.mutex);
    if (record.segment->no < core_.segments.first_no()) return false;  // both expired while it was being read
    segment = core_.segments.find({reference.base_pos});
  }
  ++core_.counters.bad_records;
  core_.log(GANTRY_LOG_ERROR, "the body of the record at log position " + std::to_string(record.pos().v) + " in " + record.segment->path + " is stored with the record at log position " +
                                  std::to_string(reference.base_pos) + (segment != nullptr ? " in " + segment->path + ", which is damaged or cannot be read" : ", whose log file is gone") +
                                  ": it is skipped");
  return false;
}

namespace {
// A verified extent was compared with what the index knows. A base that was lost with its frame is not in there, and whatever lies in its place is not bad.
bool vouches_for(const Extent &extent, const ColdRecord &base) {
  const auto at = std::lower_bound(extent.bases.begin(), extent.bases.end(), base.offset, [](const RecordRow &row, std::uint32_t offset) { return row.offset < offset; });
  return extent.verified && at != extent.bases.end() && at->offset == base.offset && at->bytes() == base.bytes && at->crc == base.crc;
}
}  // namespace

// Calls `use` with all that is stored of the base, verified. `last`: the extent used last, as in place().
bool Readers::read_base(const Reference &reference, ExtentRef *last, const std::function<void(const std::uint8_t *)> &use) {
  const LogPos pos{reference.base_pos};
  ColdRecord base;
  SegmentRef segment;
  LogPos stable;
  std::uint64_t pins = 0;
  {
    const std::lock_guard lock(core_.mutex);
    segment = core_.segments.find(pos);
    if (segment == nullptr || pos + reference.base_stored > segment->end()) return false;
    if (pos >= core_.arena.hot_begin()) core_.arena.pin(pos, reference.base_stored, &pins);
    stable = core_.writer.done_pos();
  }
  if (pins != 0) {
    use(core_.arena.at(pos));
    core_.arena.unpin(pins);
    return true;
  }
  base.segment = segment.get();
  base.offset = static_cast<std::uint32_t>(pos - segment->base);
  base.bytes = reference.base_stored;
  base.crc = reference.base_crc;
  std::vector<std::uint8_t> copy;
  if (base.offset % Extent::kBytes + base.bytes > Extent::kBytes) copy.resize(base.bytes);
  const std::uint8_t *at = nullptr;
  switch (place(base, stable, {}, last, copy.data(), &at)) {
    case Found::kGood:
      if (!vouches_for(**last, base) && !mutated("checksum-of-bases") && crc32c(at, base.bytes) != base.crc) return false;
      use(at);
      return true;
    case Found::kBad: return false;
    case Found::kUnread: break;
  }
  copy.resize(base.bytes);
  if (!read_direct(base, copy.data()) && !read_direct(base, copy.data())) return false;  // some faults of disks pass
  use(copy.data());
  return true;
}

}  // namespace gantry::commitlog
