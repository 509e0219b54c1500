// The bytes of the log: frames, fillers and what is inside them. docs/formats/commitlog.md has the pictures.
//
//   log    = { frame | filler }
//   frame  = header, records back to back, [meta block], trailer
//
// Header, filler, meta block and trailer each begin with RocketMQ's end-of-file form {int32 size, 0xCBD43194} in big-endian, so a
// walker that knows only `size` at each step passes over all of them and meets every record. Everything else is little-endian.
// A frame begins at a multiple of kFrameAlign and crosses no segment. Every segment begins with a frame or a filler.
#pragma once

#include "types.hpp"

#include <gantry/draft/store.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace gantry::commitlog {

inline constexpr std::uint32_t kBlankMagic = 0xCBD43194u;
inline constexpr std::uint32_t kBlock = 4096;       // unit of writes; the disk may tear within it, never across acknowledged bytes
inline constexpr std::uint32_t kFrameAlign = 32;    // so that a filler always fits between the end of a frame and a block
inline constexpr std::uint32_t kFrameSoftBytes = 256u << 10;  // an open frame is closed once it is this big
inline constexpr std::uint32_t kMaxRecordBytes = 8u << 20;
inline constexpr std::uint32_t kMaxFrameBytes = 16u << 20;    // larger sizes in a header are damage
inline constexpr std::uint32_t kMaxLinks = 4096;    // queues of one record
inline constexpr std::uint32_t kMaxKeys = 255;      // key hashes of one record
inline constexpr std::uint32_t kMaxFrameQueues = 65535;

// Formats of the log. 2: there may be references; a build that does not know them must not open it, see format_mark.hpp.
inline constexpr std::uint32_t kFormatWithReferences = 2;

enum class Kind : std::uint32_t {  // third word of a blank of ours
  kFrame = 0x4D524647,    // "GFRM"
  kFiller = 0x4C494647,   // "GFIL"
  kMeta = 0x54454D47,     // "GMET"
  kTrailer = 0x4C525447,  // "GTRL"
  kReference = 0x46455247,  // "GREF"
};

inline constexpr std::uint32_t kFrameEpochStart = 1;  // first frame after an open; everything unacknowledged before it was cut
inline constexpr std::uint32_t kFrameMark = 2;        // written when the log went quiet, for its stable_pos
// The upper 24 bits of the flags say how far behind the end of the frame before it this one begins, in units of kFrameAlign. A frame in between whose write
// was lost can leave the filler there that its block ended with before, and would not be missed otherwise.
inline constexpr std::uint32_t kFrameKnowsGap = 4;
inline constexpr std::uint32_t kFrameGapShift = 8;

// Flags for a frame at `start` when the frame before it ended at `end`; 0: not known, or too far.
[[nodiscard]] inline std::uint32_t gap_flags(LogPos end, LogPos start) {
  const std::int64_t units = (start - end) / kFrameAlign;
  return end.v < 0 || units >= 1 << (32 - kFrameGapShift) ? 0 : kFrameKnowsGap | static_cast<std::uint32_t>(units) << kFrameGapShift;
}

struct FrameHeader {
  std::uint32_t size_be = 0, magic_be = 0;
  Kind kind = Kind::kFrame;
  std::uint32_t frame_bytes = 0;      // all of it, a multiple of kFrameAlign
  std::int64_t pos = 0;               // log position of this header
  std::uint64_t epoch = 0;            // grows by one with every open; never falls along the log
  std::int64_t stable_pos = 0;        // all before it was completely written when this frame was closed
  std::int64_t first_store_ms = 0;    // base of the records' store times
  std::uint32_t records_bytes = 0, meta_bytes = 0, trailer_bytes = 0;
  std::uint32_t record_count = 0, queue_count = 0, flags = 0;
  std::uint32_t tail_crc = 0;         // crc32c of meta block and trailer
  std::uint32_t header_crc = 0;       // crc32c of all above
};
static_assert(sizeof(FrameHeader) == 80);

struct Filler {
  std::uint32_t size_be = 0, magic_be = 0;
  Kind kind = Kind::kFiller;
  std::uint32_t crc = 0;  // crc32c of this struct with crc 0
  std::int64_t pos = 0;
  std::uint64_t epoch = 0;
};
static_assert(sizeof(Filler) == kFrameAlign);

struct BlankHead {  // of meta block and trailer
  std::uint32_t size_be = 0, magic_be = 0;
  Kind kind = Kind::kTrailer;
  std::uint32_t count = 0;  // operations; queue rows
};
static_assert(sizeof(BlankHead) == 16);

struct QueueRow {  // trailer: one per queue met in the frame, in order of first use
  std::uint32_t queue = 0;
  std::uint32_t count = 0;      // links of this frame to that queue
  std::int64_t first_off = 0;   // offset of the first of them
};
static_assert(sizeof(QueueRow) == 16);

// Trailer, after the queue rows: per record {u32 bytes, u32 crc32c, u16 n_links, u8 n_keys, u8 flags}, [i32 store_ms - first_store_ms],
// n_links x u16 index of a queue row, [n_links x i32 or i64 tag], n_keys x u64 hash.
inline constexpr std::uint8_t kRowStoreMs = 1;   // the i32 is there, else it is 0
inline constexpr std::uint8_t kRowTags32 = 2;    // tags are there and fit in 32 bits
inline constexpr std::uint8_t kRowTags64 = 4;    // tags are there; neither flag: all are 0
inline constexpr std::uint8_t kRowRefers = 8;    // the record begins with a Reference
inline constexpr std::uint32_t kRowFixedBytes = 12;

// A record whose body, or any other one stretch of its bytes, is stored with an earlier record, its base. What is stored of it is this and then its
// own bytes; the whole record is the first `cut` of these, `bytes` bytes of the base from `skip` on, and the rest of them. A base is read as it is
// stored, so that a reference never leads to another one.
struct Reference {
  std::uint32_t size_be = 0;    // of all that is stored of the record, this included: a walker by `size` passes over it
  std::uint32_t magic_be = 0;
  Kind kind = Kind::kReference;
  std::uint32_t cut = 0;
  std::int64_t base_pos = 0;    // log position of the base, before that of this record
  std::uint32_t base_stored = 0, base_crc = 0;  // as in the base's row of the trailer: whatever is there, it must be this
  std::uint32_t skip = 0, bytes = 0;
};
static_assert(sizeof(Reference) == 40);

[[nodiscard]] std::uint32_t crc32c(const void *data, std::size_t bytes, std::uint32_t seed = 0);

// Upper bound of what a record adds to the trailer.
[[nodiscard]] inline std::uint32_t row_bytes_bound(std::uint32_t n_links, std::uint32_t n_keys) {
  return kRowFixedBytes + 4 + n_links * (2 + 8 + static_cast<std::uint32_t>(sizeof(QueueRow))) + n_keys * 8;
}

// ---- writing

// Fills in size, magic and crc. `out` has room for the struct.
void put_frame_header(std::uint8_t *out, FrameHeader header);
void put_filler(std::uint8_t *out, std::uint32_t bytes, LogPos pos, std::uint64_t epoch);
void put_blank_head(std::uint8_t *out, Kind kind, std::uint32_t bytes, std::uint32_t count);
// `stored`: of the whole record, with the reference.
void put_reference(std::uint8_t *out, std::uint32_t stored, Reference reference);

// ---- reading

// Where the frame before this one ended, if it says so.
[[nodiscard]] inline std::optional<LogPos> end_before(const FrameHeader &header) {
  if ((header.flags & kFrameKnowsGap) == 0) return std::nullopt;
  return LogPos{header.pos - std::int64_t{header.flags >> kFrameGapShift} * kFrameAlign};
}

// What stands at a position. Nothing is trusted: sizes, position, epoch and checksum are checked against the bytes given.
struct Unit {
  Kind kind = Kind::kFrame;
  std::uint32_t bytes = 0;
  FrameHeader header;  // of a frame
};
// nullopt: no valid header of a frame or filler of epoch >= min_epoch at `pos`. Reads at most 80 bytes.
[[nodiscard]] std::optional<Unit> parse_unit(std::span<const std::uint8_t> at, LogPos pos, std::uint64_t min_epoch);

// The reference of a record that is known to hold.
[[nodiscard]] inline Reference stored_reference(const std::uint8_t *stored) {
  Reference reference;
  std::memcpy(&reference, stored, sizeof reference);
  return reference;
}
// Bytes of the whole record.
[[nodiscard]] inline std::uint32_t whole_bytes(const Reference &reference, std::uint32_t stored) {
  return stored - static_cast<std::uint32_t>(sizeof reference) + reference.bytes;
}
// Puts the whole record together: `stored` is all that is stored of it, `borrowed` the base's part.
void place_whole(const Reference &reference, std::span<const std::uint8_t> stored, const std::uint8_t *borrowed, std::uint8_t *to);
// The reference at the beginning of `stored` bytes of a record at `pos`; nullopt when its fields contradict each other or the place.
[[nodiscard]] std::optional<Reference> parse_reference(const std::uint8_t *stored, std::uint32_t bytes, LogPos pos);

struct ParsedRecord {
  std::uint32_t offset_in_frame = 0, bytes = 0, crc = 0;
  bool refers = false;
  std::int64_t base_pos = INT64_MAX;  // of one that refers, when that can be made out; only to be trusted when the record's crc holds
  std::int64_t store_ms = 0;
  std::uint32_t n_links = 0, n_keys = 0;
  const std::uint8_t *links = nullptr;   // n_links x u16
  const std::uint8_t *tags = nullptr;    // or null
  bool wide_tags = false;
  const std::uint8_t *keys = nullptr;    // n_keys x u64

  [[nodiscard]] std::uint16_t link(std::uint32_t i) const;
  [[nodiscard]] std::int64_t tag(std::uint32_t i) const;
  [[nodiscard]] std::uint64_t key(std::uint32_t i) const;
};

struct MetaOp {
  std::uint8_t op = 0;  // MetaOpKind
  std::uint16_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  const char *key = nullptr;
  const char *value = nullptr;
};

// A frame whose meta block and trailer hold together. Pointers go into the bytes given to parse_frame.
struct ParsedFrame {
  FrameHeader header;
  std::vector<QueueRow> queues;
  std::vector<ParsedRecord> records;
  std::vector<MetaOp> ops;
};
// False: checksum or structure of meta block or trailer is wrong. Records are not verified here: compare crc32c with ParsedRecord::crc.
[[nodiscard]] bool parse_frame(std::span<const std::uint8_t> frame, const FrameHeader &header, ParsedFrame *out);

// ---- meta operations

enum class MetaOpKind : std::uint8_t {
  kPut = 1,
  kDelete = 2,
  kQueueNew = 3,   // key: topic; value: {u32 handle, u32 queue_no, u32 kind}
  kQueueDrop = 4,  // key: empty; value: {u32 handle}
};
struct QueueNewValue {
  std::uint32_t handle = 0, queue_no = 0, kind = 0;
};
inline constexpr std::uint32_t kMetaOpFixedBytes = 8;  // {u8 op, u8 0, u16 key_bytes, u32 value_bytes}

void put_meta_op(std::vector<std::uint8_t> &out, MetaOpKind op, std::span<const char> key, std::span<const char> value);
// Walks `count` operations; false when they do not exactly fill the bytes or one is malformed.
[[nodiscard]] bool parse_meta_ops(std::span<const std::uint8_t> bytes, std::uint32_t count, std::vector<MetaOp> *out);

}  // namespace gantry::commitlog
