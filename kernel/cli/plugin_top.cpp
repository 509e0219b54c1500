#include "kernel/cli/plugin_top.hpp"

#include "kernel/cli/command_line.hpp"
#include "kernel/cli/remoting_client.hpp"

#include <boost/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

namespace gantry::cli {

namespace {

constexpr int kPluginUsage = 900001;

struct Usage {
  std::string plugin, kind, what;  // function, or type and expression
  bool expression = false, suspended = false;
  std::string reason;
  double calls = 0, items = 0, errors = 0, ns = 0, longest_ns = 0, bytes = 0, matched = 0, users = 0;
};

double number(const boost::json::object &row, const char *key) {
  const boost::json::value *const value = row.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

std::string text(const boost::json::object &row, const char *key) {
  const boost::json::value *const value = row.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::vector<Usage> rows_of(const boost::json::object &answer) {
  std::vector<Usage> out;
  const boost::json::value *const rows = answer.if_contains("rows");
  if (rows == nullptr || !rows->is_array()) return out;
  for (const boost::json::value &each : rows->as_array()) {
    if (!each.is_object()) continue;
    const boost::json::object &row = each.as_object();
    Usage &usage = out.emplace_back();
    usage.plugin = text(row, "plugin");
    usage.kind = text(row, "kind");
    usage.expression = row.contains("expression");
    usage.what = usage.expression ? text(row, "type") + "  " + text(row, "expression") : text(row, "function");
    usage.reason = text(row, "reason");
    const boost::json::value *const suspended = row.if_contains("suspended");
    usage.suspended = suspended != nullptr && suspended->is_bool() && suspended->as_bool();
    usage.calls = number(row, "calls");
    usage.items = number(row, "items");
    usage.errors = number(row, "errors");
    usage.ns = number(row, "ns");
    usage.longest_ns = number(row, "longest_ns");
    usage.bytes = number(row, "bytes");
    usage.matched = number(row, "matched");
    usage.users = number(row, "users");
  }
  return out;
}

// In the first of the units, each a thousand times the one before, in which it is below 10,000.
std::string scaled(double value, const char *const (&units)[4]) {
  std::size_t unit = 0;
  for (; value >= 1e4 && unit + 1 < std::size(units); value /= 1e3) ++unit;
  char out[32];
  std::snprintf(out, sizeof out, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return out;
}

std::string brief(double value) { return scaled(value, {"", "k", "M", "G"}); }
std::string time(double ns) { return scaled(ns, {"ns", "us", "ms", "s"}); }

std::string size(double bytes) {
  if (bytes == 0) return "-";
  char out[32];
  if (bytes < 1 << 20)
    std::snprintf(out, sizeof out, "%.0fKiB", bytes / 1024);
  else
    std::snprintf(out, sizeof out, "%.1fMiB", bytes / (1 << 20));
  return out;
}

// Texts of clients, on a terminal.
std::string printable(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; }, ' ');
  if (text.size() > 100) text = text.substr(0, 97) + "...";
  return text;
}

void print(const std::vector<Usage> &now, std::map<std::string, Usage> &before) {
  std::printf("%-28s %-10s %-11s %9s %9s %8s %9s %9s %9s %9s\n", "PLUGIN", "KIND", "FUNCTION", "CALLS", "ITEMS", "ERRORS", "TIME", "PER ITEM", "LONGEST", "MEMORY");
  const auto since = [&](const Usage &usage) {
    Usage out = usage;
    Usage &last = before[usage.plugin + "\n" + usage.what];
    // An expression that was compiled anew begins at 0 again.
    if (last.calls <= usage.calls) {
      out.calls -= last.calls;
      out.items -= last.items;
      out.errors -= last.errors;
      out.ns -= last.ns;
      out.matched -= last.matched;
    }
    last = usage;
    return out;
  };
  bool expressions = false;
  for (const Usage &usage : now) {
    expressions = expressions || usage.expression;
    if (usage.expression) continue;
    const Usage d = since(usage);
    std::printf("%-28s %-10s %-11s %9s %9s %8s %9s %9s %9s %9s\n", d.plugin.c_str(), d.kind.c_str(), d.what.c_str(), brief(d.calls).c_str(), brief(d.items).c_str(), brief(d.errors).c_str(), time(d.ns).c_str(),
                d.items > 0 ? time(d.ns / d.items).c_str() : "-", time(d.longest_ns).c_str(), size(d.bytes).c_str());
  }
  if (!expressions) return;
  std::printf("\n%-9s %-12s %9s %9s %8s %9s %9s %9s %5s  %s\n", "STATE", "PLUGIN", "MESSAGES", "MATCHED", "ERRORS", "TIME", "PER MSG", "MEMORY", "USERS", "EXPRESSION");
  for (const Usage &usage : now) {
    if (!usage.expression) continue;
    const Usage d = since(usage);
    std::printf("%-9s %-12s %9s %9s %8s %9s %9s %9s %5s  %s\n", d.suspended ? "SUSPENDED" : "running", d.plugin.c_str(), brief(d.items).c_str(), brief(d.matched).c_str(), brief(d.errors).c_str(), time(d.ns).c_str(),
                d.items > 0 ? time(d.ns / d.items).c_str() : "-", size(d.bytes).c_str(), brief(d.users).c_str(), printable(d.what).c_str());
    if (!d.reason.empty() && (d.suspended || d.errors > 0)) std::printf("          %s\n", printable(d.reason).c_str());
  }
}

}  // namespace

int plugin_top(const PluginTopOptions &options) {
  const auto complain = [](const Error &error) {
    std::fprintf(stderr, "gantry: %s\n", error.text.c_str());
    return kExitFailed;
  };
  auto client = RemotingClient::connect(options.broker);
  if (!client) return complain(client.error());
  const bool terminal = isatty(STDOUT_FILENO) == 1 && !options.json && !options.once;
  std::map<std::string, Usage> before;
  for (;;) {
    auto reply = client->call(kPluginUsage, {});
    if (!reply) return complain(reply.error());
    if (reply->code != 0) return complain(Error{GANTRY_E_UNSUPPORTED, options.broker + " does not tell what plugins cost (code " + std::to_string(reply->code) + "): " + reply->remark});
    boost::system::error_code failed;
    const boost::json::value json = boost::json::parse(reply->body, failed);
    if (failed || !json.is_object()) return complain(Error{GANTRY_E_CORRUPT, options.broker + " answers with something that is no JSON object"});
    if (terminal) std::printf("\033[H\033[2J");
    if (options.json)
      std::cout << boost::json::serialize(json) << std::endl;
    else
      print(rows_of(json.as_object()), before);
    std::fflush(stdout);
    if (options.once) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(options.interval_ms));
  }
}

}  // namespace gantry::cli
