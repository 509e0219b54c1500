// Memory for decoded text that cannot stay in the input: one block, handed out forward, taken back all at once.
#pragma once

#include <gantry++/result.hpp>

#include <cstdint>
#include <memory>

namespace gantry::remoting {

// Beyond what a piece of decoded text needs, so that it may be written 16 bytes at a time.
inline constexpr std::uint32_t kScratchSlack = 16;

class Scratch {
 public:
  explicit Scratch(std::uint32_t bytes) : block_(new char[bytes]), bytes_(bytes) {}

  // Room of left() bytes; what was written becomes permanent with take(n).
  [[nodiscard]] char *here() { return block_.get() + used_; }
  [[nodiscard]] std::uint32_t left() const { return bytes_ - used_; }
  void take(std::uint32_t n) {
    GANTRY_ASSERT(n <= left());
    used_ += n;
  }
  // Every view into the scratch is dead afterwards.
  void reset() { used_ = 0; }

  // Takes back only what was handed out since the mark.
  enum class Mark : std::uint32_t {};
  [[nodiscard]] Mark mark() const { return Mark{used_}; }
  void rewind(Mark mark) {
    GANTRY_ASSERT(static_cast<std::uint32_t>(mark) <= used_);
    used_ = static_cast<std::uint32_t>(mark);
  }

 private:
  std::unique_ptr<char[]> block_;
  std::uint32_t bytes_;
  std::uint32_t used_ = 0;
};

}  // namespace gantry::remoting
