// The rules of a mapped plugin's entry struct.
#include "kernel/plugin/library.hpp"

#include <algorithm>
#include <cstring>
#include <set>

namespace gantry::plugin {
namespace {

Error disagree(const char *what, const std::string &in_struct, const std::string &in_note) {
  return Error{GANTRY_E_CORRUPT, std::string("note and struct disagree about the ") + what + ": found \"" + in_struct +
                                     "\" in " GANTRY_PLUGIN_SYMBOL ", wanted \"" + in_note + "\" as in the note"};
}

Error malformed(const std::string &text) { return Error{GANTRY_E_INVALID, text}; }

std::string text_of(const char *p) { return p == nullptr ? std::string() : std::string(p); }

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

Result<void> check_keys(const gantry_component &component, const std::string &where) {
  if (component.n_keys > 0 && component.keys == nullptr)
    return malformed(where + ": found " + std::to_string(component.n_keys) + " keys without a table of them");
  std::set<std::string_view> seen;
  for (std::uint32_t i = 0; i < component.n_keys; ++i) {
    const gantry_config_key &key = component.keys[i];
    if (key.name == nullptr || !is_name(key.name)) return malformed(where + ": key " + std::to_string(i) + " has no proper name (a-z, 0-9, '_', '-', '.')");
    const std::string at = where + ": key " + key.name;
    if (!seen.insert(key.name).second) return malformed(at + " is declared twice");
    if (key.type < GANTRY_KEY_BOOL || key.type > GANTRY_KEY_LIST) return malformed(at + ": found type " + std::to_string(key.type) + ", wanted one of GANTRY_KEY_*");
    if (key.type == GANTRY_KEY_ENUM && text_of(key.enum_values).empty()) return malformed(at + " is an enum without values");
    if (key.min > key.max) return malformed(at + ": found min " + std::to_string(key.min) + " above max " + std::to_string(key.max));
  }
  return {};
}

Result<void> check_component(const gantry_component *component, std::uint32_t index, const Manifest &manifest) {
  if (component == nullptr) return malformed("component " + std::to_string(index) + ": found no struct");
  const std::string number = "component " + std::to_string(index);
  if (component->size != sizeof(gantry_component))
    return malformed(number + ": found size " + std::to_string(component->size) + ", wanted " + std::to_string(sizeof(gantry_component)));
  if (component->name == nullptr || !is_name(component->name)) return malformed(number + " has no proper name (a-z, 0-9, '_', '-', '.')");
  const std::string where = std::string("component ") + component->name;
  if (component->interface_id == nullptr) return malformed(where + " names no interface");
  const auto &known = known_interfaces();
  if (std::find(known.begin(), known.end(), component->interface_id) == known.end())
    return Error{GANTRY_E_UNSUPPORTED, where + ": interface: found \"" + component->interface_id + "\", which this kernel does not know"};
  if (std::find(manifest.interfaces.begin(), manifest.interfaces.end(), component->interface_id) == manifest.interfaces.end())
    return malformed(where + ": note and struct disagree: interface \"" + component->interface_id + "\" is not in the note");
  if (component->vtable == nullptr) return malformed(where + " has no vtable");
  if (component->create == nullptr || component->start == nullptr || component->stop == nullptr || component->destroy == nullptr)
    return malformed(where + " lacks one of create, start, stop and destroy");
  return check_keys(*component, where);
}

}  // namespace

Result<void> check_entry(const gantry_plugin &entry, const Manifest &manifest) {
  if (entry.size != sizeof(gantry_plugin))
    return malformed("entry: found size " + std::to_string(entry.size) + " in " GANTRY_PLUGIN_SYMBOL ", wanted " + std::to_string(sizeof(gantry_plugin)));
  if (text_of(entry.id) != manifest.id) return disagree("id", text_of(entry.id), manifest.id);
  if (text_of(entry.version) != manifest.version) return disagree("version", text_of(entry.version), manifest.version);
  if (entry.abi_minor != manifest.abi_minor)
    return disagree("ABI minor", std::to_string(entry.abi_minor), std::to_string(manifest.abi_minor));
  if (entry.n_components == 0 || entry.components == nullptr) return malformed("entry: found no components, wanted at least one");
  std::set<std::string_view> names;
  std::set<std::string_view> interfaces;
  for (std::uint32_t i = 0; i < entry.n_components; ++i) {
    GANTRY_TRY(check_component(entry.components[i], i, manifest));
    if (!names.insert(entry.components[i]->name).second)
      return Error{GANTRY_E_EXISTS, std::string("component ") + entry.components[i]->name + ": found twice, wanted names that are unique within the plugin"};
    interfaces.insert(entry.components[i]->interface_id);
  }
  for (const std::string &promised : manifest.interfaces)
    if (!interfaces.contains(promised))
      return Error{GANTRY_E_CORRUPT, "note and struct disagree: the note offers interface \"" + promised + "\", no component has it"};
  return {};
}

}  // namespace gantry::plugin
