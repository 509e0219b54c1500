// What a filter says about itself: expressions, messages and the answer to each, in a file beside its source.
//
//   type    TYPE
//   expr    EXPRESSION
//   yes | no | error    NAME=VALUE ...     one message, for the expression above it
//   refuse  LINE:COLUMN EXPRESSION
//
// Fields are separated by one tab, "\n" and "\t" in an expression stand for themselves; empty lines and lines that begin with '#' are skipped.
#pragma once

#include <gantry++/result.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gantry::kit {

using Message = std::map<std::string, std::string>;  // properties; no empty values

enum class Answer { kNo, kYes, kError };
[[nodiscard]] const char *to_text(Answer answer);  // "no", "yes", "error"

struct CaseRow {
  Answer wanted;
  Message message;
};
struct CaseExpression {
  std::string type, text;
  int line = 0;  // of the file
  std::vector<CaseRow> rows;
};
struct CaseRefusal {
  std::string type, text;
  int line = 0;  // of the file
  std::uint32_t at_line = 0, at_column = 0;
};
struct FilterCases {
  std::vector<CaseExpression> expressions;
  std::vector<CaseRefusal> refusals;
};

// IO or CONFIG, with the file and the line.
[[nodiscard]] Result<FilterCases> read_filter_cases(const std::string &path);

}  // namespace gantry::kit
