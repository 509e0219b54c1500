#include "scan.hpp"

#include "mutation.hpp"

#include <gantry++/bytes.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gantry::commitlog {

namespace {
constexpr std::size_t kWindow = 4u << 20;
}

SegmentReader::SegmentReader(Files &files, const Segment &segment) : files_(files), segment_(segment), buffer_(kWindow) {}

Result<std::span<const std::uint8_t>> SegmentReader::at(std::int64_t offset, std::size_t bytes) {
  const std::int64_t wanted_end = std::min<std::int64_t>(segment_.bytes, offset + static_cast<std::int64_t>(bytes));
  if (offset < begin_ || wanted_end > end_) {
    const std::int64_t begin = align_down(offset, kBlock);
    const auto need = static_cast<std::size_t>(align_up(wanted_end - begin, kBlock));
    if (need > buffer_.size()) buffer_ = AlignedBuffer(need);
    const auto most = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(buffer_.size()), align_up(segment_.bytes - begin, kBlock)));
    std::int64_t got = files_.read(segment_.file.get(), buffer_.data(), most, begin);
    if (got == -EIO) got = read_around(begin, most);
    if (got < 0) return file_error("read log file", segment_.path, got);
    bytes_read_ += static_cast<std::uint64_t>(got);
    begin_ = begin;
    end_ = begin + got;
  }
  if (offset >= end_) return std::span<const std::uint8_t>();
  return std::span<const std::uint8_t>(buffer_.data() + (offset - begin_), static_cast<std::size_t>(end_ - offset));
}

// Some blocks cannot be read, perhaps only this time: zeros stand for those that cannot be read now either, and whatever was there is damaged.
std::int64_t SegmentReader::read_around(std::int64_t begin, std::size_t bytes) {
  std::int64_t done = 0;
  while (done < static_cast<std::int64_t>(bytes)) {
    const std::int64_t got = files_.read(segment_.file.get(), buffer_.data() + done, kBlock, begin + done);
    if (got >= 0 && got < std::int64_t{kBlock}) return done + got;
    if (got < 0 && got != -EIO) return got;
    if (got < 0) {
      std::memset(buffer_.data() + done, 0, kBlock);
      unreadable_bytes_ += kBlock;
    }
    done += kBlock;
  }
  return done;
}

Result<void> scan_unit(SegmentReader &reader, const Segment &segment, LogPos pos, std::uint64_t min_epoch, bool verify_records, ScannedUnit *out) {
  out->found = Found::kNothing;
  out->bad_count = 0;
  const std::int64_t offset = pos - segment.base;
  Result<std::span<const std::uint8_t>> head = reader.at(offset, sizeof(FrameHeader));
  if (!head) return std::move(head.error());
  const std::optional<Unit> unit = parse_unit(*head, pos, min_epoch);
  if (!unit || unit->bytes > segment.bytes - offset) return {};
  out->unit = *unit;
  if (unit->kind == Kind::kFiller) {
    out->found = Found::kFiller;
    return {};
  }
  Result<std::span<const std::uint8_t>> bytes = reader.at(offset, unit->bytes);
  if (!bytes) return std::move(bytes.error());
  if (!parse_frame(*bytes, unit->header, &out->frame)) {
    out->found = Found::kDamagedFrame;
    return {};
  }
  out->found = Found::kFrame;
  out->bad.assign(out->frame.records.size(), 0);
  if (!verify_records) return {};
  for (std::size_t i = 0; i < out->frame.records.size(); ++i) {
    const ParsedRecord &record = out->frame.records[i];
    if (mutated("checksum-of-records-at-the-start") || crc32c(bytes->data() + record.offset_in_frame, record.bytes) == record.crc) continue;
    out->bad[i] = 1;
    ++out->bad_count;
  }
  return {};
}

Result<std::optional<Unit>> find_frame(SegmentReader &reader, const Segment &segment, LogPos pos, LogPos limit, std::uint64_t min_epoch) {
  const std::int64_t end = std::min(segment.end(), limit) - segment.base;
  for (std::int64_t offset = align_up(pos - segment.base, kFrameAlign); offset + static_cast<std::int64_t>(sizeof(FrameHeader)) <= end;) {
    Result<std::span<const std::uint8_t>> bytes = reader.at(offset, sizeof(FrameHeader));
    if (!bytes) return std::move(bytes.error());
    if (bytes->size() < sizeof(FrameHeader)) break;
    std::size_t at = 0;
    for (; at + sizeof(FrameHeader) <= bytes->size() && offset + static_cast<std::int64_t>(at) < end; at += kFrameAlign) {
      if (load_be32(bytes->data() + at + 4) != kBlankMagic) continue;
      const LogPos here = segment.base + (offset + static_cast<std::int64_t>(at));
      const std::optional<Unit> unit = parse_unit(bytes->subspan(at), here, min_epoch);
      if (unit && unit->kind == Kind::kFrame) return std::optional<Unit>(unit);
    }
    offset += static_cast<std::int64_t>(at);
  }
  return std::optional<Unit>();
}

}  // namespace gantry::commitlog
