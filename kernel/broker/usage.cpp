// The table of sdk/gantry/draft/usage.h: counters of the plugins' functions and of the expressions.
#include "kernel/broker/broker.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/usage.h>

namespace gantry::broker {

namespace {

gantry_usage row_of(const CallTotals &totals, double ns_per_tick) {
  gantry_usage row{};
  row.size = sizeof row;
  row.calls = totals.calls;
  row.items = totals.items;
  row.errors = totals.errors;
  row.ns = static_cast<std::uint64_t>(static_cast<double>(totals.ticks) * ns_per_tick);
  row.longest_ns = static_cast<std::uint64_t>(static_cast<double>(totals.longest_ticks) * ns_per_tick);
  return row;
}

void each(const gantry_host *host, gantry_usage_fn fn, void *arg) noexcept {
  Core &core = static_cast<Broker *>(HostContext::of(host)->broker)->core();
  if (core.meters == nullptr) return;
  const double rate = core.meters->ns_per_tick();
  const std::vector<FilterUsage> expressions = core.filters.usage();
  for (const PluginMeters::Row &of : core.meters->rows()) {
    gantry_usage row = row_of(of.meter->totals(), rate);
    row.plugin = str(of.plugin);
    row.kind = str(of.kind);
    row.function = str(of.function);
    if (of.kind == "filter" && of.function == "eval")
      for (const FilterUsage &expression : expressions) row.bytes += expression.plugin == of.plugin ? expression.bytes : 0;
    fn(arg, &row);
  }
  for (const FilterUsage &expression : expressions) {
    gantry_usage row = row_of(expression.totals, rate);
    row.flags = expression.suspended ? GANTRY_USAGE_SUSPENDED : 0;
    row.plugin = str(expression.plugin);
    row.kind = str("filter");
    row.expr_type = str(expression.type);
    row.expr = str(expression.text);
    row.reason = str(expression.reason);
    row.matched = expression.matched;
    row.bytes = expression.bytes;
    row.users = expression.users;
    fn(arg, &row);
  }
}

const gantry_usage_v1 kUsageTable = {each};

}  // namespace

void Broker::add_usage_service(ServiceTables &tables) { tables.add(GANTRY_USAGE_ID, &kUsageTable); }

}  // namespace gantry::broker
