// What the loader must know of a shared object before any of its code may run, read from the bytes of the file.
// Every offset and count in the file is taken for hostile. Format: System V ABI, 64-bit little endian (elf.h).
#pragma once

#include <gantry++/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::plugin {

struct ElfNote {
  std::string_view name;  // without its terminating zero
  std::uint32_t type = 0;
  std::string_view desc;
};

struct ElfSymbol {
  std::string_view name;
  bool is_object = false;  // STT_OBJECT
  std::uint64_t size = 0;  // bytes
  std::uint64_t address = 0;  // where it will lie, from the beginning of the mapping
};

// Views point into the bytes that were parsed.
struct ElfFile {
  std::vector<ElfNote> notes;
  std::vector<ElfSymbol> exported;  // defined, global or weak, visible from outside
};

// CORRUPT: not ELF, truncated or damaged. UNSUPPORTED: of another class, byte order, machine or type.
// The text says what was found and what was wanted, not the path.
[[nodiscard]] Result<ElfFile> read_elf(std::string_view bytes);

// The terminated text that the pointer at `address` will lead to once the file is mapped, read from the file alone; empty when that cannot be told.
// `bytes` must have passed read_elf.
[[nodiscard]] std::string text_behind(std::string_view bytes, std::uint64_t address);

}  // namespace gantry::plugin
