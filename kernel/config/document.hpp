// broker.toml with the overrides of environment and command line, checked in two steps: what belongs to the kernel when it is parsed,
// what belongs to a plugin when the plugin is loaded and its declared keys are bound. Problems of both steps are collected, so that one
// run reports everything that is wrong.
//
//   auto doc = Document::parse(text, "broker.toml", overrides);
//   for each plugin named: load it, doc.bind_store(component) / doc.bind_protocol(i, component), or doc.report_...(refusal)
//   if (!doc.ok()) { print doc.problems(); exit }
//
// Control thread only; the bound values may be read by any thread.
#pragma once

#include "kernel/config/problem.hpp"
#include "kernel/config/settings.hpp"

#include <gantry++/result.hpp>
#include <gantry/abi.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

// One key set from outside the file: path "broker.name", "store.ack", "protocol.0.listen" or by name "protocol.nameserver.listen".
// The value is text without quotes; a list is "a, b" or ["a", "b"].
struct Override {
  std::string origin;  // for messages: "-D broker.name", "GANTRY_BROKER__NAME"
  std::string path, value;
};

// "broker.name=x" of -D; INVALID without '='.
[[nodiscard]] Result<Override> flag_override(std::string_view argument);
// GANTRY_<SECTION>__<KEY> of a NULL-terminated environ; other variables are left alone.
[[nodiscard]] std::vector<Override> environment_overrides(const char *const *environment);

class Document {
 public:
  // Later overrides win: pass those of the environment first, then those of the command line. `origin` is the file's name in messages.
  [[nodiscard]] static Document parse(std::string_view text, std::string origin, const std::vector<Override> &overrides = {});
  // As parse, of a file; IO when it cannot be read.
  [[nodiscard]] static Result<Document> parse_file(const std::string &path, const std::vector<Override> &overrides = {});
  ~Document();
  Document(Document &&) noexcept;
  Document &operator=(Document &&) noexcept;

  [[nodiscard]] bool ok() const;                             // no problem so far
  [[nodiscard]] const std::vector<Problem> &problems() const;  // in the order of the file, then of the overrides

  // Defaults stand in for what had a problem, so these may always be read.
  [[nodiscard]] const BrokerSettings &broker() const;
  [[nodiscard]] bool has_store() const;  // false: only a name server, which keeps nothing
  [[nodiscard]] const StoreSettings &store() const;
  [[nodiscard]] bool has_auth() const;  // false: no access control
  [[nodiscard]] const AuthSettings &auth() const;
  [[nodiscard]] const std::vector<ProtocolSettings> &protocols() const;
  [[nodiscard]] const std::vector<FilterSettings> &filters() const;  // of [broker] filters and [[filter]]

  // Checks all keys of the section against the kernel's and the component's, and makes the values the component may ask for.
  // A component may declare a key of the kernel's ("listen", "ack") to read its value too. Never null; problems are added, and with
  // problems the values are defaults. A protocol that declares "data_dir" gets that of [broker] unless its section has its own, when the process has a
  // store or the file sets it. Asking the result for an undeclared key, or with the getter of another type, aborts with its name.
  [[nodiscard]] std::shared_ptr<const gantry_config> bind_store(const gantry_component &component);
  [[nodiscard]] std::shared_ptr<const gantry_config> bind_auth(const gantry_component &component);
  [[nodiscard]] std::shared_ptr<const gantry_config> bind_protocol(std::size_t index, const gantry_component &component);

  [[nodiscard]] std::shared_ptr<const gantry_config> bind_filter(std::size_t index, const gantry_component &component);

  // For a plugin without keys of its own in the file: the defaults.
  [[nodiscard]] std::shared_ptr<const gantry_config> bind_defaults(const gantry_component &component);

  // Reports every listener that other machines reach without access control and without the word that this is meant.
  void check_exposure();

  // Adds a problem found by others at a key of a section, or at the section when it lacks the key: a plugin that was refused.
  void report_broker(std::string_view key, std::string message, std::string help = {});
  void report_filter(std::size_t index, std::string message);
  void report_store(std::string_view key, std::string message, std::string help = {});
  void report_auth(std::string_view key, std::string message, std::string help = {});
  void report_protocol(std::size_t index, std::string_view key, std::string message, std::string help = {});

 private:
  struct State;
  explicit Document(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What `gantry run` uses without a file: name server 127.0.0.1:9876, broker 127.0.0.1:10911, data under ./gantry-data.
[[nodiscard]] std::string_view default_config_text();
inline constexpr std::string_view kDefaultConfigOrigin = "built-in configuration";

}  // namespace gantry::config
