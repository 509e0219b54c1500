// Bump allocator for the nodes and decoded texts of one JSON document. Keeps its first block across reset, so that parsing one small
// text after another does not allocate.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace gantry::remoting::json {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  // `bytes` of memory aligned to 8, valid until reset.
  [[nodiscard]] char *take(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (bytes > left_) grow(bytes);
    char *at = next_;
    next_ += bytes;
    left_ -= bytes;
    return at;
  }
  // Hands back the tail of the latest take.
  void give_back(std::size_t bytes) {
    bytes &= ~std::size_t{7};
    next_ -= bytes;
    left_ += bytes;
  }
  void reset() {
    if (blocks_.empty()) return;
    blocks_.resize(1);
    next_ = blocks_.front().get();
    left_ = kFirstBlockBytes;
  }

 private:
  static constexpr std::size_t kFirstBlockBytes = 4096;
  static constexpr std::size_t kBlockBytes = 256 * 1024;

  void grow(std::size_t bytes) {
    std::size_t size = blocks_.empty() ? kFirstBlockBytes : kBlockBytes;
    if (blocks_.empty() && bytes > size) {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      size = kBlockBytes;
    }
    if (bytes > size) size = bytes;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = blocks_.back().get();
    left_ = size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char *next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace gantry::remoting::json
