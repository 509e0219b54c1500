#include "kernel/observe/metrics.hpp"

#include "kernel/base/host_context.hpp"

#include <gantry/draft/host.h>

#include <algorithm>

namespace gantry {
namespace {

static_assert(kNoShard == GANTRY_NO_SHARD);
static_assert(static_cast<std::uint32_t>(MetricKind::kCounter) == GANTRY_METRIC_COUNTER);
static_assert(static_cast<std::uint32_t>(MetricKind::kGauge) == GANTRY_METRIC_GAUGE);

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 128 || name.front() < 'a' || name.front() > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// A plugin adds to its cell with a plain `++`, so ThreadSanitizer would call the reader of a live counter a race.
__attribute__((no_sanitize_thread)) std::uint64_t read_cell(const volatile std::uint64_t *value) { return *value; }

void append_escaped(std::string &out, std::string_view text, bool quote) {
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quote)
      out += "\\\"";
    else
      out += c;
  }
}

std::uint64_t *table_cell(const gantry_host *host, std::uint32_t kind, const char *name, const char *help,
                          std::uint32_t shard) noexcept {
  if (name == nullptr || (kind != GANTRY_METRIC_COUNTER && kind != GANTRY_METRIC_GAUGE)) return nullptr;
  return metrics().cell(static_cast<MetricKind>(kind), name, help == nullptr ? "" : help, shard, HostContext::of(host)->label);
}

}  // namespace

std::uint64_t *Metrics::cell(MetricKind kind, std::string_view name, std::string_view help, std::uint32_t shard,
                             std::string_view instance) {
  if (!is_name(name)) return nullptr;
  const std::lock_guard lock(mutex_);
  auto family = std::lower_bound(families_.begin(), families_.end(), name,
                                 [](const Family &f, std::string_view wanted) { return f.name < wanted; });
  if (family == families_.end() || family->name != name)
    family = families_.insert(family, Family{kind, std::string(name), std::string(help), {}});
  if (family->kind != kind) return nullptr;
  for (const Sample &sample : family->samples)
    if (sample.shard == shard && sample.instance == instance) return &sample.cell->value;
  family->samples.push_back(Sample{std::string(instance), shard, std::make_unique<Cell>()});
  return &family->samples.back().cell->value;
}

std::string Metrics::render_prometheus() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  for (const Family &family : families_) {
    const std::string name = "gantry_" + family.name;
    out += "# HELP " + name + " ";
    append_escaped(out, family.help, false);
    out += "\n# TYPE " + name + (family.kind == MetricKind::kCounter ? " counter\n" : " gauge\n");
    for (const Sample &sample : family.samples) {
      out += name + "{";
      if (!sample.instance.empty()) {
        out += "instance=\"";
        append_escaped(out, sample.instance, true);
        out += "\",";
      }
      out += "shard=\"" + (sample.shard == kNoShard ? std::string("none") : std::to_string(sample.shard)) + "\"} ";
      const std::uint64_t value = read_cell(&sample.cell->value);
      out += family.kind == MetricKind::kCounter ? std::to_string(value) : std::to_string(static_cast<std::int64_t>(value));
      out += '\n';
    }
  }
  return out;
}

Metrics &metrics() {
  static Metrics *const instance = new Metrics;
  return *instance;
}

const gantry_metrics_v1 &metrics_table() {
  static constexpr gantry_metrics_v1 kTable{table_cell};
  return kTable;
}

}  // namespace gantry
