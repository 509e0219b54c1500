// Opens a plugin's .so the way the kernel does: dlopen, then the one symbol gantry_plugin_v1.
#pragma once

#include <gantry/abi.h>

#include <string>

namespace gantry::test {

// Aborts with the reason when the file cannot be opened, lacks the symbol or has another ABI. The mapping stays for the life
// of the process, as in the kernel: owners and callbacks may outlive the instance.
[[nodiscard]] const gantry_plugin &load_plugin(const std::string &path);

// The first component of that interface, e.g. "gantry.store.draft/1"; aborts when the plugin has none.
[[nodiscard]] const gantry_component &component_of(const gantry_plugin &plugin, const std::string &interface_id);

}  // namespace gantry::test
