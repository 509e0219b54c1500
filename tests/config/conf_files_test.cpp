// Every file in conf/ and the built-in configuration are right, down to the keys of the plugins that this build has.
#include "config/config_texts.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <gantry/draft/auth.h>
#include <gantry/draft/protocol.h>
#include <gantry/draft/store.h>

#include <filesystem>

namespace gantry::config {
namespace {

// Binds what can be bound; a plugin that is not in this build leaves its keys unchecked.
void bind_all(Document &doc, plugin::PluginHost &host) {
  const auto load = [&](const std::string &name) -> const plugin::Library * {
    if (!std::filesystem::exists(std::filesystem::path(PLUGIN_DIR) / (name + ".so"))) return nullptr;
    const auto library = host.load(name);
    EXPECT_TRUE(library) << library.error().text;
    return library ? *library : nullptr;
  };
  if (doc.has_store()) {
    if (const plugin::Library *library = load(doc.store().plugin)) {
      const auto component = library->component(GANTRY_STORE_ID);
      ASSERT_TRUE(component) << component.error().text;
      (void)doc.bind_store(**component);
    }
  }
  if (doc.has_auth()) {
    if (const plugin::Library *library = load(doc.auth().plugin)) {
      const auto component = library->component(GANTRY_AUTH_ID);
      ASSERT_TRUE(component) << component.error().text;
      (void)doc.bind_auth(**component);
    }
  }
  doc.check_exposure();
  for (std::size_t i = 0; i < doc.protocols().size(); ++i) {
    if (const plugin::Library *library = load(doc.protocols()[i].plugin)) {
      const auto component = library->component(GANTRY_PROTOCOL_ID, doc.protocols()[i].component);
      ASSERT_TRUE(component) << component.error().text;
      (void)doc.bind_protocol(i, **component);
    }
  }
}

TEST(ConfFiles, AllAreRight) {
  plugin::PluginHost host({PLUGIN_DIR});
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(CONF_DIR)) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    auto doc = Document::parse_file(entry.path().string());
    ASSERT_TRUE(doc) << doc.error().text;
    bind_all(*doc, host);
    EXPECT_TRUE(doc->ok()) << render(doc->problems());
  }
  EXPECT_GE(files, 4);
}

TEST(ConfFiles, BuiltInConfigurationIsRight) {
  plugin::PluginHost host({PLUGIN_DIR});
  Document doc = Document::parse(default_config_text(), std::string(kDefaultConfigOrigin));
  bind_all(doc, host);
  EXPECT_TRUE(doc.ok()) << render(doc.problems());
}

}  // namespace
}  // namespace gantry::config
