// Taking records and meta operations into frames.
#include "log_writer.hpp"

#include <gantry++/bytes.hpp>

#include <algorithm>
#include <utility>

namespace gantry::commitlog {

namespace {
constexpr std::uint32_t kHeadBytes = sizeof(FrameHeader);
// Heads of meta block and trailer, and the padding to kFrameAlign.
constexpr std::uint32_t kSideBytes = 2 * sizeof(BlankHead) + kFrameAlign;

constexpr std::uint32_t kMaxSettlingBytes = 4096;  // bigger ones would use up what is reserved for many

// The arena is bigger than any cache: without this each record waits for its lines to come in. A third of the price of an append.
constexpr std::size_t kPrefetchAhead = 2048;
void prefetch(const std::uint8_t *p, std::size_t bytes) {
  constexpr std::size_t kLine = 64, kMost = 4096;
  for (std::size_t at = 0; at < std::min(bytes, kMost); at += kLine) __builtin_prefetch(p + at, 1, 3);
}

// From the flag of a row in the trailer to that of the row in the index.
constexpr std::uint32_t kRefersShift = 28;
static_assert(std::uint32_t{kRowRefers} << kRefersShift == RecordRow::kRefers);

bool fits_delta(std::int64_t from, std::int64_t to) {
  std::int64_t delta;
  return !__builtin_sub_overflow(to, from, &delta) && delta == static_cast<std::int32_t>(delta) && delta != kUnknownStoreMs;
}
}  // namespace

LogWriter::LogWriter(Arena &arena, QueueTable &queues, SegmentList &segments) : arena_(arena), queues_(queues), segments_(segments) {}

void LogWriter::start(LogPos pos, std::uint64_t epoch, std::uint32_t default_durability, std::int64_t segment_bytes) {
  GANTRY_ASSERT(pos.v % kBlock == 0);
  epoch_ = epoch;
  default_durability_ = default_durability;
  next_pos_ = done_pos_ = acked_pos_ = flushed_ = plain_done_ = plain_submitted_ = pos;
  arena_.start_at(pos);
  const std::int64_t limit = std::min<std::int64_t>({kMaxRecordBytes, static_cast<std::int64_t>(arena_.bytes() / 4), segment_bytes / 4});
  max_record_bytes_ = static_cast<std::uint32_t>(limit);
  max_meta_bytes_ = static_cast<std::uint32_t>(
      std::min<std::int64_t>({kMaxRecordBytes, static_cast<std::int64_t>(arena_.bytes() / 2), segment_bytes / 2}));
}

std::int32_t LogWriter::check(const gantry_append &r) const {
  if (r.base_bytes != 0) return GANTRY_E_INVALID;  // References makes a record of its own of it
  if (r.n_spans == 0 || r.n_links == 0 || r.n_links > kMaxLinks || r.n_keys > kMaxKeys || (r.flags & ~GANTRY_APPEND_SETTLES) != 0 ||
      r.durability > GANTRY_DURABILITY_DURABLE) {
    return GANTRY_E_INVALID;
  }
  if (r.bytes == 0 || r.bytes > max_record_bytes_) return GANTRY_E_INVALID;
  std::uint64_t sum = 0, reserved = 0;
  for (std::uint32_t i = 0; i < r.n_spans; ++i) sum += r.spans[i].n;
  for (const std::uint64_t word : r.reserved) reserved |= word;
  if (sum != r.bytes || reserved != 0) return GANTRY_E_INVALID;
  for (const std::uint16_t fix : {r.fix_queue_off, r.fix_phys_off, r.fix_store_ms}) {
    if (fix != GANTRY_NO_FIX && fix + 8u > r.spans[0].n) return GANTRY_E_INVALID;
  }
  for (std::uint32_t i = 0; i < r.n_links; ++i) {
    if (queues_.get(r.links[i].queue) == nullptr) return GANTRY_E_INVALID;
  }
  return GANTRY_OK;
}

void LogWriter::expect(const gantry_append *requests, std::uint32_t n) {
  constexpr std::uint64_t kCached = 4096;  // queues whose state stays in the caches anyway
  if (queues_.alive() <= kCached || n < 2) return;
  // Prefetches stand here and in no function of their own: GCC takes a call that does nothing else for one without effect.
  const auto part_of = [&](const gantry_append &r) {
    const QueueState *state = r.n_links > 0 ? queues_.place_of(r.links[0].queue) : nullptr;
    return state != nullptr ? state->part : nullptr;
  };
  for (std::uint32_t i = 0; i < n; ++i)
    if (requests[i].n_links > 0) __builtin_prefetch(queues_.place_of(requests[i].links[0].queue), 1);
  for (std::uint32_t i = 0; i < n; ++i) __builtin_prefetch(part_of(requests[i]), 1);
  for (std::uint32_t i = 0; i < n; ++i) {
    const QueuePart *part = part_of(requests[i]);
    if (part != nullptr && part->count < QueuePart::kFirst) __builtin_prefetch(part->c0 + part->count, 1);
  }
}

// On a full disk.
std::int64_t LogWriter::left_for_records() const {
  std::int64_t left = segments_.active().for_rows ? 0 : std::max<std::int64_t>(0, segments_.active().end() - taken_pos() - reserve_bytes_);
  for (const SegmentRef &segment : segments_.ready) left += segment->for_rows ? 0 : segment->bytes;
  return left;
}

std::int32_t LogWriter::append(const gantry_append &request, gantry_cq cq) {
  if (fenced_) return fence_code_;
  if (const std::int32_t rc = check(request); rc != GANTRY_OK) return rc;
  for_reserve_ = (request.flags & GANTRY_APPEND_SETTLES) != 0 && request.bytes <= kMaxSettlingBytes;
  if (no_space_ && !for_reserve_ && left_for_records() < std::int64_t{request.bytes}) {
    refused_ = true;
    return GANTRY_E_NO_SPACE;
  }
  const std::uint32_t need = request.bytes + row_bytes_bound(request.n_links, request.n_keys);
  if (const std::int32_t rc = ensure(need, request.store_ms, true); rc != GANTRY_OK) {
    if (rc == GANTRY_E_AGAIN) ++counts_.again;
    return rc;
  }
  add_record(request, cq);
  if (open_->body + open_->side >= kFrameSoftBytes) close_frame();
  return GANTRY_OK;
}

std::int32_t LogWriter::append_referring(const gantry_append &stored, LogPos base, gantry_cq cq) {
  refers_ = kRowRefers;
  const std::int32_t rc = append(stored, cq);
  refers_ = 0;
  // The log goes on to the next segment only with a later record.
  Segment &segment = segments_.active();
  if (rc == GANTRY_OK) segment.oldest_base = std::min(segment.oldest_base, base);
  return rc;
}

// An open frame with `need` more bytes of room, in the arena as well, behind all operations that must come first.
std::int32_t LogWriter::ensure(std::uint32_t need, std::int64_t store_ms, bool is_record) {
  if (pending_op_count_ > 0) {
    if (const std::int32_t rc = place_pending_ops(); rc != GANTRY_OK) return rc;
  }
  const bool full = !fits(need) || open_->queues.size() + kMaxLinks > kMaxFrameQueues;
  if (full || (is_record && open_->record_count > 0 && !fits_delta(open_->first_store_ms, store_ms))) {
    if (const std::int32_t rc = open_frame(need, store_ms, is_record); rc != GANTRY_OK) return rc;
  }
  const LogPos end = align_up(open_->start + (std::int64_t{open_->body} + open_->side + need), kBlock);
  return arena_.make_room(end, done_pos_) ? GANTRY_OK : GANTRY_E_AGAIN;
}

std::int32_t LogWriter::place_pending_ops() {
  const bool before = std::exchange(for_reserve_, true);
  const std::int32_t rc = place_ops();
  for_reserve_ = before;
  return rc;
}

std::int32_t LogWriter::place_ops() {
  while (pending_op_count_ > 0) {
    const std::uint8_t *at = pending_ops_.data() + pending_at_;
    std::uint16_t key_bytes;
    std::uint32_t value_bytes;
    std::memcpy(&key_bytes, at + 2, sizeof key_bytes);
    std::memcpy(&value_bytes, at + 4, sizeof value_bytes);
    const std::uint32_t bytes = kMetaOpFixedBytes + key_bytes + value_bytes;
    if (!fits(bytes)) {
      if (const std::int32_t rc = open_frame(bytes, 0, false); rc != GANTRY_OK) return rc;
    }
    const LogPos end = align_up(open_->start + (std::int64_t{open_->body} + open_->side + bytes), kBlock);
    if (!arena_.make_room(end, done_pos_)) return GANTRY_E_AGAIN;
    open_->meta.insert(open_->meta.end(), at, at + bytes);
    open_->side += bytes;
    ++open_->meta_count;
    pending_at_ += bytes;
    --pending_op_count_;
    if (open_->side >= kFrameSoftBytes) close_frame();
  }
  pending_ops_.clear();
  pending_at_ = 0;
  return GANTRY_OK;
}

void LogWriter::add_record(const gantry_append &r, gantry_cq cq) {
  Frame &frame = *open_;
  Segment &segment = *frame.segment;
  const LogPos pos = frame.start + frame.body;
  std::uint8_t *const record = arena_.at(pos);
  std::uint8_t *to = record;
  for (std::uint32_t i = 0; i < r.n_spans; ++i) {
    if (r.spans[i].n == 0) continue;  // an empty span may have no address, which memcpy must not see
    std::memcpy(to, r.spans[i].p, r.spans[i].n);
    to += r.spans[i].n;
  }
  prefetch(to + kPrefetchAhead, r.bytes);
  const std::int64_t first_off = queues_.get(r.links[0].queue)->appended.v;
  if (r.fix_queue_off != GANTRY_NO_FIX) store_be64(record + r.fix_queue_off, static_cast<std::uint64_t>(first_off));
  if (r.fix_phys_off != GANTRY_NO_FIX) store_be64(record + r.fix_phys_off, static_cast<std::uint64_t>(pos.v));
  if (r.fix_store_ms != GANTRY_NO_FIX) store_be64(record + r.fix_store_ms, static_cast<std::uint64_t>(r.store_ms));
  const std::uint32_t crc = crc32c(record, r.bytes);

  if (segment.index->record_count() == 0) segment.first_store_ms = r.store_ms;
  segment.last_store_ms = std::max(segment.last_store_ms, r.store_ms);
  if (frame.record_count == 0) frame.first_store_ms = r.store_ms;
  const auto offset = static_cast<std::uint32_t>(pos - segment.base);
  // A store time 24.8 days after the segment's first would not fit; open_frame has moved on to a new segment before that.
  const std::uint32_t row = segment.index->add_record({offset, r.bytes | std::uint32_t{refers_} << kRefersShift, crc, store_ms_delta(segment.first_store_ms, r.store_ms)});
  for (std::uint32_t i = 0; i < r.n_keys; ++i) segment.index->add_key(r.key_hashes[i], offset);
  std::int64_t link0_off = first_off;
  put_row(r, crc, row, &link0_off);

  frame.body += r.bytes;
  ++frame.record_count;
  frame.durability = std::max(frame.durability, r.durability != GANTRY_DURABILITY_DEFAULT ? r.durability : default_durability_);
  frame.add_completion(cq, {r.user_data, pos.v, static_cast<std::uint64_t>(link0_off), GANTRY_OK, 0});
  ++counts_.records;
  counts_.record_bytes += r.bytes;
}

// The record's row of the trailer, and its entries in the queues.
void LogWriter::put_row(const gantry_append &r, std::uint32_t crc, std::uint32_t record, std::int64_t *first_off) {
  Frame &frame = *open_;
  const std::size_t queues_before = frame.queues.size();
  std::uint8_t *const row = frame.rows.reserve(row_bytes_bound(r.n_links, r.n_keys));
  const auto delta = static_cast<std::int32_t>(r.store_ms - frame.first_store_ms);
  std::uint8_t *p = row + kRowFixedBytes;
  std::uint8_t flags = refers_;
  if (delta != 0) {
    flags |= kRowStoreMs;
    std::memcpy(p, &delta, sizeof delta);
    p += sizeof delta;
  }
  std::int64_t any = 0;
  bool wide = false;
  for (std::uint32_t i = 0; i < r.n_links; ++i) {
    const gantry_link &link = r.links[i];
    QueueState &queue = *queues_.get(link.queue);
    // A stale frame_row is found out by the row it points at.
    if (queue.frame_row >= frame.queues.size() || frame.queues[queue.frame_row].queue != link.queue) {
      queue.frame_row = static_cast<std::uint16_t>(frame.queues.size());
      frame.queues.push_back({static_cast<std::uint32_t>(link.queue), 0, queue.appended.v});
    }
    ++frame.queues[queue.frame_row].count;
    std::memcpy(p, &queue.frame_row, 2);
    p += 2;
    QueuePart *part = queue.part;
    if (part == nullptr || part->segment_no != frame.segment->no) [[unlikely]] {
      QueuePart *fresh = frame.segment->index->add_part(static_cast<std::uint32_t>(link.queue), queue.appended);
      fresh->older = part;
      part = queue.part = fresh;
    }
    frame.segment->index->add_entry(part, record, link.tag);
    if (i == 0) *first_off = queue.appended.v;
    if (r.link_offsets != nullptr) r.link_offsets[i] = queue.appended.v;
    queue.appended = queue.appended + 1;
    any |= link.tag;
    wide |= link.tag != static_cast<std::int32_t>(link.tag);
  }
  if (any != 0) {
    flags |= wide ? kRowTags64 : kRowTags32;
    for (std::uint32_t i = 0; i < r.n_links; ++i) {
      std::memcpy(p, &r.links[i].tag, wide ? 8 : 4);  // little-endian: the low half comes first
      p += wide ? 8 : 4;
    }
  }
  if (r.n_keys > 0) std::memcpy(p, r.key_hashes, 8 * std::size_t{r.n_keys});
  p += 8 * std::size_t{r.n_keys};
  const auto n_links = static_cast<std::uint16_t>(r.n_links);
  std::memcpy(row, &r.bytes, 4);
  std::memcpy(row + 4, &crc, 4);
  std::memcpy(row + 8, &n_links, 2);
  row[10] = static_cast<std::uint8_t>(r.n_keys);
  row[11] = flags;
  frame.rows.commit(p);
  frame.side += static_cast<std::uint32_t>(p - row) + static_cast<std::uint32_t>((frame.queues.size() - queues_before) * sizeof(QueueRow));
}

std::int32_t LogWriter::meta(std::span<const std::uint8_t> ops, std::uint32_t count, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) {
  if (fenced_) return fence_code_;
  if (ops.size() > max_meta_bytes_) return GANTRY_E_LIMIT;
  for_reserve_ = true;
  if (const std::int32_t rc = ensure(static_cast<std::uint32_t>(ops.size()), 0, false); rc != GANTRY_OK) return rc;
  open_->meta.insert(open_->meta.end(), ops.begin(), ops.end());
  open_->side += static_cast<std::uint32_t>(ops.size());
  open_->meta_count += count;
  open_->durability = std::max(open_->durability, durability != GANTRY_DURABILITY_DEFAULT ? durability : default_durability_);
  open_->add_completion(cq, {user_data, 0, 0, GANTRY_OK, 0});
  if (open_->body + open_->side >= kFrameSoftBytes) close_frame();
  return GANTRY_OK;
}

std::int32_t LogWriter::mark(std::uint32_t flags, std::uint32_t durability) {
  if (fenced_) return fence_code_;
  for_reserve_ = true;
  if (const std::int32_t rc = ensure(0, 0, false); rc != GANTRY_OK) return rc;
  open_->flags |= flags;
  open_->durability = std::max(open_->durability, durability);
  return GANTRY_OK;
}

std::int32_t LogWriter::roll_refusal() {
  if (!segments_.ready.empty()) return GANTRY_OK;
  if (!no_space_) return GANTRY_E_AGAIN;
  if (!for_reserve_) {
    refused_ = true;
    return GANTRY_E_NO_SPACE;
  }
  rows_wait_ = true;
  return rows_refused_ ? GANTRY_E_NO_SPACE : GANTRY_E_AGAIN;
}

// Closes the open frame and opens one with room for `need`, passing over the ends of arena and segment with fillers.
std::int32_t LogWriter::open_frame(std::uint32_t need, std::int64_t store_ms, bool is_record) {
  if (open_ != nullptr && open_->has_content()) close_frame();
  for (;;) {
    Segment &segment = segments_.active();
    const bool quiet = frames_.size() == done_;  // no block of the log is being written
    const LogPos start = quiet ? next_pos_ : align_up(next_pos_, kBlock);
    LogPos limit = std::min(segment.end(), arena_.next_boundary(start));
    bool enough = start < segment.end() && limit - start >= kHeadBytes + kSideBytes + std::int64_t{need};
    const bool too_old = is_record && segment.index->record_count() > 0 && store_ms > segment.first_store_ms &&
                         !fits_delta(segment.first_store_ms, store_ms);
    if (too_old) {
      limit = segment.end();
      enough = false;
    }
    const LogPos first_needed = align_up(start + static_cast<std::int64_t>(sizeof(Filler)), kBlock);
    if (!arena_.make_room(enough ? align_up(start + (kHeadBytes + kSideBytes), kBlock) : first_needed, done_pos_)) return GANTRY_E_AGAIN;
    if (enough) {
      if (open_ == nullptr) open_ = new_frame(start);
      open_->start = start;
      open_->segment = &segment;
      open_->room = static_cast<std::uint32_t>(std::min<std::int64_t>(limit - start, kMaxFrameBytes));
      return GANTRY_OK;
    }
    if (limit == segment.end()) {
      if (const std::int32_t rc = roll_refusal(); rc != GANTRY_OK) return rc;
    }
    if (start < limit) put_filler_frame(start, limit);
    next_pos_ = limit;
    if (limit == segment.end()) roll();
  }
}

Frame *LogWriter::new_frame(LogPos start) {
  if (free_frames_.empty()) {
    all_frames_.push_back(std::make_unique<Frame>());
    free_frames_.push_back(all_frames_.back().get());
  }
  Frame *frame = free_frames_.back();
  free_frames_.pop_back();
  frame->reset();
  frame->start = start;
  frame->segment = &segments_.active();
  frame->body = kHeadBytes;
  frame->side = kSideBytes;
  return frame;
}

void LogWriter::put_filler_frame(LogPos from, LogPos to) {
  Frame *frame = new_frame(from);
  put_filler(arena_.at(from), static_cast<std::uint32_t>(to - from), from, epoch_);
  frame->end = from + static_cast<std::int64_t>(sizeof(Filler));
  frame->next = to;
  std::uint8_t *rest = arena_.at(frame->end);
  std::memset(rest, 0, static_cast<std::size_t>(align_up(frame->end, kBlock) - frame->end));
  frames_.push_back(frame);
  counts_.filler_bytes += static_cast<std::uint64_t>(to - from);
}

void LogWriter::roll() {
  SegmentRef next = segments_.ready.front();
  segments_.ready.pop_front();
  GANTRY_ASSERT(next->base == next_pos_);
  segments_.active().sealed = true;
  next->taken = true;
  next->no = segments_.next_no++;
  next->index = std::make_unique<SegmentIndex>(next->no);
  segments_.live.push_back(std::move(next));
}

// Header, meta block and trailer around the records that are in the arena already; then a filler up to the next block, so that the log
// can be walked whether or not the next frame begins there.
void LogWriter::close_frame() {
  Frame &frame = *open_;
  open_ = nullptr;
  std::uint8_t *const head = arena_.at(frame.start);
  std::uint8_t *p = head + frame.body;
  FrameHeader header;
  if (frame.meta_count > 0) {
    header.meta_bytes = static_cast<std::uint32_t>(sizeof(BlankHead) + frame.meta.size());
    put_blank_head(p, Kind::kMeta, header.meta_bytes, frame.meta_count);
    std::memcpy(p + sizeof(BlankHead), frame.meta.data(), frame.meta.size());
    p += header.meta_bytes;
  }
  const std::size_t queue_bytes = frame.queues.size() * sizeof(QueueRow);
  const std::size_t trailer = sizeof(BlankHead) + queue_bytes + frame.rows.size();
  const auto total = static_cast<std::uint32_t>(align_up(static_cast<std::int64_t>(frame.body + header.meta_bytes + trailer), kFrameAlign));
  header.trailer_bytes = total - frame.body - header.meta_bytes;
  put_blank_head(p, Kind::kTrailer, header.trailer_bytes, static_cast<std::uint32_t>(frame.queues.size()));
  if (queue_bytes > 0) std::memcpy(p + sizeof(BlankHead), frame.queues.data(), queue_bytes);
  if (frame.rows.size() > 0) std::memcpy(p + sizeof(BlankHead) + queue_bytes, frame.rows.data(), frame.rows.size());
  std::memset(p + trailer, 0, header.trailer_bytes - trailer);

  header.frame_bytes = total;
  header.pos = frame.start.v;
  header.epoch = epoch_;
  header.stable_pos = done_pos_.v;
  header.first_store_ms = frame.first_store_ms;
  header.records_bytes = frame.body - kHeadBytes;
  header.record_count = frame.record_count;
  header.queue_count = static_cast<std::uint32_t>(frame.queues.size());
  header.flags = frame.flags | gap_flags(last_frame_end_, frame.start);
  header.tail_crc = crc32c(head + frame.body, total - frame.body);
  put_frame_header(head, header);
  GANTRY_ASSERT(total <= frame.room);
  frame.end = frame.next = last_frame_end_ = frame.start + total;
  fill_block(frame);
  next_pos_ = frame.end;
  needs_mark_ = frame.record_count > 0 || frame.meta_count > 0;
  frames_.push_back(&frame);
}

void LogWriter::fill_block(Frame &frame) {
  const std::int64_t gap = align_up(frame.end, kBlock) - frame.end;
  if (gap == 0) return;
  std::uint8_t *p = arena_.at(frame.end);
  put_filler(p, static_cast<std::uint32_t>(gap), frame.end, epoch_);
  std::memset(p + sizeof(Filler), 0, static_cast<std::size_t>(gap) - sizeof(Filler));
}

}  // namespace gantry::commitlog
