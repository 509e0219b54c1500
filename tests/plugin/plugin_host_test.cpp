// Finding plugins by name, loading each once, and what `gantry plugin list` shows.
#include "kernel/plugin/plugin_host.hpp"
#include "plugin/sample_files.hpp"

namespace gantry::plugin {
namespace {

class PluginHostTest : public test::SampleTest {
 protected:
  [[nodiscard]] std::vector<std::string> dirs() const { return {(dir() / "first").string(), (dir() / "second").string()}; }
};

TEST_F(PluginHostTest, FindsInTheFirstFolderThatHasIt) {
  put("second/sample", sample_bytes());
  EXPECT_EQ(*find_plugin("sample", dirs()), (dir() / "second/sample.so").string());
  put("first/sample", sample_bytes());
  EXPECT_EQ(*find_plugin("sample", dirs()), (dir() / "first/sample.so").string());
  EXPECT_EQ(*find_plugin("./here/x.so", dirs()), "./here/x.so");
}

TEST_F(PluginHostTest, NotFoundNamesFoldersAndNearest) {
  put("second/sample", sample_bytes());
  const auto near = find_plugin("smaple", dirs());
  ASSERT_FALSE(near);
  EXPECT_EQ(near.error().code, GANTRY_E_NOT_FOUND);
  EXPECT_NE(near.error().text.find(dirs()[0] + ", " + dirs()[1]), std::string::npos) << near.error().text;
  EXPECT_NE(near.error().text.find("did you mean \"sample\"?"), std::string::npos) << near.error().text;
  const auto far = find_plugin("protocol-amqp", dirs());
  ASSERT_FALSE(far);
  EXPECT_NE(far.error().text.find("plugin_dirs"), std::string::npos) << far.error().text;
  EXPECT_FALSE(find_plugin("x", {}));
}

TEST_F(PluginHostTest, SearchesConfiguredFoldersBeforeThoseOfTheExecutable) {
  const auto found = search_dirs({"/opt/a"});
  ASSERT_EQ(found.size(), 3u);
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  EXPECT_EQ(found[0], "/opt/a");
  EXPECT_EQ(found[1], (folder / "plugins").string());
  EXPECT_EQ(found[2], (folder.parent_path() / "lib/gantry/plugins").string());
}

TEST_F(PluginHostTest, LoadsEachFileOnce) {
  put("first/sample", sample_bytes());
  std::filesystem::create_symlink(dir() / "first/sample.so", dir() / "first/alias.so");
  PluginHost host(dirs());
  const auto one = host.load("sample"), two = host.load("sample"), alias = host.load((dir() / "first/alias.so").string());
  ASSERT_TRUE(one && two && alias);
  EXPECT_EQ(*one, *two);
  EXPECT_EQ(*one, *alias);
}

TEST_F(PluginHostTest, SecondFileWithTheSameIdIsRefusedBeforeItsCodeRuns) {
  put("first/sample", sample_bytes());
  put("second/copy", sample_bytes());
  PluginHost host(dirs());
  ASSERT_TRUE(host.load("sample"));
  ASSERT_TRUE(std::filesystem::remove(marker()));
  const auto copy = host.load("copy");
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().code, GANTRY_E_EXISTS);
  EXPECT_NE(copy.error().text.find("found \"test.sample\""), std::string::npos) << copy.error().text;
  EXPECT_NE(copy.error().text.find((dir() / "first/sample.so").string()), std::string::npos) << copy.error().text;
  EXPECT_FALSE(code_ran());
}

TEST_F(PluginHostTest, ListShowsFoundLoadedAndRefused) {
  put("first/sample", sample_bytes());
  put("first/broken", "no elf");
  put("second/other", with_manifest([](gantry_manifest &m) { test::set_field(m.id, "test.other"); }));
  put("second/misfit", sample_bytes("sample-twice"));
  PluginHost host(dirs());
  ASSERT_TRUE(host.load("sample"));
  ASSERT_FALSE(host.load("other"));  // note and struct disagree
  const auto list = host.list();
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].name, "broken");
  EXPECT_EQ(to_text(list[0].state), "refused");
  EXPECT_NE(list[0].refusal.find("not an ELF file"), std::string::npos);
  EXPECT_EQ(list[1].name, "misfit");  // only inspected: what is wrong with it shows when it is mapped
  EXPECT_EQ(to_text(list[1].state), "found");
  EXPECT_EQ(list[2].name, "other");
  EXPECT_EQ(to_text(list[2].state), "refused");
  EXPECT_NE(list[2].refusal.find("disagree"), std::string::npos);
  EXPECT_EQ(list[3].name, "sample");
  EXPECT_EQ(to_text(list[3].state), "loaded");
  EXPECT_EQ(list[3].id, "test.sample");
  EXPECT_EQ(list[3].version, "1.2.3");
  EXPECT_EQ(list[3].sdk_version, GANTRY_SDK_VERSION);
  EXPECT_EQ(list[3].interfaces, std::vector<std::string>{"gantry.protocol.draft/1"});
  EXPECT_EQ(list[3].path, (dir() / "first/sample.so").string());
  EXPECT_TRUE(list[3].refusal.empty());
}

}  // namespace
}  // namespace gantry::plugin
