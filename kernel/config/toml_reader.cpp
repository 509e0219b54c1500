// The one place that knows toml++; everything else works on our own tree.
#include "kernel/config/tree.hpp"

#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts preconditions that a file can break ("[[[x]]]") and then reports them as errors all the same.
#define TOML_ASSERT(expr) static_assert(true)
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>

namespace gantry::config {
namespace {

constexpr int kMaxSyntaxErrors = 20;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Place place_of(const std::shared_ptr<const Source> &source, const toml::source_region &region) {
  Place out{source, region.begin.line, region.begin.column, 1};
  if (region.end.line == region.begin.line && region.end.column > region.begin.column)
    out.length = region.end.column - region.begin.column;
  return out;
}

Value value_of(const std::shared_ptr<const Source> &source, const toml::node &node) {
  Value out;
  out.place = place_of(source, node.source());
  if (const auto *text = node.as_string()) {
    out.kind = ValueKind::kText;
    out.text = text->get();
  } else if (const auto *number = node.as_integer()) {
    out.kind = ValueKind::kInt;
    out.number = number->get();
  } else if (const auto *truth = node.as_boolean()) {
    out.kind = ValueKind::kBool;
    out.number = truth->get() ? 1 : 0;
  } else if (node.is_floating_point()) {
    out.kind = ValueKind::kFloat;
  } else if (const auto *list = node.as_array()) {
    out.kind = ValueKind::kList;
    for (const toml::node &item : *list) out.items.push_back(value_of(source, item));
  } else if (node.is_table()) {
    out.kind = ValueKind::kTable;
  } else {
    out.kind = ValueKind::kTime;
  }
  return out;
}

Section section_of(const std::shared_ptr<const Source> &source, const toml::table &table, std::string title) {
  Section out;
  out.title = std::move(title);
  out.place = place_of(source, table.source());
  for (const auto &[key, node] : table)
    out.entries.push_back(Entry{std::string(key.str()), place_of(source, key.source()), value_of(source, node)});
  // toml++ sorts by name; messages and duplicates should follow the file.
  std::stable_sort(out.entries.begin(), out.entries.end(), [](const Entry &a, const Entry &b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  return out;
}

TopLevel top_of(const std::shared_ptr<const Source> &source, const toml::key &key, const toml::node &node) {
  TopLevel out;
  out.key = std::string(key.str());
  out.place = place_of(source, key.source());
  if (const auto *table = node.as_table()) {
    out.shape = TopLevel::Shape::kTable;
    out.sections.push_back(section_of(source, *table, "[" + out.key + "]"));
  } else if (const auto *list = node.as_array(); list != nullptr && list->is_array_of_tables()) {
    out.shape = TopLevel::Shape::kTables;
    for (const toml::node &item : *list)
      out.sections.push_back(section_of(source, *item.as_table(),
                                        "[[" + out.key + "]] number " + std::to_string(out.sections.size())));
  }
  return out;
}

// Replaces the line by an empty one. False: it opens a section, and what follows would be read into another one.
bool leave_out_line(std::string &text, const Source &source, std::uint32_t line) {
  if (line == 0 || line > source.lines.size()) return false;
  const std::string &written = source.lines[line - 1];
  const std::size_t first = written.find_first_not_of(" \t");
  if (first == std::string::npos || written[first] == '[') return false;
  std::size_t begin = 0;
  for (std::uint32_t i = 1; i < line; ++i) begin = text.find('\n', begin) + 1;
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  if (begin == end) return false;
  text.erase(begin, end - begin);
  return true;
}

}  // namespace

Tree read_toml(std::string_view text, std::string origin, Problems &problems) {
  auto source = std::make_shared<const Source>(Source{std::move(origin), lines_of(text)});
  Tree out;
  out.source = source;
  std::string remaining(text);
  for (int errors = 0; errors <= kMaxSyntaxErrors; ++errors) {
    const toml::parse_result parsed = toml::parse(remaining);
    if (parsed) {
      for (const auto &[key, node] : parsed.table()) out.tops.push_back(top_of(source, key, node));
      std::stable_sort(out.tops.begin(), out.tops.end(),
                       [](const TopLevel &a, const TopLevel &b) { return a.place.line < b.place.line; });
      return out;
    }
    out.whole = false;
    const toml::parse_error &error = parsed.error();
    problems.add(place_of(source, error.source()), "not valid TOML: " + std::string(error.description()));
    if (!leave_out_line(remaining, *source, error.source().begin.line)) return out;
  }
  return out;
}

}  // namespace gantry::config
