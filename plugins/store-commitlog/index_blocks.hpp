// Memory of segments' indexes, in blocks that go back to the system. From the heap it would not: an index is freed whole when its segment is sealed, but
// what was allocated after it keeps the heap from shrinking, and with many queues that is hundreds of bytes for each.
#pragma once

#include <cstddef>

namespace gantry::commitlog {

// [thread: any] Aligned to a page. Content is arbitrary.
class IndexBlocks {
 public:
  static constexpr std::size_t kBlockBytes = 256u << 10;

  // A block of kBlockBytes, or of `bytes` when that is more. Throws std::bad_alloc.
  [[nodiscard]] static std::byte *take(std::size_t bytes);
  // `bytes` as given to take(). A few blocks are kept for the next segment, which spares their page faults.
  static void give_back(std::byte *block, std::size_t bytes) noexcept;
};

}  // namespace gantry::commitlog
