#include "kernel/plugin/library.hpp"

#include "kernel/base/suggest.hpp"

// Boost.DLL over std::filesystem, so that no Boost library has to be linked.
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <dlfcn.h>

namespace gantry::plugin {
namespace {

// Owns every mapping of the process and is itself never destroyed, so no library is ever closed.
void keep_mapped(boost::dll::shared_library library) {
  static auto *const kept = new std::vector<boost::dll::shared_library>;
  kept->push_back(std::move(library));
}

std::string linker_message() {
  const char *text = ::dlerror();
  return text == nullptr ? "the dynamic linker gave no reason" : text;
}

}  // namespace

Result<std::unique_ptr<Library>> Library::load(PluginFile file) {
  GANTRY_ASSERT(!file.refusal && file.manifest);
  boost::dll::shared_library library;
  boost::dll::fs::error_code failed;
  library.load(boost::dll::fs::path(file.path), failed, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (failed)
    return refused(file.path, Error{GANTRY_E_IO, "dynamic linking: " + linker_message() +
                                                     "; install what is missing or build the plugin for this system"});
  const gantry_plugin *entry = nullptr;
  if (library.has(GANTRY_PLUGIN_SYMBOL)) entry = &library.get<const gantry_plugin>(GANTRY_PLUGIN_SYMBOL);
  keep_mapped(std::move(library));
  if (entry == nullptr)
    return refused(file.path, Error{GANTRY_E_CORRUPT, "entry symbol: found none after mapping, wanted " GANTRY_PLUGIN_SYMBOL});
  if (auto fine = check_entry(*entry, *file.manifest); !fine) return refused(file.path, std::move(fine.error()));
  return std::unique_ptr<Library>(new Library(std::move(file), entry));
}

Result<const gantry_component *> Library::component(std::string_view interface_id, std::string_view name) const {
  std::vector<std::string_view> names;
  for (const gantry_component *component : components()) {
    if (component->interface_id != interface_id) continue;
    if (name.empty() || component->name == name) return component;
    names.emplace_back(component->name);
  }
  std::string text = "plugin " + file_.name + " has no component " + (name.empty() ? "" : "\"" + std::string(name) + "\" ") + "of interface " +
                     std::string(interface_id);
  if (const std::string meant = nearest(name, names); !meant.empty()) {
    text += "; did you mean \"" + meant + "\"?";
  } else if (!names.empty()) {
    text += "; it has";
    for (const std::string_view known : names) text += (known == names.front() ? " \"" : ", \"") + std::string(known) + "\"";
  }
  return Error{GANTRY_E_NOT_FOUND, std::move(text)};
}

}  // namespace gantry::plugin
