#include "kernel/cli/command_line.hpp"
#include "kernel/cli/plugin_commands.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

namespace gantry::cli {
namespace {

std::string joined(const std::vector<std::string> &words) {
  std::string out;
  for (const std::string &word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::string or_dash(const std::string &text) { return text.empty() ? "-" : text; }

void print_json(const std::vector<plugin::PluginInfo> &plugins) {
  boost::json::array rows;
  for (const plugin::PluginInfo &p : plugins) {
    rows.push_back(boost::json::object{{"name", p.name}, {"id", p.id}, {"kinds", boost::json::value_from(p.kinds)}, {"version", p.version}, {"abi", p.abi}, {"sdk", p.sdk_version}, {"license", p.license},
                                       {"path", p.path}, {"interfaces", boost::json::value_from(p.interfaces)}, {"state", plugin::to_text(p.state)}, {"refusal", p.refusal}});
  }
  std::cout << boost::json::serialize(boost::json::object{{"schema", 1}, {"plugins", rows}}) << "\n";
}

void print_table(const std::vector<plugin::PluginInfo> &plugins) {
  std::vector<std::vector<std::string>> rows{{"NAME", "KIND", "VERSION", "ABI", "LICENSE", "STATE", "PATH"}};
  for (const plugin::PluginInfo &p : plugins)
    rows.push_back({p.name, or_dash(joined(p.kinds)), or_dash(p.version), or_dash(p.abi), or_dash(p.license), std::string(plugin::to_text(p.state)), p.path});
  std::vector<int> widths(rows.front().size());
  for (const auto &row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], static_cast<int>(row[c].size()));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c + 1 < rows[r].size(); ++c) std::printf("%-*s  ", widths[c], rows[r][c].c_str());
    std::printf("%s\n", rows[r].back().c_str());
    if (r > 0 && !plugins[r - 1].refusal.empty()) std::printf("    %s\n", plugins[r - 1].refusal.c_str());
  }
}

}  // namespace

int list_plugins(const std::string &dir, bool json) {
  std::error_code failed;
  if (!dir.empty() && std::filesystem::directory_iterator(dir, failed) == std::filesystem::directory_iterator() && failed) {
    std::fprintf(stderr, "gantry: folder %s cannot be read: %s; give the folder of the .so files\n", dir.c_str(), failed.message().c_str());
    return kExitFailed;
  }
  const plugin::PluginHost host(dir.empty() ? plugin::search_dirs({}) : std::vector<std::string>{dir});
  const std::vector<plugin::PluginInfo> plugins = host.list();
  if (json)
    print_json(plugins);
  else
    print_table(plugins);
  const bool refused = std::any_of(plugins.begin(), plugins.end(), [](const plugin::PluginInfo &p) { return p.state == plugin::PluginState::kRefused; });
  return refused ? kExitFailed : 0;
}

}  // namespace gantry::cli
