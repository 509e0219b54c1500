// How log writes reach the disk. Narrow, so that a twin that injects faults can stand in under the log writer.
#pragma once

#include "types.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace gantry::commitlog {

struct WriteOp {
  std::uint64_t cookie = 0;  // comes back in WriteDone
  const std::uint8_t *data = nullptr;  // unchanged until done; aligned to kBlock
  std::uint64_t file_off = 0;
  std::uint32_t bytes = 0;   // a multiple of kBlock
  int fd = -1;
  bool dsync = false;        // done means flushed to stable storage, with the metadata needed to read it back
};

struct WriteDone {
  std::uint64_t cookie = 0;
  std::int64_t result = 0;  // bytes written or -errno
};

inline constexpr std::uint32_t kMaxWritesInFlight = 4;

// Operations may complete in any order; each completes exactly once. At most kMaxWritesInFlight are outstanding.
class IoEngine {
 public:
  virtual ~IoEngine() = default;
  IoEngine() = default;
  IoEngine(const IoEngine &) = delete;
  IoEngine &operator=(const IoEngine &) = delete;

  // Readable when reap may find something; -1: none, call reap after each submit. [thread: any]
  [[nodiscard]] virtual int event_fd() const = 0;
  // Both: [thread: one, the home shard's; the same for both]
  virtual void submit(std::span<const WriteOp> ops) = 0;
  // Clears event_fd and fills `out` with what is done; call again while it returns out.size().
  [[nodiscard]] virtual std::size_t reap(std::span<WriteDone> out) = 0;
  // For stats: which engine and why. [thread: any]
  [[nodiscard]] virtual std::string description() const = 0;
};

// io_uring; UNSUPPORTED with the kernel's reason when it refuses. The ring belongs to the first thread that submits.
[[nodiscard]] Result<std::unique_ptr<IoEngine>> make_uring_engine();
// A thread with pwritev2. `reason` is appended to the description when not empty.
[[nodiscard]] Result<std::unique_ptr<IoEngine>> make_pwrite_engine(const std::string &reason);

}  // namespace gantry::commitlog
