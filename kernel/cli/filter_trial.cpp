#include "kernel/cli/filter_trial.hpp"

#include "kernel/broker/filter/columns.hpp"
#include "kernel/broker/record/java_hash.hpp"
#include "kernel/broker/record/record.hpp"
#include "kernel/cli/remoting_client.hpp"
#include "kernel/observe/log.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>

namespace gantry::cli {

namespace {

constexpr auto kMeasured = std::chrono::milliseconds(100);
constexpr int kRoundsMax = 1000;

}  // namespace

FilterTrial::FilterTrial() { tables_.add(GANTRY_LOG_ID, &log_table()); }

FilterTrial::~FilterTrial() {
  program_.reset();
  filters_.close();
}

Result<void> FilterTrial::start(const gantry_component &component, const std::string &label, std::shared_ptr<const gantry_config> config) {
  plugin::Instance &instance = instances_.add(component, plugin::InstanceSetup{label, std::move(config), &tables_, nullptr, nullptr});
  GANTRY_TRY(instance.create());
  GANTRY_TRY(instance.start());
  return filters_.add(label, &instance.table<gantry_filter_v1>(), instance.self());
}

// The plugins of the configuration; when none of them has the type, the one that is called after it.
Result<void> FilterTrial::load(config::Document &document, const std::string &type) {
  bool offered = false;
  for (std::size_t i = 0; i < document.filters().size(); ++i) {
    const std::string &name = document.filters()[i].plugin;
    auto library = plugins_->load(name);
    if (!library) return std::move(library.error());
    auto component = (*library)->component(GANTRY_FILTER_ID, {});
    if (!component) return std::move(component.error());
    auto config = document.bind_filter(i, **component);
    if (!document.ok()) return Error{GANTRY_E_CONFIG, config::render(document.problems())};
    GANTRY_TRY(start(**component, name, std::move(config)));
    offered = offered || filters_.offers(type);
  }
  if (offered) return {};
  std::string name = "filter-" + type;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto library = plugins_->load(name);
  if (!library) return Error{GANTRY_E_UNSUPPORTED, "no filter plugin of the configuration has expressions of type " + type + ", and " + library.error().text};
  auto component = (*library)->component(GANTRY_FILTER_ID, {});
  if (!component) return std::move(component.error());
  return start(**component, name, document.bind_defaults(**component));
}

Result<void> FilterTrial::compile(config::Document &document, const std::string &type, const std::string &expression) {
  if (broker::is_tag_type(type)) {
    tags_only_ = true;
    if (!parse_tags(expression, tags_)) return Error{GANTRY_E_SYNTAX, "TAG: wanted *, or tags with || between them"};
    return {};
  }
  plugins_ = std::make_unique<plugin::PluginHost>(plugin::search_dirs(document.broker().plugin_dirs));
  GANTRY_TRY(load(document, type));
  gantry_error why{};
  broker::CompiledFilter made = filters_.compile(type, expression, &why);
  if (made.program == nullptr) return Error{made.status, why.text};
  program_ = std::move(made.program);
  return {};
}

void FilterTrial::once(const std::vector<std::string_view> &records, TrialResult *out) {
  out->verdicts.clear();
  if (tags_only_) {
    for (const std::string_view record : records) {
      broker::MessageParts parts;
      const bool whole = find_parts(record, &parts);
      const std::int64_t code = whole ? broker::java_hash(property_of(parts.props, "TAGS")) : 0;
      out->verdicts.push_back(tags_.any || std::binary_search(tags_.codes.begin(), tags_.codes.end(), code) ? Verdict::kYes : Verdict::kNo);
    }
    return;
  }
  if (program_->reduced() != GANTRY_REDUCED_NONE) {
    out->verdicts.assign(records.size(), program_->reduced() == GANTRY_REDUCED_TRUE ? Verdict::kYes : Verdict::kNo);
    return;
  }
  static thread_local const auto columns = std::make_unique<broker::FilterColumns>();
  for (std::size_t at = 0; at < records.size();) {
    columns->begin(*program_);
    const std::size_t n = std::min<std::size_t>(records.size() - at, GANTRY_FILTER_BATCH_MAX);
    for (std::size_t i = 0; i < n; ++i) columns->add(records[at + i]);
    const broker::Evaluated found = columns->eval(0);
    for (std::size_t i = 0; i < found.looked_at; ++i)
      out->verdicts.push_back((found.match >> i & 1) != 0 ? Verdict::kYes : (found.undecided >> i & 1) != 0 ? Verdict::kUndecided : Verdict::kNo);
    at += n;
    if (found.looked_at == n) continue;
    out->suspended = true;
    break;
  }
  out->verdicts.resize(records.size(), Verdict::kNotLookedAt);
}

// Again and again until the time says something; the first round's answers count.
TrialResult FilterTrial::run(const std::vector<std::string_view> &records) {
  TrialResult out;
  once(records, &out);
  if (program_ != nullptr) out.reason = program_->usage().reason;
  if (out.suspended || records.empty()) return out;
  TrialResult again;
  const auto begin = std::chrono::steady_clock::now();
  auto spent = std::chrono::steady_clock::duration::zero();
  int rounds = 0;
  for (; rounds < kRoundsMax && spent < kMeasured && !again.suspended; ++rounds) {
    once(records, &again);
    spent = std::chrono::steady_clock::now() - begin;
  }
  out.suspended = again.suspended;
  if (out.suspended) out.reason = program_->usage().reason;
  out.ns_per_message = std::chrono::duration<double, std::nano>(spent).count() / static_cast<double>(records.size()) / rounds;
  return out;
}

}  // namespace gantry::cli
