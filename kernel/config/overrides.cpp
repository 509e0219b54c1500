#include "kernel/config/overrides.hpp"

#include "kernel/base/suggest.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace gantry::config {
namespace {

constexpr std::string_view kSections[] = {"broker", "store", "auth", "protocol", "filter"};

// Of which there may be several: [[protocol]].
bool is_list(std::string_view section) { return section == "protocol" || section == "filter"; }

std::string header_of(std::string_view section) { return is_list(section) ? "[[" + std::string(section) + "]]" : "[" + std::string(section) + "]"; }

std::string section_help(std::string_view wrong) {
  const std::string meant = nearest(wrong, kSections);
  if (meant.empty()) return "sections are [broker], [store], [auth], [[protocol]] and [[filter]]";
  return "did you mean " + header_of(meant) + "?";
}

// '-' cannot stand in the name of an environment variable, so '_' means it too.
bool same_name(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '-' ? '_' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return folded(x) == folded(y); });
}

std::string text_of(const Section &section, std::string_view key) {
  const Entry *entry = section.find(key);
  return entry == nullptr ? std::string() : entry->value.text;
}

void put(Section &section, std::string_view key, const Override &override, const Place &place) {
  Value value;
  value.text = override.value;
  value.place = place;
  for (Entry &entry : section.entries) {
    if (!same_name(entry.key, key)) continue;
    entry.place = place;
    entry.value = std::move(value);
    return;
  }
  section.entries.push_back(Entry{std::string(key), place, std::move(value)});
}

TopLevel &table_of(Tree &tree, std::string_view key, const Place &place) {
  if (TopLevel *top = find_top(tree, key)) return *top;
  TopLevel made;
  made.key = key;
  made.place = place;
  made.shape = TopLevel::Shape::kTable;
  made.sections.push_back(Section{"[" + made.key + "]", place, {}});
  tree.tops.push_back(std::move(made));
  return tree.tops.back();
}

// The one [[protocol]] that "0" or "nameserver" means, or the same of another list; null after reporting.
Section *select_one(Tree &tree, std::string_view list, std::string_view which, const Place &place, Problems &problems) {
  TopLevel *top = find_top(tree, list);
  const std::string header = header_of(list);
  const std::size_t count = top == nullptr ? 0 : top->sections.size();
  std::size_t index = 0;
  const auto [end, failed] = std::from_chars(which.data(), which.data() + which.size(), index);
  if (failed == std::errc{} && end == which.data() + which.size()) {
    if (index < count) return &top->sections[index];
    problems.add(place, "there is no " + header + " number " + std::string(which) + ": the configuration has " + std::to_string(count) +
                            ", counted from 0");
    return nullptr;
  }
  Section *found = nullptr;
  std::string names;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = section_name(top->sections[i], list);
    names += (i == 0 ? "" : ", ") + name;
    if (!same_name(name, which)) continue;
    if (found != nullptr) {
      problems.add(place, "several " + header + " are called \"" + std::string(which) + "\"", "use the number, counted from 0: " + std::string(list) + ".0.<key>");
      return nullptr;
    }
    found = &top->sections[i];
  }
  if (found == nullptr)
    problems.add(place, "there is no " + header + " called \"" + std::string(which) + "\"", count == 0 ? "" : "there are: " + names);
  return found;
}

void apply_one(Tree &tree, const Override &override, Problems &problems) {
  const Place place{std::make_shared<const Source>(Source{override.origin, {}}), 0, 0, 1};
  const std::string_view path = override.path;
  const std::size_t dot = path.find('.');
  const std::string_view section = path.substr(0, dot), rest = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  if (std::find(std::begin(kSections), std::end(kSections), section) == std::end(kSections)) {
    problems.add(place, "unknown section \"" + std::string(section) + "\"", section_help(section));
  } else if (!is_list(section)) {
    if (rest.empty()) return problems.add(place, "no key is named", "write " + std::string(section) + ".<key>=<value>");
    put(table_of(tree, section, place).sections.front(), rest, override, place);
  } else {
    const std::size_t second = rest.find('.');
    if (second == std::string_view::npos || second + 1 == rest.size())
      return problems.add(place, "no " + header_of(section) + " and key are named", "write " + std::string(section) + ".<name or number>.<key>=<value>");
    if (Section *target = select_one(tree, section, rest.substr(0, second), place, problems))
      put(*target, rest.substr(second + 1), override, place);
  }
}

}  // namespace

TopLevel *find_top(Tree &tree, std::string_view key) {
  for (TopLevel &top : tree.tops)
    if (top.key == key) return &top;
  return nullptr;
}

std::string section_name(const Section &section, std::string_view list) {
  if (std::string component = text_of(section, "component"); !component.empty()) return component;
  const std::string plugin = text_of(section, "plugin");
  const std::size_t slash = plugin.rfind('/');
  std::string_view name = slash == std::string::npos ? std::string_view(plugin) : std::string_view(plugin).substr(slash + 1);
  if (name.ends_with(".so")) name.remove_suffix(3);
  if (const std::string prefix = std::string(list) + "-"; name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return std::string(name);
}

void normalize_sections(Tree &tree, Problems &problems) {
  std::erase_if(tree.tops, [&](TopLevel &top) {
    using Shape = TopLevel::Shape;
    const bool known = std::find(std::begin(kSections), std::end(kSections), top.key) != std::end(kSections);
    if (!known && top.shape == Shape::kValue) {
      problems.add(top.place, "key \"" + top.key + "\" stands outside of any section", "move it below [broker], [store], [auth] or [[protocol]]");
      return true;
    }
    if (!known) {
      problems.add(top.place, "unknown section \"" + top.key + "\"", section_help(top.key));
      return true;
    }
    const Shape wanted = is_list(top.key) ? Shape::kTables : Shape::kTable;
    if (top.shape == wanted) return false;
    const std::string header = header_of(top.key);
    problems.add(top.place, "\"" + top.key + "\" must be the section " + header, "write " + header + " on a line of its own");
    if (top.shape == Shape::kValue) return true;
    top.shape = wanted;
    if (wanted == Shape::kTable) top.sections.resize(1);
    return false;
  });
}

void apply_overrides(Tree &tree, const std::vector<Override> &overrides, Problems &problems) {
  for (const Override &override : overrides) apply_one(tree, override, problems);
}

Result<Override> flag_override(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return Error{GANTRY_E_INVALID, "-D " + std::string(argument) + ": wanted <section>.<key>=<value>, such as broker.name=broker-b"};
  const std::string path(argument.substr(0, equals));
  return Override{"-D " + path, path, std::string(argument.substr(equals + 1))};
}

std::vector<Override> environment_overrides(const char *const *environment) {
  constexpr std::string_view kPrefix = "GANTRY_";
  std::vector<Override> out;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const std::size_t equals = variable.find('=');
    if (!variable.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    const std::string_view name = variable.substr(0, equals);
    if (name.find("__") == std::string_view::npos) continue;
    std::string path;
    for (std::size_t i = kPrefix.size(); i < name.size(); ++i) {
      const bool separator = name.compare(i, 2, "__") == 0;
      path += separator ? '.' : static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
      if (separator) ++i;
    }
    out.push_back(Override{std::string(name), std::move(path), std::string(variable.substr(equals + 1))});
  }
  // The order of an environment is chance.
  std::sort(out.begin(), out.end(), [](const Override &a, const Override &b) { return a.origin < b.origin; });
  return out;
}

}  // namespace gantry::config
