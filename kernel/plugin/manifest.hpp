// A plugin's file, judged without running any of its code.
#pragma once

#include <gantry++/result.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::plugin {

// What this kernel can run. A plugin that offers anything else is refused.
[[nodiscard]] const std::vector<std::string_view> &known_interfaces();

struct Manifest {
  std::uint32_t abi_major = 0, abi_minor = 0;
  std::string id;           // "gantry.store-commitlog"
  std::string version;      // semver
  std::string sdk_version;  // of the headers it was built with
  std::vector<std::string> interfaces;
};

// Takes the descriptor of the ELF note apart. CORRUPT with what is malformed.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view desc);

struct PluginFile {
  std::string name;                  // what broker.toml says: the file name without ".so"
  std::string path;                  // absolute
  std::optional<Manifest> manifest;  // also of a refused file, when it could be read
  std::string license;               // SPDX, as its entry will say; empty when that cannot be read from the file
  std::optional<Error> refusal;      // "plugin /path/x.so refused: <check>: found ..., wanted ...; <remedy>"
};

// Checks, in this order: file there and regular, not writable by everybody, ELF of this architecture, whole, one note, manifest well
// formed, ABI major and minor, interfaces known, exactly the one symbol exported.
[[nodiscard]] PluginFile inspect_file(const std::string &path);

// "gantry.filter.draft/1" -> "filter"; of an id that is not Gantry's the whole id.
[[nodiscard]] std::string_view kind_of(std::string_view interface_id);

// "plugin <path> refused: <text>", with the code of `why`.
[[nodiscard]] Error refused(const std::string &path, Error why);

}  // namespace gantry::plugin
