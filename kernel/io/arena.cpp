#include "kernel/io/arena.hpp"

#include <gantry++/result.hpp>

namespace gantry::io {
namespace {
constexpr std::size_t kKeptChunks = 8;
}

std::uint8_t *Arena::take(std::size_t n) {
  GANTRY_ASSERT(n <= kMaxPiece);
  if (!chunks_.empty() && used_ + n > kChunkBytes) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kChunkBytes));
  std::uint8_t *piece = chunks_[chunk_].get() + used_;
  used_ += n;
  return piece;
}

void Arena::shrink_last(const std::uint8_t *piece, std::size_t taken, std::size_t used) {
  if (chunk_ < chunks_.size() && piece + taken == chunks_[chunk_].get() + used_) used_ -= taken - used;
}

void Arena::reset() {
  if (chunks_.size() > kKeptChunks) chunks_.resize(kKeptChunks);
  chunk_ = 0;
  used_ = 0;
}

}  // namespace gantry::io
