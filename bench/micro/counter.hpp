// Time and instructions of a stretch of code.
#pragma once

#include <cstdint>
#include <optional>

namespace gantry::bench {

// Of the calling thread, in user mode. Virtual machines often count nothing: then run the program under `valgrind --tool=callgrind`.
class InstructionCounter {
 public:
  InstructionCounter();
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter &) = delete;
  InstructionCounter &operator=(const InstructionCounter &) = delete;

  // Since the counter was made; none where the processor does not tell.
  [[nodiscard]] std::optional<std::uint64_t> read() const;

 private:
  int fd_;
};

}  // namespace gantry::bench
