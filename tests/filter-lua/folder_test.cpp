// The folder of named scripts: what is found, refused, replaced and kept.
#include "folder.hpp"

#include <gantry/draft/host.h>

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace gantry::lua {
namespace {

namespace fs = std::filesystem;

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gantry-scripts-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }

  void write(const std::string &name, const std::string &text) {
    std::ofstream(dir_ / ("." + name + ".new")) << text;
    fs::rename(dir_ / ("." + name + ".new"), dir_ / name);
  }
  Folder folder(std::int64_t rescan_ms = 0) {
    return Folder(dir_.string(), rescan_ms, Limits{}, [this](std::int32_t, const std::string &text) {
      const std::lock_guard lock(mutex_);
      said_.push_back(text);
    });
  }
  std::string said() {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const std::string &line : said_) out += line + "\n";
    said_.clear();
    return out;
  }

  fs::path dir_;
  std::mutex mutex_;
  std::vector<std::string> said_;
};

TEST_F(FolderTest, FindsWhatIsThere) {
  write("vip.lua", "p.vip == '1'");
  write("notes.txt", "no script");
  write("-odd.lua", "true");
  fs::create_directory(dir_ / "sub.lua");
  Folder f = folder();
  ASSERT_TRUE(f.start());
  ASSERT_NE(f.find("vip"), nullptr);
  EXPECT_EQ(f.find("vip")->current()->text, "p.vip == '1'");
  EXPECT_EQ(f.find("vip")->current()->name, "@vip");
  for (const char *name : {"notes", "odd", "-odd", "VIP", "", "../vip", "vip.lua"}) EXPECT_EQ(f.find(name), nullptr) << name;
  EXPECT_EQ(said().find("vip"), std::string::npos);
}

TEST_F(FolderTest, NamesDoNotLeadOutOfIt) {
  for (const char *good : {"a", "vip-2", "A.b_c", "7"}) EXPECT_TRUE(Folder::is_name(good)) << good;
  for (const char *bad : {"", ".", "..", ".hidden", "a/b", "../a", "a b", "a\\b", "-a", "a\n", "\xC3\xA9"}) EXPECT_FALSE(Folder::is_name(bad)) << bad;
  EXPECT_FALSE(Folder::is_name(std::string("a\0b", 3)));
  EXPECT_FALSE(Folder::is_name(std::string(49, 'a')));
}

TEST_F(FolderTest, OneThatDoesNotCompileSaysWhere) {
  write("bad.lua", "local x = 1\nreturn x +\n");
  Folder f = folder();
  ASSERT_TRUE(f.start());
  ASSERT_NE(f.find("bad"), nullptr);
  EXPECT_EQ(f.find("bad")->current(), nullptr);
  EXPECT_EQ(f.find("bad")->problem().line, 3u);
  EXPECT_NE(said().find("bad.lua, line 3: "), std::string::npos);
  write("bad.lua", "true");
  ASSERT_TRUE(f.read());
  EXPECT_NE(f.find("bad")->current(), nullptr);
}

TEST_F(FolderTest, ABadChangeLeavesTheOneBefore) {
  write("s.lua", "true");
  Folder f = folder();
  ASSERT_TRUE(f.start());
  const auto script = f.find("s");
  write("s.lua", "return )");
  ASSERT_TRUE(f.read());
  EXPECT_EQ(script->current()->text, "true");
  EXPECT_NE(said().find("the script before stays in force"), std::string::npos);
  ASSERT_TRUE(f.read());
  EXPECT_EQ(said(), "") << "told once";
  write("s.lua", "false");
  ASSERT_TRUE(f.read());
  EXPECT_EQ(script->current()->text, "false");
  EXPECT_NE(said().find("@s was replaced"), std::string::npos);
}

TEST_F(FolderTest, OneThatIsGoneStaysForThoseWhoHaveIt) {
  write("s.lua", "true");
  Folder f = folder();
  ASSERT_TRUE(f.start());
  const auto held = f.find("s");
  fs::remove(dir_ / "s.lua");
  ASSERT_TRUE(f.read());
  EXPECT_EQ(f.find("s"), nullptr);
  EXPECT_EQ(held->current()->text, "true");
  write("s.lua", "false");
  ASSERT_TRUE(f.read());
  EXPECT_EQ(f.find("s"), held) << "and gets what comes back";
  EXPECT_EQ(held->current()->text, "false");
}

TEST_F(FolderTest, AFolderThatIsNotThereStopsTheStart) {
  Folder f((dir_ / "none").string(), 1000, Limits{}, [](std::int32_t, const std::string &) {});
  const auto started = f.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, GANTRY_E_CONFIG);
  EXPECT_NE(started.error().text.find("none"), std::string::npos);
  Folder nowhere("", 1000, Limits{}, [](std::int32_t, const std::string &) {});
  EXPECT_TRUE(nowhere.start());
  EXPECT_EQ(nowhere.find("s"), nullptr);
}

TEST_F(FolderTest, ItLooksAgainByItself) {
  write("s.lua", "true");
  Folder f = folder(1);
  ASSERT_TRUE(f.start());
  const auto script = f.find("s");
  write("s.lua", "false");
  while (script->current()->text != "false") std::this_thread::yield();
  f.stop();
  f.stop();
}

}  // namespace
}  // namespace gantry::lua
