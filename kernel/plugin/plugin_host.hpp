// All plugins of the process: where they are found, what was loaded, what was refused and why.
#pragma once

#include "kernel/plugin/library.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::plugin {

// [broker].plugin_dirs first, then <executable's folder>/plugins and <executable's folder>/../lib/gantry/plugins.
[[nodiscard]] std::vector<std::string> search_dirs(const std::vector<std::string> &configured);

// "store-commitlog" -> "<dir>/store-commitlog.so" of the first folder that has it; a name with a '/' is a path and stays as it is.
// NOT_FOUND names the folders and the nearest plugin there is.
[[nodiscard]] Result<std::string> find_plugin(const std::string &name, const std::vector<std::string> &dirs);

enum class PluginState { kFound, kLoaded, kRefused };
[[nodiscard]] std::string_view to_text(PluginState state);  // "found", "loaded", "refused"

struct PluginInfo {  // one row of `gantry plugin list`; texts of the manifest are empty when it could not be read
  std::string name, path, id, version, sdk_version, license;
  std::string abi;                // "1.0"
  std::vector<std::string> kinds;  // "filter", ..., each once
  std::vector<std::string> interfaces;
  PluginState state = PluginState::kFound;
  std::string refusal;  // why, when refused
};

// Control thread only.
class PluginHost {
 public:
  explicit PluginHost(std::vector<std::string> dirs) : dirs_(std::move(dirs)) {}
  PluginHost(const PluginHost &) = delete;
  PluginHost &operator=(const PluginHost &) = delete;

  // Finds, checks and maps a plugin, or returns the one mapped before. The library lives as long as this object.
  // Errors: as find_plugin, inspect_file and Library::load; EXISTS when another file with the same plugin id is loaded.
  [[nodiscard]] Result<const Library *> load(const std::string &name);

  // Every *.so in the search folders (checked without running its code) and every loaded or refused file, by name.
  [[nodiscard]] std::vector<PluginInfo> list() const;

 private:
  void remember_refusal(const PluginFile &file, const Error &why);

  std::vector<std::string> dirs_;
  std::vector<std::unique_ptr<Library>> libraries_;
  std::vector<PluginInfo> refused_;
};

}  // namespace gantry::plugin
