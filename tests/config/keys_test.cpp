// The kernel's key tables, as `gantry config doc` prints them and as the configuration page lists them.
#include "kernel/config/keys.hpp"
#include "kernel/config/value.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace gantry::config {
namespace {

TEST(Keys, DefaultsFitTheirOwnKeys) {
  for (const auto keys : {broker_keys(), store_keys(), auth_keys(), protocol_keys()})
    for (const gantry_config_key &key : keys) EXPECT_TRUE(default_of(key).value || key.type == GANTRY_KEY_ENUM) << key.name;
}

TEST(Keys, RenderedAsCommentedToml) {
  const gantry_config_key keys[] = {{"size", GANTRY_KEY_SIZE, 0, "4 MiB", 1024, 1 << 20, nullptr, "how large"},
                                    {"server", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "where"},
                                    {"key", GANTRY_KEY_STRING, GANTRY_KEY_SECRET | GANTRY_KEY_RELOADABLE, nullptr, 0, 0, nullptr, "hush"}};
  EXPECT_EQ(render_keys("[x]", keys),
            "[x]\n"
            "# how large\n"
            "#   a size such as \"64 MiB\", 1 KiB to 1 MiB\n"
            "# size = \"4 MiB\"\n\n"
            "# where\n"
            "#   a string\n"
            "server =   # required\n\n"
            "# hush\n"
            "#   a string, can be changed while running, never printed\n"
            "# key =   # not set\n\n");
}

// The part of the configuration page below a heading.
std::string page_section(const std::string &heading) {
  std::ifstream in(CONFIGURATION_PAGE);
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::size_t begin = page.find("\n" + heading + "\n");
  EXPECT_NE(begin, std::string::npos) << heading;
  return begin == std::string::npos ? "" : page.substr(begin, page.find("\n## ", begin + heading.size()) - begin);
}

void expect_listed(const std::string &section, std::span<const gantry_config_key> keys) {
  for (const gantry_config_key &key : keys) {
    const std::size_t row = section.find("| `" + std::string(key.name) + "` |");
    ASSERT_NE(row, std::string::npos) << key.name << " is missing on the page";
    const std::string line = section.substr(row, section.find('\n', row) - row);
    const bool required = (key.flags & GANTRY_KEY_REQUIRED) != 0;
    if (required || key.default_text != nullptr) {
      EXPECT_NE(line.find(required ? "required" : "`" + std::string(key.default_text) + "`"), std::string::npos) << line;
    }
    EXPECT_NE(line.find(range_text(key)), std::string::npos) << line << "\nlacks the range " << range_text(key);
    for (const std::string_view word : enum_words(key)) EXPECT_NE(line.find("`" + std::string(word) + "`"), std::string::npos) << line;
  }
}

TEST(Keys, PageListsEveryKeyWithItsDefaultAndRange) {
  expect_listed(page_section("## [broker]"), broker_keys());
  expect_listed(page_section("## [store]"), store_keys());
  expect_listed(page_section("## [auth]"), auth_keys());
  expect_listed(page_section("## [[protocol]]"), protocol_keys());
  expect_listed(page_section("## [[filter]]"), filter_keys());
}

TEST(Keys, PageListsTheKeysOfThePluginsOfThisBuild) {
  plugin::PluginHost host({PLUGIN_DIR});
  for (const char *name : {"store-commitlog", "auth-acl", "protocol-remoting", "filter-lua"}) {
    if (!std::filesystem::exists(std::filesystem::path(PLUGIN_DIR) / (std::string(name) + ".so"))) continue;
    const auto library = host.load(name);
    ASSERT_TRUE(library) << library.error().text;
    for (const gantry_component *component : (*library)->components())
      expect_listed(page_section("## " + std::string(name) + ", component " + component->name), {component->keys, component->n_keys});
  }
}

}  // namespace
}  // namespace gantry::config
