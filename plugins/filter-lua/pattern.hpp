// Lua's patterns (character classes, sets, captures, %b, %f, back references) on any bytes, with every step counted: Lua's own matcher cannot be stopped while it
// tries the many ways in which some patterns fit. Answers as Lua 5.4's does. Knows nothing of Lua's machine.
#pragma once

#include "meter.hpp"

#include <string_view>

namespace gantry::lua {

inline constexpr int kCapturesMax = 32;
inline constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);

struct Capture {
  static constexpr std::ptrdiff_t kOpen = -1, kPosition = -2;  // not closed yet; the place alone, of "()"
  std::size_t begin = 0;
  std::ptrdiff_t size = kOpen;
};

// One pattern on one subject. No allocation, no recursion deeper than kDepthMax.
class Matcher {
 public:
  static constexpr int kDepthMax = 200;

  Matcher(std::string_view subject, std::string_view pattern, Meter &meter) : subject_(subject), pattern_(pattern), meter_(&meter) {}

  // End of the match that begins at `at`, or kNoMatch; then fault() says whether there is none, or why it was not found out.
  [[nodiscard]] std::size_t match_at(std::size_t at);
  // What is wrong with the pattern, or nullptr. With meter.over() nothing is wrong with it, but the budget is spent.
  [[nodiscard]] const char *fault() const { return fault_; }
  [[nodiscard]] int captures() const { return level_; }
  // The i-th of the last match that was found.
  [[nodiscard]] const Capture &capture(int i) const { return captures_[i]; }

  // Whether a text means itself as a pattern.
  [[nodiscard]] static bool is_plain(std::string_view pattern) { return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos; }

 private:
  [[nodiscard]] std::size_t match(std::size_t s, std::size_t p);
  [[nodiscard]] std::size_t item_end(std::size_t p);
  [[nodiscard]] bool single(std::size_t s, std::size_t p, std::size_t end);
  [[nodiscard]] bool in_set(unsigned char c, std::size_t p, std::size_t last) const;
  [[nodiscard]] std::size_t balance(std::size_t s, std::size_t p);
  [[nodiscard]] std::size_t frontier(std::size_t s, std::size_t p);
  [[nodiscard]] std::size_t most(std::size_t s, std::size_t p, std::size_t end);
  [[nodiscard]] std::size_t fewest(std::size_t s, std::size_t p, std::size_t end);
  [[nodiscard]] std::size_t open_capture(std::size_t s, std::size_t p, std::ptrdiff_t what);
  [[nodiscard]] std::size_t close_capture(std::size_t s, std::size_t p);
  [[nodiscard]] std::size_t repeat_capture(std::size_t s, char digit);
  [[nodiscard]] bool stopped() const { return fault_ != nullptr || meter_->over(); }
  std::size_t fail(const char *what) {
    fault_ = what;
    return kNoMatch;
  }

  std::string_view subject_, pattern_;
  Meter *meter_;
  const char *fault_ = nullptr;
  int level_ = 0, depth_ = 0;
  Capture captures_[kCapturesMax];
};

}  // namespace gantry::lua
