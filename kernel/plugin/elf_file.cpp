#include "kernel/plugin/elf_file.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>

namespace gantry::plugin {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kOwnMachine = EM_X86_64;
constexpr std::uint32_t kRelative = R_X86_64_RELATIVE;
#elif defined(__aarch64__)
constexpr std::uint16_t kOwnMachine = EM_AARCH64;
constexpr std::uint32_t kRelative = R_AARCH64_RELATIVE;
#elif defined(__riscv)
constexpr std::uint16_t kOwnMachine = EM_RISCV;
constexpr std::uint32_t kRelative = R_RISCV_RELATIVE;
#else
#error "name the ELF machine of this architecture"
#endif

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "AArch64";
    case EM_RISCV: return "RISC-V";
    case EM_386: return "x86 (32-bit)";
    case EM_ARM: return "ARM (32-bit)";
    case EM_PPC64: return "PowerPC64";
    case EM_S390: return "S/390";
    default: return "machine number " + std::to_string(machine);
  }
}

Error unsupported(std::string text) { return Error{GANTRY_E_UNSUPPORTED, std::move(text)}; }
Error corrupt(std::string text) { return Error{GANTRY_E_CORRUPT, std::move(text)}; }

// The bytes [offset, offset + n) of `bytes`, or nothing when the file does not have them.
std::optional<std::string_view> slice(std::string_view bytes, std::uint64_t offset, std::uint64_t n) {
  if (offset > bytes.size() || n > bytes.size() - offset) return std::nullopt;
  return bytes.substr(offset, n);
}

template <typename T>
T load(const char *p) {
  static_assert(std::is_trivially_copyable_v<T>);
  T out;
  std::memcpy(&out, p, sizeof out);
  return out;
}

// A table of `count` equal entries; fails when it does not lie inside the file.
template <typename T>
Result<std::vector<T>> read_table(std::string_view bytes, std::uint64_t offset, std::uint64_t count, std::uint64_t entry_bytes,
                                  const char *what) {
  std::vector<T> out;
  if (count == 0) return out;
  if (entry_bytes != sizeof(T))
    return corrupt(std::string("damaged: an entry of the ") + what + " has " + std::to_string(entry_bytes) + " bytes, wanted " +
                   std::to_string(sizeof(T)));
  // count comes from 16-bit fields or from a section inside the file, so the product cannot overflow.
  const auto table = slice(bytes, offset, count * sizeof(T));
  if (!table)
    return corrupt(std::string("truncated: the ") + what + " should end at byte " + std::to_string(offset + count * sizeof(T)) +
                   ", the file has " + std::to_string(bytes.size()) + " bytes; copy or build it again");
  out.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(load<T>(table->data() + i * sizeof(T)));
  return out;
}

Result<Elf64_Ehdr> read_header(std::string_view bytes) {
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0)
    return corrupt("not an ELF file: found " + std::string(bytes.empty() ? "no bytes at all" : "another beginning") +
                   ", wanted 7f 45 4c 46");
  if (bytes.size() < sizeof(Elf64_Ehdr))
    return corrupt("truncated: the ELF header needs " + std::to_string(sizeof(Elf64_Ehdr)) + " bytes, the file has " +
                   std::to_string(bytes.size()));
  const auto header = load<Elf64_Ehdr>(bytes.data());
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return unsupported("ELF class: found " + std::string(header.e_ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "an unknown class") +
                       ", wanted 64-bit");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return unsupported("byte order: found big endian, wanted little endian");
  if (header.e_machine != kOwnMachine)
    return unsupported("architecture: found " + machine_name(header.e_machine) + ", wanted " + machine_name(kOwnMachine) +
                       "; build the plugin for this machine");
  if (header.e_type != ET_DYN)
    return unsupported("file type: found ELF type " + std::to_string(header.e_type) + ", wanted a shared object (link with -shared)");
  return header;
}

// Mapping a segment that the file does not have would end the process with SIGBUS, so that is checked here.
Result<void> check_segments(std::string_view bytes, const std::vector<Elf64_Phdr> &segments) {
  for (const Elf64_Phdr &segment : segments) {
    if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE && segment.p_type != PT_DYNAMIC) continue;
    if (!slice(bytes, segment.p_offset, segment.p_filesz))
      return corrupt("truncated: a segment of " + std::to_string(segment.p_filesz) + " bytes should begin at byte " +
                     std::to_string(segment.p_offset) + ", the file has " + std::to_string(bytes.size()) +
                     " bytes; copy or build it again");
  }
  return {};
}

// Adds the notes of one area. A note that does not fit ends the area: others follow in areas of their own.
void read_notes(std::string_view area, std::vector<ElfNote> &out) {
  const auto padded = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  while (area.size() >= sizeof(Elf64_Nhdr)) {
    const auto head = load<Elf64_Nhdr>(area.data());
    const std::uint64_t name_at = sizeof head, desc_at = name_at + padded(head.n_namesz);
    const auto name = slice(area, name_at, head.n_namesz);
    const auto desc = slice(area, desc_at, head.n_descsz);
    if (!name || !desc) return;
    out.push_back(ElfNote{name->substr(0, std::min(name->find('\0'), name->size())), head.n_type, *desc});
    const std::uint64_t whole = desc_at + padded(head.n_descsz);
    area.remove_prefix(std::min<std::uint64_t>(whole, area.size()));
  }
}

Result<std::vector<ElfSymbol>> read_exported(std::string_view bytes, const std::vector<Elf64_Shdr> &sections) {
  std::vector<ElfSymbol> out;
  const auto dynsym = std::find_if(sections.begin(), sections.end(), [](const Elf64_Shdr &s) { return s.sh_type == SHT_DYNSYM; });
  if (dynsym == sections.end())
    return corrupt("no dynamic symbol table: found " + std::to_string(sections.size()) +
                   " section headers, wanted one of type DYNSYM; do not strip the section headers");
  if (dynsym->sh_link >= sections.size()) return corrupt("damaged: the dynamic symbol table names no string table");
  const Elf64_Shdr &names_section = sections[dynsym->sh_link];
  const auto names = slice(bytes, names_section.sh_offset, names_section.sh_size);
  if (!names) return corrupt("truncated: the names of the dynamic symbols lie past the end of the file");
  auto symbols = read_table<Elf64_Sym>(bytes, dynsym->sh_offset, dynsym->sh_size / sizeof(Elf64_Sym), dynsym->sh_entsize,
                                       "dynamic symbol table");
  if (!symbols) return std::move(symbols.error());
  for (const Elf64_Sym &symbol : *symbols) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info), visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool outward = binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE;
    const bool visible = visibility == STV_DEFAULT || visibility == STV_PROTECTED;
    if (symbol.st_shndx == SHN_UNDEF || !outward || !visible) continue;
    if (symbol.st_name >= names->size()) return corrupt("damaged: a dynamic symbol's name lies outside the string table");
    const std::string_view rest = names->substr(symbol.st_name);
    out.push_back(ElfSymbol{rest.substr(0, std::min(rest.find('\0'), rest.size())),
                            ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT, symbol.st_size, symbol.st_value});
  }
  return out;
}

// What the file has from that address on, to the end of the segment.
std::optional<std::string_view> bytes_at(std::string_view bytes, const std::vector<Elf64_Phdr> &segments, std::uint64_t address) {
  for (const Elf64_Phdr &segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
    const std::uint64_t into = address - segment.p_vaddr;
    return slice(bytes, segment.p_offset + into, segment.p_filesz - into);
  }
  return std::nullopt;
}

// Where the pointer at `address` will lead: a relative relocation says so, else what stands there already.
std::optional<std::uint64_t> pointer_at(std::string_view bytes, const std::vector<Elf64_Phdr> &segments, const std::vector<Elf64_Shdr> &sections,
                                        std::uint64_t address) {
  for (const Elf64_Shdr &section : sections) {
    if (section.sh_type != SHT_RELA) continue;
    const auto relocations = read_table<Elf64_Rela>(bytes, section.sh_offset, section.sh_size / sizeof(Elf64_Rela), section.sh_entsize, "relocations");
    if (!relocations) return std::nullopt;
    for (const Elf64_Rela &relocation : *relocations) {
      if (relocation.r_offset != address) continue;
      if (ELF64_R_TYPE(relocation.r_info) != kRelative) return std::nullopt;
      return static_cast<std::uint64_t>(relocation.r_addend);
    }
  }
  const auto here = bytes_at(bytes, segments, address);
  if (!here || here->size() < sizeof(std::uint64_t)) return std::nullopt;
  return load<std::uint64_t>(here->data());
}

}  // namespace

std::string text_behind(std::string_view bytes, std::uint64_t address) {
  const auto header = read_header(bytes);
  if (!header) return {};
  const auto segments = read_table<Elf64_Phdr>(bytes, header->e_phoff, header->e_phnum, header->e_phentsize, "program headers");
  const auto sections = read_table<Elf64_Shdr>(bytes, header->e_shoff, header->e_shnum, header->e_shentsize, "section headers");
  if (!segments || !sections) return {};
  const auto target = pointer_at(bytes, *segments, *sections, address);
  const auto text = target ? bytes_at(bytes, *segments, *target) : std::nullopt;
  if (!text) return {};
  const std::size_t end = text->find('\0');
  return end == std::string_view::npos ? std::string() : std::string(text->substr(0, end));
}

Result<ElfFile> read_elf(std::string_view bytes) {
  auto header = read_header(bytes);
  if (!header) return std::move(header.error());
  auto segments = read_table<Elf64_Phdr>(bytes, header->e_phoff, header->e_phnum, header->e_phentsize, "program headers");
  if (!segments) return std::move(segments.error());
  GANTRY_TRY(check_segments(bytes, *segments));
  auto sections = read_table<Elf64_Shdr>(bytes, header->e_shoff, header->e_shnum, header->e_shentsize, "section headers");
  if (!sections) return std::move(sections.error());

  ElfFile out;
  for (const Elf64_Phdr &segment : *segments)
    if (segment.p_type == PT_NOTE) read_notes(*slice(bytes, segment.p_offset, segment.p_filesz), out.notes);
  auto exported = read_exported(bytes, *sections);
  if (!exported) return std::move(exported.error());
  out.exported = std::move(*exported);
  return out;
}

}  // namespace gantry::plugin
