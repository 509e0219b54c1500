#include "kernel/cli/inspect.hpp"

#include "kernel/plugin/plugin_host.hpp"

#include <gantry/draft/allocator.h>
#include <gantry/draft/auth.h>
#include <gantry/draft/filter.h>
#include <gantry/draft/protocol.h>
#include <gantry/draft/store.h>

#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace gantry::cli {

Result<config::Document> load_document(const RunOptions &options) {
  std::vector<config::Override> overrides = config::environment_overrides(environ);
  for (const std::string &definition : options.definitions) {
    auto parsed = config::flag_override(definition);
    if (!parsed) return std::move(parsed.error());
    overrides.push_back(std::move(*parsed));
  }
  if (options.config_file.empty()) return config::Document::parse(config::default_config_text(), std::string(config::kDefaultConfigOrigin), overrides);
  return config::Document::parse_file(options.config_file, overrides);
}

namespace {

// Loads the plugins a document names and binds their keys, so that the check covers those too.
void bind_all(config::Document &document) {
  plugin::PluginHost plugins(plugin::search_dirs(document.broker().plugin_dirs));
  const auto component = [&](const std::string &name, const char *interface_id, const std::string &wanted) -> Result<const gantry_component *> {
    auto library = plugins.load(name);
    if (!library) return std::move(library.error());
    return (*library)->component(interface_id, wanted);
  };
  if (document.has_store()) {
    auto store = component(document.store().plugin, GANTRY_STORE_ID, {});
    if (store)
      (void)document.bind_store(**store);
    else
      document.report_store("plugin", store.error().text);
  }
  if (const std::string &allocator = document.broker().allocator; document.has_store() && !allocator.empty()) {
    const auto first = component(allocator, GANTRY_ALLOCATOR_ID, {});
    if (!first) document.report_broker("allocator", first.error().text);
  }
  for (std::size_t i = 0; document.has_store() && i < document.filters().size(); ++i) {
    auto filter = component(document.filters()[i].plugin, GANTRY_FILTER_ID, {});
    if (filter)
      (void)document.bind_filter(i, **filter);
    else
      document.report_filter(i, filter.error().text);
  }
  if (document.has_auth()) {
    auto auth = component(document.auth().plugin, GANTRY_AUTH_ID, {});
    if (auth)
      (void)document.bind_auth(**auth);
    else
      document.report_auth("plugin", auth.error().text);
  }
  document.check_exposure();
  for (std::size_t i = 0; i < document.protocols().size(); ++i) {
    auto protocol = component(document.protocols()[i].plugin, GANTRY_PROTOCOL_ID, document.protocols()[i].component);
    if (protocol)
      (void)document.bind_protocol(i, **protocol);
    else
      document.report_protocol(i, "plugin", protocol.error().text);
  }
}

}  // namespace

int check_config(const RunOptions &options) {
  auto document = load_document(options);
  if (!document) {
    std::fprintf(stderr, "gantry: %s\n", document.error().text.c_str());
    return kExitFailed;
  }
  bind_all(*document);
  if (!document->ok()) {
    std::fputs(config::render(document->problems()).c_str(), stderr);
    std::fprintf(stderr, "%zu problem(s)\n", document->problems().size());
    return kExitFailed;
  }
  std::cout << (options.config_file.empty() ? "the built-in configuration" : options.config_file) << " is good\n";
  return 0;
}

int print_default_config() {
  std::cout << config::default_config_text();
  return 0;
}

}  // namespace gantry::cli
