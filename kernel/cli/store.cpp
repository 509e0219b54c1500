#include "kernel/cli/store.hpp"

#include "kernel/base/data_dir_lock.hpp"
#include "kernel/cli/command_line.hpp"
#include "kernel/cli/store_output.hpp"
#include "kernel/config/document.hpp"
#include "kernel/observe/log.hpp"
#include "kernel/plugin/instance.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <gantry++/str.hpp>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace gantry::cli {

namespace {

std::atomic<bool> interrupted{false};
void on_signal(int) { interrupted.store(true); }

int complain(const Error &error) {
  std::fflush(stdout);
  std::fprintf(stderr, "gantry: %s\n", error.text.c_str());
  return error.code == GANTRY_E_EXISTS ? kExitRefused : kExitFailed;
}

std::int32_t go_on() { return interrupted ? GANTRY_E_CANCELLED : GANTRY_OK; }

gantry_store_tool_request request_of(StoreAction action, const StoreOptions &options) {
  gantry_store_tool_request request{};
  request.size = sizeof request;
  request.action = action == StoreAction::kVerify ? GANTRY_TOOL_VERIFY : action == StoreAction::kDump ? GANTRY_TOOL_DUMP : GANTRY_TOOL_REPAIR;
  request.data_dir = str(options.data_dir);
  request.flags = options.apply ? GANTRY_TOOL_APPLY : 0;
  request.dump = options.what == "records" ? GANTRY_DUMP_RECORDS : options.what == "entries" ? GANTRY_DUMP_ENTRIES : GANTRY_DUMP_ROWS;
  request.topic = str(options.topic);
  request.queue_no = options.queue_no;
  request.begin_off = options.begin_off;
  request.end_off = options.end_off;
  return request;
}

// What was mended is damaged no more; what was lost stays lost.
int exit_code_of(const gantry_store_tool_summary &summary, bool applied) {
  if (summary.lost > 0) return kExitLost;
  const std::uint64_t left = applied && summary.repaired >= summary.damaged ? 0 : summary.damaged;
  return left > 0 ? kExitDamaged : 0;
}

Result<int> run(StoreAction action, const StoreOptions &options) {
  if (!std::filesystem::is_directory(options.data_dir)) {
    return Error{GANTRY_E_NOT_FOUND, "no folder " + options.data_dir + "; name the folder that broker.toml has as [broker] data_dir"};
  }
  plugin::PluginHost plugins(plugin::search_dirs({}));
  auto library = plugins.load(options.plugin);
  if (!library) return std::move(library.error());
  auto component = (*library)->component(GANTRY_STORE_TOOL_ID);
  if (!component) return std::move(component.error()).in("plugin " + options.plugin + " has no tools for its files");
  // A folder without a store is not to get a lock file.
  auto lock = std::filesystem::exists(options.data_dir + "/lock") ? DataDirLock::take(options.data_dir) : Result<DataDirLock>(DataDirLock());
  if (!lock) return std::move(lock.error());

  ServiceTables tables;
  tables.add(GANTRY_LOG_ID, &log_table());
  auto document = config::Document::parse(config::default_config_text(), std::string(config::kDefaultConfigOrigin), {});
  plugin::Instance instance(**component, plugin::InstanceSetup{options.plugin + "/" + (*component)->name, document.bind_defaults(**component), &tables, nullptr, nullptr});
  GANTRY_TRY(instance.create());
  GANTRY_TRY(instance.start());

  StoreOutput output(options.json, isatty(STDERR_FILENO) == 1);
  gantry_store_tool_sink sink{};
  sink.self = &output;
  sink.progress = [](void *self, gantry_str what, std::uint64_t done, std::uint64_t total) noexcept {
    static_cast<StoreOutput *>(self)->progress(view(what), done, total);
    return go_on();
  };
  sink.finding = [](void *self, const gantry_store_finding *finding) noexcept {
    static_cast<StoreOutput *>(self)->finding(*finding);
    return go_on();
  };
  sink.item = [](void *self, const gantry_store_item *item) noexcept {
    static_cast<StoreOutput *>(self)->item(*item);
    return go_on();
  };
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, on_signal);
  const gantry_store_tool_request request = request_of(action, options);
  gantry_store_tool_summary summary{};
  gantry_error err{};
  const std::int32_t status = instance.table<gantry_store_tool_v1>().run(instance.self(), &request, &sink, &summary, &err);
  output.clear_bar();
  if (status != GANTRY_OK) return Error{status, err.text, err.detail};
  if (action == StoreAction::kDump) return 0;
  const int exit_code = exit_code_of(summary, options.apply);
  output.summary(action == StoreAction::kVerify ? "verify" : "repair", summary, options.apply, exit_code);
  return exit_code;
}

}  // namespace

int run_store_tool(StoreAction action, const StoreOptions &options) {
  auto done = run(action, options);
  return done ? *done : complain(done.error());
}

}  // namespace gantry::cli
