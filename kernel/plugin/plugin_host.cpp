#include "kernel/plugin/plugin_host.hpp"

#include "kernel/base/suggest.hpp"

#include <algorithm>
#include <filesystem>

namespace gantry::plugin {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> shared_objects(const std::string &dir) {
  std::vector<fs::path> out;
  std::error_code failed;
  for (fs::directory_iterator it(dir, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().extension() == ".so") out.push_back(it->path());
  return out;
}

PluginInfo info_of(const PluginFile &file, PluginState state) {
  PluginInfo out;
  out.name = file.name;
  out.path = file.path;
  out.state = state;
  if (file.manifest) {
    out.id = file.manifest->id;
    out.version = file.manifest->version;
    out.sdk_version = file.manifest->sdk_version;
    out.interfaces = file.manifest->interfaces;
    out.license = file.license;
    out.abi = std::to_string(file.manifest->abi_major) + "." + std::to_string(file.manifest->abi_minor);
    for (const std::string &id : out.interfaces)
      if (const std::string kind(kind_of(id)); std::find(out.kinds.begin(), out.kinds.end(), kind) == out.kinds.end()) out.kinds.push_back(kind);
  }
  return out;
}

// Two names of one file (a link, "./x.so") are one plugin.
bool same_file(const std::string &a, const std::string &b) {
  std::error_code failed;
  return a == b || fs::equivalent(a, b, failed);
}

}  // namespace

std::vector<std::string> search_dirs(const std::vector<std::string> &configured) {
  std::vector<std::string> out = configured;
  std::error_code failed;
  const fs::path executable = fs::read_symlink("/proc/self/exe", failed);
  if (failed) return out;
  out.push_back((executable.parent_path() / "plugins").string());
  out.push_back((executable.parent_path() / "../lib/gantry/plugins").lexically_normal().string());
  return out;
}

Result<std::string> find_plugin(const std::string &name, const std::vector<std::string> &dirs) {
  if (name.find('/') != std::string::npos) return name;
  std::vector<std::string> there;
  for (const std::string &dir : dirs) {
    std::error_code failed;
    const fs::path candidate = fs::path(dir) / (name + ".so");
    if (fs::exists(candidate, failed)) return candidate.string();
    for (const fs::path &path : shared_objects(dir)) there.push_back(path.stem().string());
  }
  std::string text = "plugin \"" + name + "\" not found: no file " + name + ".so in";
  for (const std::string &dir : dirs) text += (&dir == &dirs.front() ? " " : ", ") + dir;
  if (dirs.empty()) text += " any folder, because none is searched";
  const std::vector<std::string_view> views(there.begin(), there.end());
  if (const std::string meant = nearest(name, views); !meant.empty())
    text += "; did you mean \"" + meant + "\"?";
  else
    text += "; set [broker] plugin_dirs or give the path of the file";
  return Error{GANTRY_E_NOT_FOUND, std::move(text)};
}

std::string_view to_text(PluginState state) {
  switch (state) {
    case PluginState::kFound: return "found";
    case PluginState::kLoaded: return "loaded";
    case PluginState::kRefused: return "refused";
  }
  return "unknown";
}

Result<const Library *> PluginHost::load(const std::string &name) {
  auto path = find_plugin(name, dirs_);
  if (!path) return std::move(path.error());
  for (const auto &library : libraries_)
    if (same_file(library->file().path, *path)) return library.get();

  PluginFile file = inspect_file(*path);
  const auto refuse = [&](const Error &why) {
    remember_refusal(file, why);
    return why;
  };
  if (file.refusal) return refuse(*file.refusal);
  for (const auto &library : libraries_)
    if (library->manifest().id == file.manifest->id)
      return refuse(refused(file.path, Error{GANTRY_E_EXISTS, "plugin id: found \"" + file.manifest->id + "\", which " +
                                                                  library->file().path + " has already; wanted another id, or one of the two files"}));
  auto library = Library::load(file);
  if (!library) return refuse(library.error());
  std::erase_if(refused_, [&](const PluginInfo &info) { return info.path == file.path; });
  libraries_.push_back(std::move(*library));
  return libraries_.back().get();
}

void PluginHost::remember_refusal(const PluginFile &file, const Error &why) {
  std::erase_if(refused_, [&](const PluginInfo &info) { return info.path == file.path; });
  refused_.push_back(info_of(file, PluginState::kRefused));
  refused_.back().refusal = why.text;
}

std::vector<PluginInfo> PluginHost::list() const {
  std::vector<PluginInfo> out;
  for (const auto &library : libraries_) out.push_back(info_of(library->file(), PluginState::kLoaded));
  out.insert(out.end(), refused_.begin(), refused_.end());
  for (const std::string &dir : dirs_) {
    for (const fs::path &path : shared_objects(dir)) {
      if (std::any_of(out.begin(), out.end(), [&](const PluginInfo &info) { return same_file(info.path, path.string()); })) continue;
      const PluginFile file = inspect_file(path.string());
      out.push_back(info_of(file, file.refusal ? PluginState::kRefused : PluginState::kFound));
      if (file.refusal) out.back().refusal = file.refusal->text;
    }
  }
  std::sort(out.begin(), out.end(), [](const PluginInfo &a, const PluginInfo &b) {
    return a.name != b.name ? a.name < b.name : a.path < b.path;
  });
  return out;
}

}  // namespace gantry::plugin
