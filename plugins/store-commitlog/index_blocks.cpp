#include "index_blocks.hpp"

#include <sys/mman.h>

#include <array>
#include <mutex>
#include <new>

namespace gantry::commitlog {

namespace {

constexpr std::size_t kKept = 48;  // 12 MiB: what the index of a segment of 1 KiB messages takes

struct Kept {
  std::mutex mutex;
  std::array<std::byte *, kKept> blocks{};
  std::size_t count = 0;

  ~Kept() {
    while (count > 0) ::munmap(blocks[--count], IndexBlocks::kBlockBytes);
  }
};
Kept kept;

}  // namespace

std::byte *IndexBlocks::take(std::size_t bytes) {
  if (bytes <= kBlockBytes) {
    bytes = kBlockBytes;
    const std::lock_guard lock(kept.mutex);
    if (kept.count > 0) return kept.blocks[--kept.count];
  }
  void *p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte *>(p);
}

void IndexBlocks::give_back(std::byte *block, std::size_t bytes) noexcept {
  if (bytes <= kBlockBytes) {
    bytes = kBlockBytes;
    const std::lock_guard lock(kept.mutex);
    if (kept.count < kKept) {
      kept.blocks[kept.count++] = block;
      return;
    }
  }
  ::munmap(block, bytes);
}

}  // namespace gantry::commitlog
