#include "support/plugin_loader.h"

#include "support/test_util.h"

#include <dlfcn.h>

namespace gantry::test {

const gantry_plugin &load_plugin(const std::string &path) {
  void *mapping = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const char *reason = mapping == nullptr ? ::dlerror() : nullptr;
  require(mapping != nullptr, std::string("cannot load ") + path + ": " + (reason != nullptr ? reason : "unknown"));
  const auto *plugin = static_cast<const gantry_plugin *>(::dlsym(mapping, GANTRY_PLUGIN_SYMBOL));
  require(plugin != nullptr, path + " exports no " GANTRY_PLUGIN_SYMBOL);
  require(plugin->size >= sizeof(gantry_plugin), path + ": gantry_plugin is smaller than this header's");
  require(plugin->abi_minor <= GANTRY_ABI_MINOR, path + " was built for a newer ABI");
  return *plugin;
}

const gantry_component &component_of(const gantry_plugin &plugin, const std::string &interface_id) {
  for (std::uint32_t i = 0; i < plugin.n_components; ++i) {
    if (interface_id == plugin.components[i]->interface_id) return *plugin.components[i];
  }
  require(false, std::string(plugin.id) + " has no component of " + interface_id);
  __builtin_unreachable();
}

}  // namespace gantry::test
