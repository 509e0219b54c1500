#include "kernel/cli/plugin_commands.hpp"

#include "kernel/cli/remoting_client.hpp"

#include <CLI/CLI.hpp>

namespace gantry::cli {

PluginCommands::PluginCommands(CLI::App &app) {
  CLI::App *plugin = app.add_subcommand("plugin", "look at plugins, begin one, check one");
  plugin->require_subcommand(1);

  list_ = plugin->add_subcommand("list", "plugins found, read without running their code; exit code 1 when one is refused");
  list_->add_option("dir", list_dir_, "folder to look at; without it all folders that the server searches");
  list_->add_flag("--json", list_json_, "JSON instead of a table");

  new_ = plugin->add_subcommand("new", "begin a plugin: a folder that builds against the installed SDK");
  new_->add_option("kind", new_options_.kind, "filter or allocator")->required()->check(CLI::IsMember({"filter", "allocator"}));
  new_->add_option("name", new_options_.name, "name of the plugin and of the new folder: a-z, 0-9 and '-'")->required();
  new_->add_option("--lang", new_options_.language, "c, cpp or, for filters, rust")->check(CLI::IsMember({"c", "cpp", "rust"}))->capture_default_str();

  check_ = plugin->add_subcommand("check", "test a plugin against its interface, each test in a process of its own");
  check_->add_option("file", check_options_.plugin, "the plugin's .so")->required();
  check_->add_option("--cases", check_options_.cases, "filters: file with expressions and what they must answer");
  check_->add_option("--set", check_options_.settings, "key of the plugin's configuration: key=value (repeatable)")->allow_extra_args(false);
  check_->add_option("--seed", check_options_.seed, "of the random tests; a failed run prints the one it had");
  check_->add_option("--only", check_options_.only, "run the tests whose name contains this");
  check_->add_option("--timeout-ms", check_options_.timeout_ms, "time of one test")->check(CLI::PositiveNumber)->capture_default_str();
  check_->add_flag("--json", check_options_.json, "JSON instead of TAP");

  top_ = plugin->add_subcommand("top", "time, calls, errors and memory of the plugins and expressions of a running broker");
  top_->add_option("-b,--broker", top_options_.broker, "broker, host:port")->capture_default_str();
  top_->add_option("--interval-ms", top_options_.interval_ms, "between two looks; each shows what came since the last")->check(CLI::PositiveNumber)->capture_default_str();
  top_->footer(kCredentials);
  top_->add_flag("--once", top_options_.once, "one look, since the broker started");
  top_->add_flag("--json", top_options_.json, "one JSON object per look, always since the broker started");
}

int PluginCommands::run() {
  if (list_->parsed()) return list_plugins(list_dir_, list_json_);
  if (new_->parsed()) return new_plugin(new_options_);
  if (top_->parsed()) return plugin_top(top_options_);
  return check_plugin(check_options_);
}

}  // namespace gantry::cli
