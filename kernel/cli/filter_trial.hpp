// An expression compiled and run on messages in this process.
#pragma once

#include "kernel/broker/filter/filters.hpp"
#include "kernel/broker/record/tags.hpp"
#include "kernel/config/document.hpp"
#include "kernel/plugin/instance.hpp"
#include "kernel/plugin/plugin_host.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::cli {

enum class Verdict : std::uint8_t { kNo, kYes, kUndecided, kNotLookedAt };

struct TrialResult {
  std::vector<Verdict> verdicts;  // of the messages, in their order
  double ns_per_message = 0;      // evaluated in batches of 64, with taking properties out of the messages
  std::string reason;             // why the first one could not be decided, or why the filter was suspended
  bool suspended = false;
};

class FilterTrial {
 public:
  FilterTrial();
  ~FilterTrial();
  FilterTrial(const FilterTrial &) = delete;
  FilterTrial &operator=(const FilterTrial &) = delete;

  // SYNTAX and the like: of the expression, as a consumer would be told. Other errors name a plugin. TAG needs none.
  [[nodiscard]] Result<void> compile(config::Document &document, const std::string &type, const std::string &expression);
  // Stored records. [after compile]
  [[nodiscard]] TrialResult run(const std::vector<std::string_view> &records);

 private:
  [[nodiscard]] Result<void> load(config::Document &document, const std::string &type);
  [[nodiscard]] Result<void> start(const gantry_component &component, const std::string &label, std::shared_ptr<const gantry_config> config);
  void once(const std::vector<std::string_view> &records, TrialResult *out);

  ServiceTables tables_;
  std::unique_ptr<plugin::PluginHost> plugins_;  // outlives the instances
  plugin::InstanceSet instances_;
  broker::Filters filters_;
  std::shared_ptr<const broker::FilterProgram> program_;
  bool tags_only_ = false;
  broker::TagSet tags_;
};

}  // namespace gantry::cli
