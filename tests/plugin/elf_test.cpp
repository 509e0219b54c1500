// Files that no code may be taken from: every refusal says what was found and what was wanted, and nothing of the file runs.
#include "kernel/plugin/manifest.hpp"
#include "plugin/sample_files.hpp"

#include <elf.h>
#include <sys/stat.h>

#include <random>

namespace gantry::plugin {
namespace {

using test::set_field;

class PluginFileTest : public test::SampleTest {
 protected:
  // Expects the refusal of the file, with its path and all of `parts` in the text.
  void expect_refused(const std::string &path, std::int32_t code, const std::vector<std::string> &parts) {
    const PluginFile file = inspect_file(path);
    ASSERT_TRUE(file.refusal) << path << " was accepted";
    EXPECT_EQ(file.refusal->code, code) << file.refusal->text;
    EXPECT_NE(file.refusal->text.find(path), std::string::npos) << file.refusal->text;
    for (const std::string &part : parts) EXPECT_NE(file.refusal->text.find(part), std::string::npos) << part << " is not in: " << file.refusal->text;
    EXPECT_EQ(file.refusal->text.find('\n'), std::string::npos);
    EXPECT_FALSE(code_ran());
  }
  void expect_refused_bytes(const std::string &bytes, std::int32_t code, const std::vector<std::string> &parts) {
    expect_refused(put("candidate", bytes), code, parts);
  }
  template <typename T>
  static std::string patched(std::size_t at, T value) {
    std::string bytes = sample_bytes();
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  }
};

TEST_F(PluginFileTest, GoodFileGivesItsManifestWithoutRunning) {
  const PluginFile file = inspect_file(put_variant("sample"));
  ASSERT_FALSE(file.refusal) << file.refusal->text;
  EXPECT_EQ(file.name, "sample");
  EXPECT_EQ(file.manifest->id, "test.sample");
  EXPECT_EQ(file.manifest->version, "1.2.3");
  EXPECT_EQ(file.manifest->sdk_version, GANTRY_SDK_VERSION);
  EXPECT_EQ(file.manifest->interfaces, std::vector<std::string>{"gantry.protocol.draft/1"});
  EXPECT_FALSE(code_ran());
}

TEST_F(PluginFileTest, MissingFile) { expect_refused((dir() / "none.so").string(), GANTRY_E_IO, {"cannot be opened", "No such file"}); }

TEST_F(PluginFileTest, Folder) {
  std::filesystem::create_directory(dir() / "folder.so");
  expect_refused((dir() / "folder.so").string(), GANTRY_E_INVALID, {"found a directory", "wanted a regular file"});
}

TEST_F(PluginFileTest, WritableByEverybody) {
  const std::string path = put_variant("sample");
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  expect_refused(path, GANTRY_E_DENIED, {"found mode 0666", "chmod o-w"});
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  EXPECT_FALSE(inspect_file(path).refusal);
}

TEST_F(PluginFileTest, EmptyFile) { expect_refused_bytes("", GANTRY_E_CORRUPT, {"not an ELF file", "no bytes"}); }
TEST_F(PluginFileTest, NotElf) { expect_refused_bytes("#!/bin/sh\necho hello\n", GANTRY_E_CORRUPT, {"not an ELF file", "wanted 7f 45 4c 46"}); }

TEST_F(PluginFileTest, OtherClass) {
  expect_refused_bytes(patched<std::uint8_t>(EI_CLASS, ELFCLASS32), GANTRY_E_UNSUPPORTED, {"ELF class", "found 32-bit", "wanted 64-bit"});
}
TEST_F(PluginFileTest, OtherByteOrder) {
  expect_refused_bytes(patched<std::uint8_t>(EI_DATA, ELFDATA2MSB), GANTRY_E_UNSUPPORTED, {"byte order", "found big endian"});
}
TEST_F(PluginFileTest, OtherArchitecture) {
  expect_refused_bytes(patched<std::uint16_t>(offsetof(Elf64_Ehdr, e_machine), EM_S390), GANTRY_E_UNSUPPORTED, {"architecture", "found S/390", "wanted"});
}
TEST_F(PluginFileTest, NotASharedObject) {
  expect_refused_bytes(patched<std::uint16_t>(offsetof(Elf64_Ehdr, e_type), ET_REL), GANTRY_E_UNSUPPORTED, {"file type", "wanted a shared object"});
}

TEST_F(PluginFileTest, TruncatedAnywhere) {
  const std::string whole = sample_bytes();
  for (std::size_t cut = 0; cut < whole.size(); cut += 1 + whole.size() / 300) {
    const std::string path = put("cut", whole.substr(0, cut));
    const PluginFile file = inspect_file(path);
    ASSERT_TRUE(file.refusal) << "cut at byte " << cut;
    if (cut >= 4) {
      EXPECT_NE(file.refusal->text.find("truncated"), std::string::npos) << file.refusal->text;
    }
  }
  EXPECT_FALSE(code_ran());
}

TEST_F(PluginFileTest, DamagedBytesNeverCrashTheReader) {
  const std::string whole = sample_bytes();
  std::mt19937 random(7);
  std::uniform_int_distribution<std::size_t> place(0, whole.size() - 1), header(0, 63);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 4; ++i) bytes[round % 2 == 0 ? header(random) : place(random)] = static_cast<char>(random());
    const PluginFile file = inspect_file(put("damaged", bytes));
    EXPECT_TRUE(file.refusal || file.manifest);
  }
  EXPECT_FALSE(code_ran());
}

TEST_F(PluginFileTest, NoNote) { expect_refused(put_variant("sample-no-note"), GANTRY_E_CORRUPT, {"found no .note.gantry", "GANTRY_MANIFEST"}); }
TEST_F(PluginFileTest, TwoNotes) { expect_refused(put_variant("sample-two-notes"), GANTRY_E_CORRUPT, {"found 2 .note.gantry", "wanted one"}); }

TEST_F(PluginFileTest, OtherAbiMajor) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { m.abi_major = 2; }), GANTRY_E_UNSUPPORTED, {"ABI major: found 2, wanted 1", "built with SDK " GANTRY_SDK_VERSION});
}
TEST_F(PluginFileTest, OtherAbiMajorOfUnknownLayoutIsStillNamed) {
  const std::string bytes = with_manifest([](gantry_manifest &m) {
    m.abi_major = 9;
    m.size = 4000;
    std::memset(m.id, 'x', sizeof m.id);
  });
  expect_refused_bytes(bytes, GANTRY_E_UNSUPPORTED, {"ABI major: found 9, wanted 1"});
}
TEST_F(PluginFileTest, NewerAbiMinor) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { m.abi_minor = GANTRY_ABI_MINOR + 1; }), GANTRY_E_UNSUPPORTED,
                       {"ABI minor: found " + std::to_string(GANTRY_ABI_MINOR + 1), "wanted at most " + std::to_string(GANTRY_ABI_MINOR)});
}
TEST_F(PluginFileTest, OtherManifestSize) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { m.size = 100; }), GANTRY_E_CORRUPT, {"manifest", "size field 100", "wanted 288"});
}
TEST_F(PluginFileTest, UnterminatedText) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { std::memset(m.id, 'x', sizeof m.id); }), GANTRY_E_CORRUPT, {"field id is not terminated"});
}
TEST_F(PluginFileTest, EmptyText) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { set_field(m.version, ""); }), GANTRY_E_CORRUPT, {"field version is empty"});
}
TEST_F(PluginFileTest, UnprintableText) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { set_field(m.id, "a\x1b[31m"); }), GANTRY_E_CORRUPT, {"field id has bytes that are not printable"});
}
TEST_F(PluginFileTest, BlankInterfaces) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { set_field(m.interfaces, "  "); }), GANTRY_E_CORRUPT, {"interfaces has only blanks"});
}

TEST_F(PluginFileTest, OtherDraftOfAnInterface) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { set_field(m.interfaces, "gantry.protocol.draft/7"); }), GANTRY_E_UNSUPPORTED,
                       {"interface version", "found \"gantry.protocol.draft/7\"", "wanted \"gantry.protocol.draft/1\""});
}
TEST_F(PluginFileTest, UnknownInterface) {
  expect_refused_bytes(with_manifest([](gantry_manifest &m) { set_field(m.interfaces, "gantry.protocol.draft/1 org.example.thing/1"); }),
                       GANTRY_E_UNSUPPORTED, {"interface: found \"org.example.thing/1\"", "wanted one of", "gantry.store.draft/1"});
}

TEST_F(PluginFileTest, RefusedFileStillTellsItsManifest) {
  const PluginFile file = inspect_file(put("old", with_manifest([](gantry_manifest &m) { m.abi_major = 2; })));
  ASSERT_TRUE(file.refusal && file.manifest);
  EXPECT_EQ(file.manifest->id, "test.sample");
}

TEST_F(PluginFileTest, EntryNotExported) {
  expect_refused(put_variant("sample-no-entry"), GANTRY_E_CORRUPT, {"entry symbol: found no gantry_plugin_v1", "wanted it exported"});
}
TEST_F(PluginFileTest, MoreThanOneSymbol) {
  expect_refused(put_variant("sample-two-symbols"), GANTRY_E_INVALID, {"exported symbols: found 2", "sample_extra", "wanted gantry_plugin_v1 alone"});
}
TEST_F(PluginFileTest, EntryIsAFunction) {
  expect_refused(put_variant("sample-function"), GANTRY_E_INVALID, {"entry symbol: found something else than an object"});
}

TEST_F(PluginFileTest, LicenseIsReadFromTheFile) {
  const PluginFile file = inspect_file(put_variant("sample"));
  EXPECT_FALSE(file.refusal);
  EXPECT_EQ(file.license, "Apache-2.0");
  EXPECT_FALSE(code_ran());
}

// Of a damaged file the license may be unknown or wrong, but it is text, and reading it ends.
TEST_F(PluginFileTest, LicenseOfDamagedFilesIsHarmless) {
  std::mt19937 random(7);
  const std::string good = sample_bytes();
  for (int i = 0; i < 500; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 8; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    const PluginFile file = inspect_file(put("damaged", bytes));
    EXPECT_LE(file.license.size(), 128u);
    for (const char c : file.license) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  }
}

TEST(PluginKind, IsTheSecondPartOfOurIds) {
  EXPECT_EQ(kind_of("gantry.filter.draft/1"), "filter");
  EXPECT_EQ(kind_of("gantry.store/1"), "store");
  EXPECT_EQ(kind_of("org.example.thing/1"), "org.example.thing/1");
}

}  // namespace
}  // namespace gantry::plugin
