// A plugin in the process: mapped, its entry checked, never unmapped again.
#pragma once

#include "kernel/plugin/manifest.hpp"

#include <gantry/abi.h>

#include <memory>
#include <span>

namespace gantry::plugin {

class Library {
 public:
  // Maps the file with RTLD_NOW | RTLD_LOCAL and checks the entry against the manifest. `file` must have passed inspect_file.
  // The mapping stays for the life of the process, also after a refusal here: owners, callbacks and thread_local destructors of the
  // plugin may outlive every instance. [control thread]
  // Refused: a missing dependency (named by the dynamic linker), entry and manifest disagree, a component is malformed, named twice or
  // of an unknown interface.
  [[nodiscard]] static Result<std::unique_ptr<Library>> load(PluginFile file);

  [[nodiscard]] const PluginFile &file() const { return file_; }
  [[nodiscard]] const Manifest &manifest() const { return *file_.manifest; }
  [[nodiscard]] const gantry_plugin &entry() const { return *entry_; }
  [[nodiscard]] std::span<const gantry_component *const> components() const {
    return {entry_->components, entry_->n_components};
  }
  // The component of that interface with that name, or the first of that interface when `name` is empty.
  // NOT_FOUND names what there is, with the nearest name.
  [[nodiscard]] Result<const gantry_component *> component(std::string_view interface_id, std::string_view name = {}) const;

 private:
  Library(PluginFile file, const gantry_plugin *entry) : file_(std::move(file)), entry_(entry) {}

  PluginFile file_;
  const gantry_plugin *entry_;
};

// The rules for the entry struct of a mapped plugin; split from load() so that every rule has its test.
[[nodiscard]] Result<void> check_entry(const gantry_plugin &entry, const Manifest &manifest);

}  // namespace gantry::plugin
