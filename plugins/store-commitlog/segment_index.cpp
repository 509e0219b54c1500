#include "segment_index.hpp"

#include <cstring>
#include <new>

namespace gantry::commitlog {

SegmentIndex::~SegmentIndex() {
  for (std::byte *block : blocks_) IndexBlocks::give_back(block, IndexBlocks::kBlockBytes);
  for (const BigBlock &big : big_blocks_) IndexBlocks::give_back(big.block, big.bytes);
}

void *SegmentIndex::allocate(std::size_t bytes) {
  bytes = static_cast<std::size_t>(align_up(static_cast<std::int64_t>(bytes), 16));
  if (bytes > IndexBlocks::kBlockBytes / 4) {  // a big directory gets a block of its own
    big_blocks_.push_back({IndexBlocks::take(bytes), bytes});
    return big_blocks_.back().block;
  }
  if (block_left_ < bytes) {
    blocks_.push_back(IndexBlocks::take(IndexBlocks::kBlockBytes));
    block_left_ = IndexBlocks::kBlockBytes;
  }
  void *p = blocks_.back() + (IndexBlocks::kBlockBytes - block_left_);
  block_left_ -= bytes;
  return p;
}

QueuePart *SegmentIndex::add_part(std::uint32_t queue, QueueOff first) {
  auto *part = new (allocate(sizeof(QueuePart))) QueuePart;
  part->queue = queue;
  part->segment_no = segment_no_;
  part->first = first;
  part->c0 = static_cast<Entry *>(allocate(sizeof(Entry) * QueuePart::kFirst));
  parts_.push_back(part);
  return part;
}

Entry *SegmentIndex::grow(QueuePart *part) {
  const std::uint32_t i = part->count;
  if (i == QueuePart::kFirst) return part->c1 = static_cast<Entry *>(allocate(sizeof(Entry) * QueuePart::kSecond));
  const std::uint32_t chunk = (i - QueuePart::kFirst - QueuePart::kSecond) / QueuePart::kRest;
  if (chunk == part->rest_capacity) {
    const std::uint32_t capacity = chunk == 0 ? 8 : 2 * chunk;
    auto **rest = static_cast<Entry **>(allocate(sizeof(Entry *) * capacity));
    if (chunk > 0) std::memcpy(rest, part->rest, sizeof(Entry *) * chunk);
    part->rest = rest;
    part->rest_capacity = capacity;
  }
  return part->rest[chunk] = static_cast<Entry *>(allocate(sizeof(Entry) * QueuePart::kRest));
}

std::uint32_t SegmentIndex::first_record_from(std::uint32_t offset) const {
  std::uint32_t low = 0, high = record_count_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (record(middle).offset < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::uint32_t SegmentIndex::find_record(std::uint32_t offset) const {
  const std::uint32_t at = first_record_from(offset);
  return at < record_count_ && record(at).offset == offset ? at : kNoRecord;
}

std::uint64_t SegmentIndex::memory_bytes() const {
  std::uint64_t bytes = blocks_.size() * IndexBlocks::kBlockBytes;
  for (const BigBlock &big : big_blocks_) bytes += big.bytes;
  return bytes;
}

}  // namespace gantry::commitlog
