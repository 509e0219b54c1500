// How `gantry store` prints: lines for people, or a JSON object per line.
#pragma once

#include <gantry/draft/store_tool.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::cli {

class StoreOutput {
 public:
  // progress: a bar on standard error.
  StoreOutput(bool json, bool progress) : json_(json), progress_(progress) {}

  void finding(const gantry_store_finding &finding);
  void item(const gantry_store_item &item);
  void progress(std::string_view what, std::uint64_t done, std::uint64_t total);
  // action: "verify"; done: it came to its end; applied: it was to mend.
  void summary(std::string_view action, const gantry_store_tool_summary &summary, bool applied, int exit_code);
  // Ends the bar's line, if there is one.
  void clear_bar();

 private:
  const bool json_, progress_;
  bool bar_shown_ = false;
  int permille_ = -1;  // as shown
  std::uint64_t findings_ = 0;
};

// Bytes as text: what is no printable ASCII, and backslashes, as \xHH.
[[nodiscard]] std::string escaped(std::string_view bytes);

}  // namespace gantry::cli
