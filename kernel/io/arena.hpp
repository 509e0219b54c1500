// Memory for what a shard's connections send in one turn: bump allocation, given back as a whole when the turn has been flushed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gantry::io {

// Owned by one shard; not thread-safe.
class Arena {
 public:
  static constexpr std::size_t kChunkBytes = 256 * 1024;
  static constexpr std::size_t kMaxPiece = 64 * 1024;

  // n <= kMaxPiece contiguous bytes, valid until reset.
  [[nodiscard]] std::uint8_t *take(std::size_t n);
  // Gives back the end of the latest take, so that only its first `used` bytes stay taken.
  void shrink_last(const std::uint8_t *piece, std::size_t taken, std::size_t used);
  void reset();  // keeps a few chunks for the next turn

 private:
  std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
  std::size_t chunk_ = 0;  // the one in use
  std::size_t used_ = 0;   // of it
};

}  // namespace gantry::io
