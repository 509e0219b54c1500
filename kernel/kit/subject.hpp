// A plugin under test, from inside a test's process.
#pragma once

#include "kernel/kit/fake_config.hpp"
#include "kernel/kit/fake_host.hpp"
#include "kernel/kit/run_test.hpp"
#include "kernel/plugin/library.hpp"

#include <gantry/draft/security.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gantry::kit {

struct Setup {
  std::string plugin;          // path of the .so
  test::ConfigTexts settings;  // of keys that its components declare
  std::string cases;           // file of filter cases; empty: none
  std::uint64_t seed = 0;
  int timeout_ms = 30000;
};

struct ComponentName {
  std::string interface_id, name;
};

// Maps the plugin; a refusal fails the test.
[[nodiscard]] const plugin::Library &load(const Setup &setup);
[[nodiscard]] const gantry_component &component_of(const Setup &setup, const ComponentName &which);

// One instance over a host of its own. Every call of the life cycle runs as the control thread, with the shards running meanwhile.
class Subject {
 public:
  Subject(const Setup &setup, const ComponentName &which);

  // The plugin's answer. What host.h and abi.h promise of a refusal (negative, with a text, nothing left in the host) is checked here.
  std::int32_t create();
  std::int32_t start();
  void stop();
  void destroy();
  // create and start; a refusal fails the test, or skips it when the component needs a table that the kit's host does not offer.
  void bring_up();
  // stop and destroy; fails when timers or watches are left.
  void take_down();

  [[nodiscard]] test::FakeHost &host() { return host_; }
  [[nodiscard]] void *self() const { return self_; }
  [[nodiscard]] const gantry_component &component() const { return component_; }
  template <typename Table>
  [[nodiscard]] const Table &table() const {
    return *static_cast<const Table *>(component_.vtable);
  }

 private:
  [[noreturn]] void refused(const char *call, std::int32_t code);
  void check_refusal(const char *call, std::int32_t code);
  void check_leftovers(const char *after);

  const gantry_component &component_;
  test::FakeConfig config_;
  test::FakeHost host_;
  gantry_error err_{};
  void *self_ = nullptr;
};

// Of every component.
void add_life_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out);
// Of components of these interfaces.
void add_filter_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out);
void add_auth_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out);
void add_allocator_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out);

// What the kernel offers an access-control plugin: it counts policies_changed, and refuses to be asked what only the plugin knows.
[[nodiscard]] const gantry_security_v1 &kit_security();

// The file alone, without running its code; then mapped, what is left of the process, and its components.
[[nodiscard]] std::vector<Test> load_tests(const Setup &setup);
// Tests of all components; empty when the plugin cannot be loaded, which load_tests report.
[[nodiscard]] std::vector<Test> component_tests(const Setup &setup);

}  // namespace gantry::kit
