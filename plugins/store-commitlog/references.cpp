#include "references.hpp"

#include "index_view.hpp"

#include <algorithm>

namespace gantry::commitlog {

namespace {
// A base is kept for as long as what refers to it, so it must not be old: of the time that records are kept, and of the bytes.
constexpr std::int64_t kAgeShare = 2, kBytesShare = 4;
}  // namespace

std::int32_t References::append(const gantry_append &request, gantry_cq cq) {
  if (request.n_spans == 0 || request.bytes > core_.writer.max_record_bytes()) return GANTRY_E_INVALID;
  std::uint64_t sum = request.base_bytes;
  for (std::uint32_t i = 0; i < request.n_spans; ++i) sum += request.spans[i].n;
  if (sum != request.bytes) return GANTRY_E_INVALID;
  for (const std::uint16_t fix : {request.fix_queue_off, request.fix_phys_off, request.fix_store_ms}) {
    if (fix != GANTRY_NO_FIX && fix + 8u > request.spans[0].n) return GANTRY_E_INVALID;
  }
  Base base;
  Resolved resolved;
  if (const std::int32_t rc = find({request.base_pos}, &base); rc != GANTRY_OK) return rc;
  if (const std::int32_t rc = resolve(request, base, &resolved); rc != GANTRY_OK) return rc;
  if (!core_.references_allowed) {
    core_.references_wanted = true;
    core_.wake_background();
    return GANTRY_E_STALE;
  }
  const LogPos base_pos{resolved.reference.base_pos};
  if (!may_refer_to(base_pos)) return GANTRY_E_STALE;

  gantry_append stored = request;
  const gantry_span &first = request.spans[0];
  resolved.reference.cut = first.n + static_cast<std::uint32_t>(resolved.before.size());
  stored.bytes = request.bytes - resolved.reference.bytes + static_cast<std::uint32_t>(sizeof(Reference));
  if (stored.bytes > core_.writer.max_record_bytes()) return GANTRY_E_STALE;  // a few bytes are borrowed for a record of the greatest size
  // One span, since the arena that the base's bytes are in may be written to before they are copied.
  head_.resize(sizeof(Reference));
  put_reference(head_.data(), stored.bytes, resolved.reference);
  if (first.n > 0) head_.insert(head_.end(), first.p, first.p + first.n);
  head_.insert(head_.end(), resolved.before.begin(), resolved.before.end());
  head_.insert(head_.end(), resolved.behind.begin(), resolved.behind.end());
  spans_.assign(1, {head_.data(), static_cast<std::uint32_t>(head_.size()), 0, nullptr});
  spans_.insert(spans_.end(), request.spans + 1, request.spans + request.n_spans);
  stored.spans = spans_.data();
  stored.base_pos = 0;
  stored.base_skip = stored.base_bytes = 0;
  for (std::uint16_t *fix : {&stored.fix_queue_off, &stored.fix_phys_off, &stored.fix_store_ms}) {
    if (*fix != GANTRY_NO_FIX) *fix = static_cast<std::uint16_t>(*fix + sizeof(Reference));
  }
  return core_.writer.append_referring(stored, base_pos, cq);
}

// The row of the record at `pos`, from memory alone.
std::int32_t References::find(LogPos pos, Base *out) {
  if (pos.v < 0 || pos >= core_.writer.acked_pos()) return GANTRY_E_NOT_FOUND;
  const SegmentRef segment = core_.segments.find(pos);
  if (segment == nullptr || segment->no < core_.segments.first_no()) return GANTRY_E_NOT_FOUND;
  out->pos = pos;
  const auto offset = static_cast<std::uint32_t>(pos - segment->base);
  if (pos < core_.arena.hot_begin()) out->extent = core_.extents.find(pos - offset % Extent::kBytes);
  if (segment->index != nullptr) {
    const std::uint32_t number = segment->index->find_record(offset);
    if (number == kNoRecord) return GANTRY_E_NOT_FOUND;
    out->row = segment->index->record(number);
  } else {
    // Whoever refers to it has just read it, so its extent is here, with its row.
    if (out->extent == nullptr) return GANTRY_E_STALE;
    const std::vector<RecordRow> &rows = out->extent->bases;
    const auto at = std::lower_bound(rows.begin(), rows.end(), offset, [](const RecordRow &row, std::uint32_t o) { return row.offset < o; });
    if (at == rows.end() || at->offset != offset) return GANTRY_E_STALE;
    out->row = *at;
  }
  if (out->row.damaged() || (out->extent != nullptr && out->extent->is_bad(pos))) return GANTRY_E_NOT_FOUND;
  return GANTRY_OK;
}

// Null: they are not at hand.
const std::uint8_t *References::stored_bytes(const Base &base) const {
  if (base.pos >= core_.arena.hot_begin()) return core_.arena.at(base.pos);
  if (base.extent == nullptr || base.pos + base.row.bytes() > base.extent->end()) return nullptr;
  return base.extent->at(base.pos);
}

// What is borrowed is stored bytes of one record: of the base, or of the base's base with the bytes of the base itself taken over.
std::int32_t References::resolve(const gantry_append &request, const Base &base, Resolved *out) const {
  const std::uint32_t stored = base.row.bytes();
  Reference &to = out->reference;
  to.base_pos = base.pos.v;
  to.base_stored = stored;
  to.base_crc = base.row.crc;
  to.skip = request.base_skip;
  to.bytes = request.base_bytes;
  const std::uint64_t end = std::uint64_t{request.base_skip} + request.base_bytes;
  if (!base.row.refers()) return end <= stored ? GANTRY_OK : GANTRY_E_INVALID;

  const std::uint8_t *bytes = stored_bytes(base);
  if (bytes == nullptr) return GANTRY_E_STALE;
  const Reference from = stored_reference(bytes);
  if (end > whole_bytes(from, stored)) return GANTRY_E_INVALID;
  const auto last = static_cast<std::uint32_t>(end);
  const std::uint32_t body_end = from.cut + from.bytes;
  const std::uint32_t begin = std::max(request.base_skip, from.cut), stop = std::min(last, body_end);
  if (begin >= stop) {  // own bytes of the base alone
    to.skip = static_cast<std::uint32_t>(sizeof from) + request.base_skip - (request.base_skip >= body_end ? from.bytes : 0);
    return GANTRY_OK;
  }
  const std::uint8_t *own = bytes + sizeof from;
  if (request.base_skip < from.cut) out->before = {own + request.base_skip, from.cut - request.base_skip};
  if (last > body_end) out->behind = {own + from.cut, last - body_end};
  to.base_pos = from.base_pos;
  to.base_stored = from.base_stored;
  to.base_crc = from.base_crc;
  to.skip = from.skip + (begin - from.cut);
  to.bytes = stop - begin;
  return GANTRY_OK;
}

bool References::may_refer_to(LogPos base) const {
  const SegmentRef segment = core_.segments.find(base);
  if (segment == nullptr || segment->no < core_.segments.first_no()) return false;
  const Options &options = core_.options;
  if (options.retention_ms > 0 && segment->last_store_ms < core_.host.wall_ms() - options.retention_ms / kAgeShare) return false;
  const std::int64_t distance = core_.writer.taken_pos() - base;
  if (options.retention_bytes > 0 && distance > options.retention_bytes / kBytesShare) return false;
  return is_in_reach(core_.segments.active().end() + core_.options.segment_bytes, base);
}

}  // namespace gantry::commitlog
