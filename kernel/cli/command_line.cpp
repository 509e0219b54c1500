#include "kernel/cli/command_line.hpp"

#include "kernel/cli/acl_commands.hpp"
#include "kernel/cli/filter_try.hpp"
#include "kernel/cli/inspect.hpp"
#include "kernel/cli/messages.hpp"
#include "kernel/cli/plugin_commands.hpp"
#include "kernel/cli/remoting_client.hpp"
#include "kernel/cli/store.hpp"

#include <CLI/CLI.hpp>

namespace gantry::cli {

namespace {

void add_run_options(CLI::App &command, RunOptions &options) {
  command.add_option("-c,--config", options.config_file, "broker.toml; without it the built-in configuration on loopback");
  command.add_option("-D,--define", options.definitions, "set one key: section.key=value (repeatable)")->allow_extra_args(false);
}

void add_send(CLI::App &app, SendOptions &options) {
  CLI::App *send = app.add_subcommand("send", "send messages");
  send->footer(kCredentials);
  send->add_option("-t,--topic", options.topic, "topic; made when it does not exist and the broker allows it")->required();
  send->add_option("-n,--nameserver", options.nameserver, "name server, host:port")->envname("NAMESRV_ADDR")->capture_default_str();
  send->add_option("--tag", options.tag, "tag of the messages");
  send->add_option("--keys", options.keys, "keys, blank separated");
  send->add_flag("--json", options.json, "one JSON object per message");
  send->add_option("body", options.bodies, "bodies, one message each; '-' sends each line of standard input")->required();
}

void add_consume(CLI::App &app, ConsumeOptions &options) {
  CLI::App *consume = app.add_subcommand("consume", "print messages as they arrive");
  consume->footer(kCredentials);
  consume->add_option("-t,--topic", options.topic, "topic")->required();
  consume->add_option("-n,--nameserver", options.nameserver, "name server, host:port")->envname("NAMESRV_ADDR")->capture_default_str();
  consume->add_option("-g,--group", options.group, "consumer group whose offsets are used")->capture_default_str();
  consume->add_option("--tags", options.tags, "tag filter: * or 'a || b'")->capture_default_str();
  consume->add_option("--from", options.from, "where to begin")->check(CLI::IsMember({"committed", "first", "last"}))->capture_default_str();
  consume->add_option("--count", options.count, "stop after so many messages; 0 goes on until Ctrl-C")->capture_default_str();
  consume->add_option("--wait-ms", options.wait_ms, "stop when nothing came for so long; 0 waits for ever")->capture_default_str();
  consume->add_flag("--json", options.json, "one JSON object per message");
}

CLI::App *add_filter(CLI::App &app, FilterTryOptions &options) {
  CLI::App *filter = app.add_subcommand("filter", "try expressions that consumers filter with");
  filter->require_subcommand(1);
  CLI::App *attempt = filter->add_subcommand("try", "run an expression here on the last messages of a topic: what it matches, and what it costs");
  attempt->footer(kCredentials);
  attempt->add_option("expression", options.expression, "what a consumer would subscribe with; @name is a script of the broker's folder")->required();
  attempt->add_option("--type", options.type, "expression type: SQL92, LUA, TAG, or another that a plugin has")->capture_default_str();
  attempt->add_option("-t,--topic", options.topic, "topic")->required();
  attempt->add_option("--last", options.last, "so many messages, the newest by store time")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  attempt->add_option("--examples", options.examples, "so many that match are shown")->capture_default_str();
  attempt->add_option("-c,--config", options.config_file, "broker.toml whose filters are used; without it the built-in configuration");
  attempt->add_option("-b,--broker", options.broker, "broker, host:port; without it the one of the configuration, on this machine");
  attempt->add_flag("--json", options.json, "one JSON object");
  filter->footer("The messages are pulled and filtered in this process: the broker runs nothing, and no offset changes. Exit codes: 0, 1 it could not be done,\n2 usage, or the expression is refused.");
  return attempt;
}

void add_store_common(CLI::App &command, StoreOptions &options) {
  command.add_option("DIR", options.data_dir, "folder of the store, [broker] data_dir of its broker, which must be stopped")->required();
  command.add_option("--plugin", options.plugin, "store plugin that the folder belongs to: its name, or the path of its file")->capture_default_str();
  command.add_flag("--json", options.json, "one JSON object per line, a summary last");
}

// The action is set by whichever of them was parsed.
std::vector<CLI::App *> add_store(CLI::App &app, StoreOptions &options) {
  CLI::App *store = app.add_subcommand("store", "look into the files of a store and mend them");
  store->require_subcommand(1);
  store->footer("Exit codes: 0 nothing is wrong (or all of it was mended without loss), 4 damaged but nothing is lost, 5 something is lost,\n"
                "1 it could not be done, 2 usage, 3 a broker has the folder open.");
  CLI::App *verify = store->add_subcommand("verify", "compare every file with its checksums; changes nothing");
  CLI::App *dump = store->add_subcommand("dump", "print records, index entries or rows; changes nothing");
  CLI::App *repair = store->add_subcommand("repair", "say what is broken, what is lost with it and what would mend it; with --apply mend it");
  for (CLI::App *command : {verify, dump, repair}) add_store_common(*command, options);
  dump->add_option("--what", options.what, "what to print")->check(CLI::IsMember({"records", "entries", "rows"}))->capture_default_str();
  dump->add_option("-t,--topic", options.topic, "only this topic");
  dump->add_option("-q,--queue", options.queue_no, "only this queue")->check(CLI::NonNegativeNumber);
  dump->add_option("--from", options.begin_off, "from this queue offset on")->check(CLI::NonNegativeNumber)->capture_default_str();
  dump->add_option("--to", options.end_off, "before this queue offset")->check(CLI::NonNegativeNumber);
  repair->add_flag("--apply", options.apply, "do it; what is put aside goes into DIR/quarantine");
  return {verify, dump, repair};
}

}  // namespace

int run_command(int argc, char **argv, const std::function<int(const RunOptions &)> &run) {
  CLI::App app("Gantry: a message broker for RocketMQ clients", "gantry");
  app.set_version_flag("--version", std::string("gantry ") + GANTRY_VERSION);
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "help of all commands");

  RunOptions run_options;
  CLI::App *run_command = app.add_subcommand("run", "start the server");
  add_run_options(*run_command, run_options);

  SendOptions send_options;
  add_send(app, send_options);
  ConsumeOptions consume_options;
  add_consume(app, consume_options);

  StoreOptions store_options;
  const std::vector<CLI::App *> store = add_store(app, store_options);

  CLI::App *config = app.add_subcommand("config", "look at configurations");
  config->require_subcommand(1);
  RunOptions check_options;
  CLI::App *check = config->add_subcommand("check", "report everything that is wrong with a configuration");
  check->add_option("file", check_options.config_file, "broker.toml; without it the built-in configuration");
  check->add_option("-D,--define", check_options.definitions, "set one key: section.key=value (repeatable)")->allow_extra_args(false);
  CLI::App *show_default = config->add_subcommand("default", "print the built-in configuration");

  AclCommands acl(app);
  FilterTryOptions filter_options;
  CLI::App *filter_try = add_filter(app, filter_options);

  PluginCommands plugin(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (app.got_subcommand("run")) return run(run_options);
  if (app.got_subcommand("send")) return send_messages(send_options);
  if (app.got_subcommand("consume")) return consume_messages(consume_options);
  constexpr StoreAction kActions[] = {StoreAction::kVerify, StoreAction::kDump, StoreAction::kRepair};
  for (std::size_t i = 0; i < store.size(); ++i)
    if (store[i]->parsed()) return run_store_tool(kActions[i], store_options);
  if (check->parsed()) return check_config(check_options);
  if (filter_try->parsed()) return try_filter(filter_options);
  if (show_default->parsed()) return print_default_config();
  if (acl.parsed()) return acl.run();
  return plugin.run();
}

}  // namespace gantry::cli
