#include "kernel/cli/acl_commands.hpp"

#include "kernel/cli/command_line.hpp"
#include "kernel/config/document.hpp"
#include "kernel/observe/log.hpp"
#include "kernel/plugin/instance.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/auth.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>

namespace gantry::cli {
namespace {

constexpr std::pair<const char *, std::uint32_t> kActions[] = {{"Pub", GANTRY_ACTION_PUB},       {"Sub", GANTRY_ACTION_SUB}, {"Create", GANTRY_ACTION_CREATE}, {"Update", GANTRY_ACTION_UPDATE},
                                                               {"Delete", GANTRY_ACTION_DELETE}, {"Get", GANTRY_ACTION_GET}, {"List", GANTRY_ACTION_LIST}};

void print(void *, gantry_str text) noexcept { std::fwrite(text.p, 1, text.n, stdout); }

using Ask = std::function<std::int32_t(const gantry_auth_tool_v1 &, void *self, gantry_error *)>;

// Exit code. DENIED is an answer, other negative ones are failures.
Result<int> with_tool(const std::string &plugin, const Ask &ask) {
  plugin::PluginHost plugins(plugin::search_dirs({}));
  auto library = plugins.load(plugin);
  if (!library) return std::move(library.error());
  auto component = (*library)->component(GANTRY_AUTH_TOOL_ID);
  if (!component) return std::move(component.error()).in("plugin " + plugin + " has no tools for its rules");
  ServiceTables tables;
  tables.add(GANTRY_LOG_ID, &log_table());
  auto document = config::Document::parse(config::default_config_text(), std::string(config::kDefaultConfigOrigin), {});
  plugin::Instance instance(**component, plugin::InstanceSetup{plugin + "/" + (*component)->name, document.bind_defaults(**component), &tables, nullptr, nullptr});
  GANTRY_TRY(instance.create());
  GANTRY_TRY(instance.start());
  gantry_error err{};
  const std::int32_t status = ask(instance.table<gantry_auth_tool_v1>(), instance.self(), &err);
  if (status == GANTRY_E_DENIED) return kExitRefused;
  if (status != GANTRY_OK) return Error{status, err.text, err.detail};
  return 0;
}

}  // namespace

AclCommands::AclCommands(CLI::App &app) {
  CLI::App *acl = app.add_subcommand("acl", "look at the rules of access control");
  acl->require_subcommand(1);
  explain_ = acl->add_subcommand("explain", "may a user do something, and which rule decides; exit code 3 when not");
  explain_->add_option("--file", file_, "file of the rules, [auth] file of the broker: acl.toml or plain_acl.yml")->capture_default_str();
  explain_->add_option("--user", user_, "user, the access key of clients")->required();
  CLI::Option *action = explain_->add_option("--action", action_, "Pub, Sub, Create, Update, Delete, Get or List")->required();
  action->check(CLI::IsMember({"Pub", "Sub", "Create", "Update", "Delete", "Get", "List"}));
  explain_->add_option("--resource", resource_, "Topic:orders, Group:billing, Cluster:DefaultCluster; Topic:* for the right to all topics")->required();
  explain_->add_option("--from", from_, "address that the user comes from; without it one that no rule names");
  import_ = acl->add_subcommand("import", "print RocketMQ's plain_acl.yml as acl.toml");
  import_->add_option("file", foreign_file_, "plain_acl.yml")->required();
  for (CLI::App *command : {explain_, import_}) command->add_option("--plugin", plugin_, "access-control plugin whose rules these are: its name, or the path of its file")->capture_default_str();
}

bool AclCommands::parsed() const { return explain_->parsed() || import_->parsed(); }

int AclCommands::run() {
  const auto done = with_tool(plugin_, [this](const gantry_auth_tool_v1 &tool, void *self, gantry_error *err) {
    if (import_->parsed()) return tool.import(self, str(foreign_file_), print, nullptr, err);
    gantry_auth_question question{};
    question.size = sizeof question;
    for (const auto &[name, bit] : kActions)
      if (action_ == name) question.actions = bit;
    question.file = str(file_);
    question.user = str(user_);
    question.resource = str(resource_);
    question.from = str(from_);
    return tool.explain(self, &question, print, nullptr, err);
  });
  std::fflush(stdout);
  if (done) return *done;
  std::fprintf(stderr, "gantry: %s\n", done.error().text.c_str());
  return kExitFailed;
}

}  // namespace gantry::cli
