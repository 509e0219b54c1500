// What is wrong with a configuration, and where.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::config {

struct Problem {
  std::string origin;               // "conf/broker.toml", "-D broker.name", "GANTRY_BROKER__NAME"
  std::uint32_t line = 0;           // 1-based; 0 for what has no lines
  std::uint32_t column = 0;         // 1-based, in characters
  std::uint32_t length = 1;         // characters to underline
  std::string source_line;          // the line as written; empty when there is none or it holds a secret
  std::string message;              // what was found and what was wanted
  std::string help;                 // the remedy; may be empty
};

// origin:line:column: error: message, the source line with a caret under the place, and the help; ends with a newline.
[[nodiscard]] std::string render(const Problem &problem);
[[nodiscard]] std::string render(const std::vector<Problem> &problems);

}  // namespace gantry::config
