#include "format.hpp"

#include "mutation.hpp"

#include <gantry++/bytes.hpp>

#include <isa-l/crc.h>

namespace gantry::commitlog {

namespace {
std::uint32_t filler_crc(Filler filler) {
  filler.crc = 0;
  return crc32c(&filler, sizeof filler);
}

template <typename T>
T load(const std::uint8_t *p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
}  // namespace

std::uint32_t crc32c(const void *data, std::size_t bytes, std::uint32_t seed) {
  // isa-l takes the data as non-const and its length as int; frames are far below 2 GiB.
  return ~crc32_iscsi(static_cast<unsigned char *>(const_cast<void *>(data)), static_cast<int>(bytes), ~seed);
}

void put_frame_header(std::uint8_t *out, FrameHeader header) {
  header.size_be = __builtin_bswap32(sizeof header);
  header.magic_be = __builtin_bswap32(kBlankMagic);
  header.kind = Kind::kFrame;
  header.header_crc = crc32c(&header, offsetof(FrameHeader, header_crc));
  std::memcpy(out, &header, sizeof header);
}

void put_filler(std::uint8_t *out, std::uint32_t bytes, LogPos pos, std::uint64_t epoch) {
  GANTRY_ASSERT(bytes >= sizeof(Filler));
  Filler filler;
  filler.size_be = __builtin_bswap32(bytes);
  filler.magic_be = __builtin_bswap32(kBlankMagic);
  filler.pos = pos.v;
  filler.epoch = epoch;
  filler.crc = filler_crc(filler);
  std::memcpy(out, &filler, sizeof filler);
}

void put_blank_head(std::uint8_t *out, Kind kind, std::uint32_t bytes, std::uint32_t count) {
  BlankHead head;
  head.size_be = __builtin_bswap32(bytes);
  head.magic_be = __builtin_bswap32(kBlankMagic);
  head.kind = kind;
  head.count = count;
  std::memcpy(out, &head, sizeof head);
}

void put_reference(std::uint8_t *out, std::uint32_t stored, Reference reference) {
  reference.size_be = __builtin_bswap32(stored);
  reference.magic_be = __builtin_bswap32(kBlankMagic);
  std::memcpy(out, &reference, sizeof reference);
}

void place_whole(const Reference &reference, std::span<const std::uint8_t> stored, const std::uint8_t *borrowed, std::uint8_t *to) {
  const std::span<const std::uint8_t> own = stored.subspan(sizeof reference);
  std::memcpy(to, own.data(), reference.cut);
  std::memcpy(to + reference.cut, borrowed, reference.bytes);
  std::memcpy(to + reference.cut + reference.bytes, own.data() + reference.cut, own.size() - reference.cut);
}

std::optional<Reference> parse_reference(const std::uint8_t *stored, std::uint32_t bytes, LogPos pos) {
  if (bytes < sizeof(Reference) || load_be32(stored) != bytes || load_be32(stored + 4) != kBlankMagic) return std::nullopt;
  const auto reference = load<Reference>(stored);
  const std::uint32_t own = bytes - static_cast<std::uint32_t>(sizeof reference);
  const bool fits = reference.kind == Kind::kReference && reference.cut <= own && reference.bytes > 0 && reference.base_stored <= kMaxRecordBytes &&
                    std::uint64_t{reference.skip} + reference.bytes <= reference.base_stored && std::uint64_t{own} + reference.bytes <= kMaxRecordBytes;
  if (!fits || reference.base_pos < 0 || reference.base_pos > pos.v - reference.base_stored) return std::nullopt;
  return reference;
}

std::optional<Unit> parse_unit(std::span<const std::uint8_t> at, LogPos pos, std::uint64_t min_epoch) {
  if (at.size() < sizeof(Filler) || load_be32(at.data() + 4) != kBlankMagic) return std::nullopt;
  Unit unit;
  unit.kind = load<Kind>(at.data() + 8);
  if (unit.kind == Kind::kFiller) {
    const Filler filler = load<Filler>(at.data());
    unit.bytes = __builtin_bswap32(filler.size_be);
    if ((filler.crc != filler_crc(filler) && !mutated("checksum-of-fillers")) || filler.pos != pos.v || filler.epoch < min_epoch) return std::nullopt;
    if (unit.bytes < sizeof(Filler) || unit.bytes % kFrameAlign != 0) return std::nullopt;
    unit.header.epoch = filler.epoch;
    return unit;
  }
  if (unit.kind != Kind::kFrame || at.size() < sizeof(FrameHeader)) return std::nullopt;
  const FrameHeader header = load<FrameHeader>(at.data());
  if (!mutated("checksum-of-headers") && header.header_crc != crc32c(&header, offsetof(FrameHeader, header_crc))) return std::nullopt;
  if ((header.pos != pos.v && !mutated("position-of-frames")) || (header.epoch < min_epoch && !mutated("epoch-of-frames")) || header.size_be != __builtin_bswap32(sizeof header)) return std::nullopt;
  const std::uint64_t parts = sizeof header + std::uint64_t{header.records_bytes} + header.meta_bytes + header.trailer_bytes;
  if (header.frame_bytes > kMaxFrameBytes || header.frame_bytes % kFrameAlign != 0 || parts != header.frame_bytes) return std::nullopt;
  unit.bytes = header.frame_bytes;
  unit.header = header;
  return unit;
}

std::uint16_t ParsedRecord::link(std::uint32_t i) const { return load<std::uint16_t>(links + 2 * i); }

std::int64_t ParsedRecord::tag(std::uint32_t i) const {
  if (tags == nullptr) return 0;
  return wide_tags ? load<std::int64_t>(tags + 8 * i) : load<std::int32_t>(tags + 4 * i);
}

std::uint64_t ParsedRecord::key(std::uint32_t i) const { return load<std::uint64_t>(keys + 8 * i); }

namespace {
// Bounds-checked steps through the trailer.
struct Cursor {
  const std::uint8_t *p;
  const std::uint8_t *end;
  bool ok = true;

  const std::uint8_t *take(std::size_t n) {
    if (!ok || static_cast<std::size_t>(end - p) < n) {
      ok = false;
      return nullptr;
    }
    p += n;
    return p - n;
  }
};

bool parse_row(Cursor &at, const FrameHeader &header, std::uint32_t offset, ParsedRecord *out) {
  const std::uint8_t *fixed = at.take(kRowFixedBytes);
  if (fixed == nullptr) return false;
  out->offset_in_frame = offset;
  out->bytes = load<std::uint32_t>(fixed);
  out->crc = load<std::uint32_t>(fixed + 4);
  out->n_links = load<std::uint16_t>(fixed + 8);
  out->n_keys = fixed[10];
  const std::uint8_t flags = fixed[11];
  out->refers = (flags & kRowRefers) != 0;
  out->store_ms = header.first_store_ms;
  if ((flags & kRowStoreMs) != 0) {
    const std::uint8_t *delta = at.take(4);
    if (delta == nullptr) return false;
    out->store_ms += load<std::int32_t>(delta);
  }
  out->links = at.take(2 * std::size_t{out->n_links});
  out->wide_tags = (flags & kRowTags64) != 0;
  if ((flags & (kRowTags32 | kRowTags64)) != 0) out->tags = at.take((out->wide_tags ? 8 : 4) * std::size_t{out->n_links});
  out->keys = at.take(8 * std::size_t{out->n_keys});
  if (!at.ok || out->bytes == 0 || (out->refers && out->bytes < sizeof(Reference))) return false;
  for (std::uint32_t i = 0; i < out->n_links; ++i) {
    if (out->link(i) >= header.queue_count) return false;
  }
  return true;
}

bool parse_trailer(std::span<const std::uint8_t> bytes, const FrameHeader &header, ParsedFrame *out) {
  Cursor at{bytes.data(), bytes.data() + bytes.size()};
  const std::uint8_t *head = at.take(sizeof(BlankHead));
  if (head == nullptr || load_be32(head) != bytes.size() || load_be32(head + 4) != kBlankMagic) return false;
  const BlankHead fields = load<BlankHead>(head);
  if (fields.kind != Kind::kTrailer || fields.count != header.queue_count) return false;
  const std::uint8_t *queues = at.take(sizeof(QueueRow) * std::size_t{header.queue_count});
  if (queues == nullptr) return false;
  out->queues.resize(header.queue_count);
  if (header.queue_count > 0) std::memcpy(out->queues.data(), queues, sizeof(QueueRow) * out->queues.size());

  std::uint64_t offset = sizeof(FrameHeader);
  const std::uint64_t records_end = offset + header.records_bytes;
  for (std::uint32_t i = 0; i < header.record_count; ++i) {
    ParsedRecord record;
    if (!parse_row(at, header, static_cast<std::uint32_t>(offset), &record)) return false;
    offset += record.bytes;
    if (offset > records_end) return false;
    out->records.push_back(record);
  }
  return offset == records_end;
}
}  // namespace

namespace {
void note_bases(std::span<const std::uint8_t> frame, ParsedFrame *out) {
  for (ParsedRecord &record : out->records) {
    if (!record.refers) continue;
    const LogPos pos{out->header.pos + record.offset_in_frame};
    if (const auto reference = parse_reference(frame.data() + record.offset_in_frame, record.bytes, pos)) record.base_pos = reference->base_pos;
  }
}
}  // namespace

bool parse_frame(std::span<const std::uint8_t> frame, const FrameHeader &header, ParsedFrame *out) {
  out->header = header;
  out->queues.clear();
  out->records.clear();
  out->ops.clear();
  if (frame.size() < header.frame_bytes) return false;
  const std::uint8_t *tail = frame.data() + sizeof(FrameHeader) + header.records_bytes;
  if (!mutated("checksum-of-trailers") && crc32c(tail, std::size_t{header.meta_bytes} + header.trailer_bytes) != header.tail_crc) return false;
  if (header.meta_bytes > 0) {
    if (header.meta_bytes < sizeof(BlankHead)) return false;
    const BlankHead head = load<BlankHead>(tail);
    if (head.kind != Kind::kMeta || load_be32(tail) != header.meta_bytes || load_be32(tail + 4) != kBlankMagic) return false;
    if (!parse_meta_ops({tail + sizeof head, header.meta_bytes - sizeof head}, head.count, &out->ops)) return false;
  }
  if (!parse_trailer({tail + header.meta_bytes, header.trailer_bytes}, header, out)) return false;
  note_bases(frame, out);
  return true;
}

void put_meta_op(std::vector<std::uint8_t> &out, MetaOpKind op, std::span<const char> key, std::span<const char> value) {
  const std::size_t at = out.size();
  out.resize(at + kMetaOpFixedBytes + key.size() + value.size());
  std::uint8_t *p = out.data() + at;
  const auto key_bytes = static_cast<std::uint16_t>(key.size());
  const auto value_bytes = static_cast<std::uint32_t>(value.size());
  p[0] = static_cast<std::uint8_t>(op);
  p[1] = 0;
  std::memcpy(p + 2, &key_bytes, sizeof key_bytes);
  std::memcpy(p + 4, &value_bytes, sizeof value_bytes);
  if (!key.empty()) std::memcpy(p + kMetaOpFixedBytes, key.data(), key.size());
  if (!value.empty()) std::memcpy(p + kMetaOpFixedBytes + key.size(), value.data(), value.size());
}

bool parse_meta_ops(std::span<const std::uint8_t> bytes, std::uint32_t count, std::vector<MetaOp> *out) {
  Cursor at{bytes.data(), bytes.data() + bytes.size()};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint8_t *fixed = at.take(kMetaOpFixedBytes);
    if (fixed == nullptr) return false;
    MetaOp op;
    op.op = fixed[0];
    op.key_bytes = load<std::uint16_t>(fixed + 2);
    op.value_bytes = load<std::uint32_t>(fixed + 4);
    op.key = reinterpret_cast<const char *>(at.take(op.key_bytes));
    op.value = reinterpret_cast<const char *>(at.take(op.value_bytes));
    if (!at.ok || op.op < static_cast<std::uint8_t>(MetaOpKind::kPut) || op.op > static_cast<std::uint8_t>(MetaOpKind::kQueueDrop)) return false;
    out->push_back(op);
  }
  return at.p == at.end;
}

}  // namespace gantry::commitlog
