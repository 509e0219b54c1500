#include "kernel/kit/filter_cases.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string_view>

namespace gantry::kit {
namespace {

std::vector<std::string> fields(std::string_view line) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t end = line.find('\t');
    out.emplace_back(line.substr(0, end));
    if (end == std::string_view::npos) return out;
    line.remove_prefix(end + 1);
  }
}

std::string unescaped(const std::string &text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pair = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == 't');
    out += pair ? (text[i + 1] == 'n' ? '\n' : '\t') : text[i];
    if (pair) ++i;
  }
  return out;
}

bool read_position(std::string_view text, CaseRefusal &out) {
  const auto first = std::from_chars(text.data(), text.data() + text.size(), out.at_line);
  if (first.ec != std::errc() || first.ptr == text.data() + text.size() || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, text.data() + text.size(), out.at_column);
  return second.ec == std::errc() && second.ptr == text.data() + text.size() && out.at_line > 0 && out.at_column > 0;
}

struct Reader {
  FilterCases cases;
  std::string type;

  // What is wrong with the line, or nothing.
  std::string take(const std::vector<std::string> &line, int number) {
    const std::string &word = line[0];
    if (word == "type") {
      if (line.size() != 2 || line[1].empty()) return "wanted: type, tab, the expression type";
      type = line[1];
      return {};
    }
    if (type.empty()) return "found \"" + word + "\" before any type";
    if (word == "expr") {
      if (line.size() != 2) return "wanted: expr, tab, one expression";
      cases.expressions.push_back({type, unescaped(line[1]), number, {}});
      return {};
    }
    if (word == "refuse") {
      CaseRefusal refusal{type, line.size() == 3 ? unescaped(line[2]) : "", number, 0, 0};
      if (line.size() != 3 || !read_position(line[1], refusal)) return "wanted: refuse, tab, LINE:COLUMN, tab, one expression";
      cases.refusals.push_back(std::move(refusal));
      return {};
    }
    return take_row(line);
  }

  std::string take_row(const std::vector<std::string> &line) {
    CaseRow row{};
    if (line[0] == "yes")
      row.wanted = Answer::kYes;
    else if (line[0] == "error")
      row.wanted = Answer::kError;
    else if (line[0] != "no")
      return "found \"" + line[0] + "\", wanted one of type, expr, yes, no, error, refuse, and tabs between fields";
    if (cases.expressions.empty()) return "found \"" + line[0] + "\" before any expr";
    for (std::size_t i = 1; i < line.size(); ++i) {
      const std::size_t sign = line[i].find('=');
      if (sign == std::string::npos || sign == 0 || sign + 1 == line[i].size()) return "found \"" + line[i] + "\", wanted NAME=VALUE; a property without a value is left out";
      row.message[line[i].substr(0, sign)] = line[i].substr(sign + 1);
    }
    cases.expressions.back().rows.push_back(std::move(row));
    return {};
  }
};

}  // namespace

const char *to_text(Answer answer) { return answer == Answer::kYes ? "yes" : answer == Answer::kNo ? "no" : "error"; }

Result<FilterCases> read_filter_cases(const std::string &path) {
  std::ifstream in(path);
  if (!in) return io_error("file of cases " + path + " cannot be opened", errno);
  Reader reader;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (text.empty() || text[0] == '#') continue;
    if (const std::string wrong = reader.take(fields(text), number); !wrong.empty()) return Error{GANTRY_E_CONFIG, path + ":" + std::to_string(number) + ": " + wrong};
  }
  if (in.bad()) return io_error("file of cases " + path + " cannot be read", errno);
  if (reader.cases.expressions.empty() && reader.cases.refusals.empty()) return Error{GANTRY_E_CONFIG, path + ": found no expressions, wanted expr or refuse lines"};
  return std::move(reader.cases);
}

}  // namespace gantry::kit
