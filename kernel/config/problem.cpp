#include "kernel/config/problem.hpp"

#include "kernel/config/tree.hpp"

#include <algorithm>

namespace gantry::config {

std::string render(const Problem &problem) {
  std::string out = problem.origin;
  if (problem.line != 0) out += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  out += ": error: " + problem.message + "\n";
  if (!problem.source_line.empty()) {
    std::string line = problem.source_line;
    std::replace(line.begin(), line.end(), '\t', ' ');  // one column each, so that the caret stands right
    const std::string number = std::to_string(problem.line);
    out += std::string(6 - std::min<std::size_t>(6, number.size()), ' ') + number + " | " + line + "\n";
    out += "       | " + std::string(problem.column > 0 ? problem.column - 1 : 0, ' ') + "^" +
           std::string(problem.length > 1 ? problem.length - 1 : 0, '~') + "\n";
  }
  if (!problem.help.empty()) out += "       = help: " + problem.help + "\n";
  return out;
}

std::string render(const std::vector<Problem> &problems) {
  std::string out;
  for (const Problem &problem : problems) out += render(problem);
  return out;
}

void Problems::add(const Place &place, std::string message, std::string help, bool secret) {
  Problem problem;
  problem.origin = place.source ? place.source->name : "configuration";
  problem.message = std::move(message);
  problem.help = std::move(help);
  if (place.source && place.line > 0 && place.line <= place.source->lines.size()) {
    problem.line = place.line;
    problem.column = std::max(place.column, 1u);
    problem.length = std::max(place.length, 1u);
    if (!secret) problem.source_line = place.source->lines[place.line - 1];
  }
  for (const Problem &known : all_)  // a key that kernel and plugin both declare is converted twice
    if (known.origin == problem.origin && known.line == problem.line && known.column == problem.column && known.message == problem.message) return;
  // By place within the file; overrides, which have no lines, after it and in their own order.
  const auto rank = [](const Problem &p) { return p.line == 0 ? std::pair(UINT32_MAX, 0u) : std::pair(p.line, p.column); };
  const auto at = std::upper_bound(all_.begin(), all_.end(), problem, [&](const Problem &a, const Problem &b) { return rank(a) < rank(b); });
  all_.insert(at, std::move(problem));
}

}  // namespace gantry::config
