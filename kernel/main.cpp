// Start-up as a story: read the configuration, load plugins, recover the store, listen, serve until a signal says stop.
#include "kernel/cli/command_line.hpp"
#include "kernel/cli/inspect.hpp"
#include "kernel/observe/log.hpp"
#include "kernel/server.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>

namespace {

std::string command_name;

// Signals are taken by this thread alone, one at a time, so that no handler ever runs in the middle of something.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

// SIGHUP reads certificates and the rules of access control anew; SIGINT and SIGTERM end the wait.
void serve_until_told_to_stop(gantry::Server &server, const sigset_t &signals) {
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) break;
    const auto reloaded = server.reload_tls();
    if (reloaded)
      gantry::log_info("server", "certificates read again");
    else
      gantry::log_error("server", "certificates stay as they were: ", reloaded.error().text);
    if (!server.has_rules()) continue;
    if (const auto rules = server.reload_rules(); rules)
      gantry::log_info("server", "rules of access control read again");
    else
      gantry::log_error("server", "rules of access control stay as they were: ", rules.error().text);
  }
  // Asked twice, leave at once: what was acknowledged is safe by then.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int run(const gantry::cli::RunOptions &options) {
  const auto begin = std::chrono::steady_clock::now();
  const sigset_t signals = block_signals();
  auto document = gantry::cli::load_document(options);
  if (!document) {
    std::fprintf(stderr, "gantry: %s\n", document.error().text.c_str());
    return gantry::cli::kExitFailed;
  }
  if (const auto level = gantry::parse_log_level(document->broker().log_level); level) gantry::set_log_level(*level);

  gantry::plugin::PluginHost plugins(gantry::plugin::search_dirs(document->broker().plugin_dirs));
  gantry::Server server(*document, plugins);
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "gantry: not started\n%s\n", started.error().text.c_str());
    return gantry::cli::kExitFailed;
  }
  const auto start_ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  std::cout << server.banner(command_name, start_ms) << std::flush;

  serve_until_told_to_stop(server, signals);
  std::cout << "stopping" << std::endl;
  server.stop();
  std::cout << "stopped" << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  command_name = argc > 0 ? argv[0] : "gantry";
  return gantry::cli::run_command(argc, argv, run);
}
