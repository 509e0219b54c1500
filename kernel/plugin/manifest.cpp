#include "kernel/plugin/manifest.hpp"

#include "kernel/plugin/elf_file.hpp"

#include <gantry/abi.h>
#include <gantry/draft/allocator.h>
#include <gantry/draft/auth.h>
#include <gantry/draft/filter.h>
#include <gantry/draft/protocol.h>
#include <gantry/draft/store.h>
#include <gantry/draft/store_tool.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace gantry::plugin {
namespace {

constexpr std::uint64_t kMaxFileBytes = 1ull << 30;

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

// A text field: printable ASCII up to its terminator, which must be there.
Result<std::string> field(const char *p, std::size_t size, const char *name) {
  const std::string_view whole(p, size);
  const std::size_t end = whole.find('\0');
  if (end == std::string_view::npos)
    return Error{GANTRY_E_CORRUPT, std::string("manifest: field ") + name + " is not terminated within its " + std::to_string(size) + " bytes"};
  const std::string_view text = whole.substr(0, end);
  if (text.empty()) return Error{GANTRY_E_CORRUPT, std::string("manifest: field ") + name + " is empty"};
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
    return Error{GANTRY_E_CORRUPT, std::string("manifest: field ") + name + " has bytes that are not printable ASCII"};
  return std::string(text);
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Result<std::string> read_file(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return io_error("file: cannot be opened", errno);
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  struct stat info {};
  if (::fstat(fd, &info) != 0) return io_error("file: cannot be examined", errno);
  if (!S_ISREG(info.st_mode)) return Error{GANTRY_E_INVALID, "file: found a directory or special file, wanted a regular file"};
  if ((info.st_mode & S_IWOTH) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
    return Error{GANTRY_E_DENIED, std::string("permissions: found mode ") + mode + ", writable by every user; wanted no write permission for others (chmod o-w)"};
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > kMaxFileBytes) return Error{GANTRY_E_LIMIT, "file: found " + std::to_string(size) + " bytes, wanted at most 1 GiB"};
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("file: cannot be read", errno);
    if (n == 0) break;  // it shrank meanwhile; the ELF reader says what is missing
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<Manifest> manifest_of(const ElfFile &elf) {
  std::vector<const ElfNote *> found;
  for (const ElfNote &note : elf.notes)
    if (note.name == GANTRY_NOTE_NAME && note.type == GANTRY_NOTE_TYPE) found.push_back(&note);
  if (found.empty())
    return Error{GANTRY_E_CORRUPT, "note: found no " GANTRY_NOTE_SECTION " note, wanted one; this is no Gantry plugin, or GANTRY_MANIFEST is missing in its source"};
  if (found.size() > 1)
    return Error{GANTRY_E_CORRUPT, "manifest: found " + std::to_string(found.size()) + " " GANTRY_NOTE_SECTION " notes, wanted one; use GANTRY_MANIFEST once"};
  return parse_manifest(found.front()->desc);
}

Result<void> check_abi(const Manifest &manifest) {
  const std::string built = "; it was built with SDK " + manifest.sdk_version;
  if (manifest.abi_major != GANTRY_ABI_MAJOR)
    return Error{GANTRY_E_UNSUPPORTED, "ABI major: found " + std::to_string(manifest.abi_major) + ", wanted " +
                                           std::to_string(GANTRY_ABI_MAJOR) + built + ", rebuild it with SDK " GANTRY_SDK_VERSION};
  if (manifest.abi_minor > GANTRY_ABI_MINOR)
    return Error{GANTRY_E_UNSUPPORTED, "ABI minor: found " + std::to_string(manifest.abi_minor) + ", wanted at most " +
                                           std::to_string(GANTRY_ABI_MINOR) + built + ", use a newer kernel or rebuild it with SDK " GANTRY_SDK_VERSION};
  return {};
}

// "gantry.store.draft/2" and "gantry.store.draft/1" have the same stem.
std::string_view stem(std::string_view interface_id) { return interface_id.substr(0, interface_id.rfind('/')); }

Result<void> check_interfaces(const Manifest &manifest) {
  const auto &known = known_interfaces();
  for (const std::string &offered : manifest.interfaces) {
    if (std::find(known.begin(), known.end(), offered) != known.end()) continue;
    for (const std::string_view ours : known)
      if (stem(ours) == stem(offered))
        return Error{GANTRY_E_UNSUPPORTED, "interface version: found " + in_quotes(offered) + ", wanted " + in_quotes(ours) +
                                               "; it was built with SDK " + manifest.sdk_version + ", this kernel has " GANTRY_SDK_VERSION};
    std::string list;
    for (const std::string_view ours : known) list += (list.empty() ? "" : ", ") + in_quotes(ours);
    return Error{GANTRY_E_UNSUPPORTED, "interface: found " + in_quotes(offered) + ", wanted one of " + list};
  }
  return {};
}

Result<void> check_symbols(const ElfFile &elf) {
  const auto entry = std::find_if(elf.exported.begin(), elf.exported.end(),
                                  [](const ElfSymbol &s) { return s.name == GANTRY_PLUGIN_SYMBOL; });
  if (entry == elf.exported.end())
    return Error{GANTRY_E_CORRUPT, "entry symbol: found no " GANTRY_PLUGIN_SYMBOL " among " + std::to_string(elf.exported.size()) +
                                       " exported symbols, wanted it exported"};
  if (elf.exported.size() > 1) {
    std::string others;
    int shown = 0;
    for (const ElfSymbol &symbol : elf.exported) {
      if (symbol.name == GANTRY_PLUGIN_SYMBOL || shown == 3) continue;
      others += (shown++ == 0 ? "" : ", ") + std::string(symbol.name);
    }
    return Error{GANTRY_E_INVALID, "exported symbols: found " + std::to_string(elf.exported.size()) + " (also " + others +
                                       "), wanted " GANTRY_PLUGIN_SYMBOL " alone; link with the SDK's version script"};
  }
  if (!entry->is_object || entry->size < sizeof(gantry_plugin))
    return Error{GANTRY_E_INVALID, std::string("entry symbol: found ") + (entry->is_object ? "an object" : "something else than an object") + " of " +
                                       std::to_string(entry->size) + " bytes, wanted a gantry_plugin of " + std::to_string(sizeof(gantry_plugin))};
  return {};
}

// Printable ASCII, since it goes to terminals.
std::string license_of(std::string_view bytes, const ElfFile &elf) {
  for (const ElfSymbol &symbol : elf.exported) {
    if (symbol.name != GANTRY_PLUGIN_SYMBOL || !symbol.is_object || symbol.size < sizeof(gantry_plugin)) continue;
    std::string text = text_behind(bytes, symbol.address + offsetof(gantry_plugin, license));
    if (text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) return text;
  }
  return {};
}

Result<void> inspect(PluginFile &file) {
  auto bytes = read_file(file.path);
  if (!bytes) return std::move(bytes.error());
  auto elf = read_elf(*bytes);
  if (!elf) return std::move(elf.error());
  auto manifest = manifest_of(*elf);
  if (!manifest) return std::move(manifest.error());
  file.manifest = std::move(*manifest);
  file.license = license_of(*bytes, *elf);
  GANTRY_TRY(check_abi(*file.manifest));
  GANTRY_TRY(check_interfaces(*file.manifest));
  return check_symbols(*elf);
}

}  // namespace

const std::vector<std::string_view> &known_interfaces() {
  static const std::vector<std::string_view> kKnown{GANTRY_STORE_ID, GANTRY_STORE_TOOL_ID, GANTRY_PROTOCOL_ID, GANTRY_ALLOCATOR_ID, GANTRY_FILTER_ID, GANTRY_AUTH_ID, GANTRY_AUTH_TOOL_ID};
  return kKnown;
}

Result<Manifest> parse_manifest(std::string_view desc) {
  gantry_manifest raw;
  // Majors and minors stay where they are in all versions, so a foreign one is named even when its size differs.
  if (desc.size() < 2 * sizeof(std::uint32_t))
    return Error{GANTRY_E_CORRUPT, "manifest: found " + std::to_string(desc.size()) + " bytes, wanted " + std::to_string(sizeof raw)};
  std::memset(&raw, 0, sizeof raw);
  std::memcpy(&raw, desc.data(), std::min(desc.size(), sizeof raw));
  Manifest out;
  out.abi_major = raw.abi_major;
  out.abi_minor = raw.abi_minor;
  const bool same_layout = raw.abi_major == GANTRY_ABI_MAJOR && raw.abi_minor <= GANTRY_ABI_MINOR;
  if (same_layout && (desc.size() != sizeof raw || raw.size != sizeof raw))
    return Error{GANTRY_E_CORRUPT, "manifest: found " + std::to_string(desc.size()) + " bytes with size field " + std::to_string(raw.size) +
                                       ", wanted " + std::to_string(sizeof raw)};
  const auto take = [&](const char *p, std::size_t size, const char *name, std::string &to) -> Result<void> {
    auto text = field(p, size, name);
    if (text)
      to = std::move(*text);
    else if (same_layout)
      return std::move(text.error());
    else
      to = "unknown";
    return {};
  };
  std::string interfaces;
  GANTRY_TRY(take(raw.id, sizeof raw.id, "id", out.id));
  GANTRY_TRY(take(raw.version, sizeof raw.version, "version", out.version));
  GANTRY_TRY(take(raw.sdk_version, sizeof raw.sdk_version, "sdk_version", out.sdk_version));
  GANTRY_TRY(take(raw.interfaces, sizeof raw.interfaces, "interfaces", interfaces));
  out.interfaces = words(interfaces);
  if (out.interfaces.empty()) return Error{GANTRY_E_CORRUPT, "manifest: field interfaces has only blanks"};
  return out;
}

std::string_view kind_of(std::string_view interface_id) {
  constexpr std::string_view kOurs = "gantry.";
  if (!interface_id.starts_with(kOurs)) return interface_id;
  interface_id.remove_prefix(kOurs.size());
  return interface_id.substr(0, interface_id.find_first_of("./"));
}

Error refused(const std::string &path, Error why) { return std::move(why).in("plugin " + path + " refused"); }

PluginFile inspect_file(const std::string &path) {
  PluginFile out;
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(path, ignored);
  out.path = absolute.empty() ? path : absolute.lexically_normal().string();
  out.name = std::filesystem::path(path).stem().string();
  if (auto fine = inspect(out); !fine) out.refusal = refused(out.path, std::move(fine.error()));
  return out;
}

}  // namespace gantry::plugin
