#include "kernel/kit/subject.hpp"

#include <gantry/draft/allocator.h>
#include <gantry/draft/filter.h>

#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstring>
#include <sstream>

namespace gantry::kit {
namespace {

// Settings of the keys that this component declares; those of its neighbours are not its.
test::ConfigTexts own_settings(const gantry_component &component, const test::ConfigTexts &all) {
  test::ConfigTexts out;
  for (std::uint32_t i = 0; i < component.n_keys; ++i) {
    const gantry_config_key &key = component.keys[i];
    const auto given = all.find(key.name);
    if (given != all.end())
      out.insert(*given);
    else if ((key.flags & GANTRY_KEY_REQUIRED) != 0)
      fail(std::string("component ") + component.name + " requires its key " + key.name + "; give one with --set " + key.name + "=VALUE");
  }
  return out;
}

// What a plugin must leave alone in the process.
struct ProcessState {
  std::vector<std::string> environment;
  std::string locale;
  struct sigaction signals[NSIG] {};

  ProcessState() {
    for (char **e = environ; *e != nullptr; ++e) environment.emplace_back(*e);
    locale = std::setlocale(LC_ALL, nullptr);
    for (int s = 1; s < NSIG; ++s) ::sigaction(s, nullptr, &signals[s]);
  }
  [[nodiscard]] std::string difference(const ProcessState &later) const {
    if (environment != later.environment) return "the environment";
    if (locale != later.locale) return "the locale";
    for (int s = 1; s < NSIG; ++s)
      if (signals[s].sa_handler != later.signals[s].sa_handler) return "the handler of signal " + std::to_string(s);
    return {};
  }
};

// Loads in a process of its own, which says what components there are.
std::vector<ComponentName> components_of(const Setup &setup) {
  const Outcome outcome = run_in_process(
      [&] {
        std::string names;
        for (const gantry_component *component : load(setup).components()) names += std::string(component->interface_id) + " " + component->name + "\n";
        pass(names);
      },
      setup.timeout_ms);
  std::vector<ComponentName> out;
  if (outcome.verdict != Outcome::kPassed) return out;
  std::istringstream lines(outcome.text);
  for (ComponentName each; lines >> each.interface_id >> each.name;) out.push_back(each);
  return out;
}

}  // namespace

const plugin::Library &load(const Setup &setup) {
  plugin::PluginFile file = plugin::inspect_file(setup.plugin);
  if (file.refusal) fail(file.refusal->text);
  auto library = plugin::Library::load(std::move(file));
  if (!library) fail(library.error().text);
  return *library->release();  // for the life of the process, as its mapping
}

const gantry_component &component_of(const Setup &setup, const ComponentName &which) {
  const auto component = load(setup).component(which.interface_id, which.name);
  if (!component) fail(component.error().text);
  return **component;
}

Subject::Subject(const Setup &setup, const ComponentName &which)
    : component_(component_of(setup, which)), config_(component_, own_settings(component_, setup.settings)) {
  if (which.interface_id == GANTRY_AUTH_ID) host_.add_table(GANTRY_SECURITY_ID, &kit_security());
}

void Subject::refused(const char *call, std::int32_t code) {
  const std::string text = std::string(call) + " answered " + std::to_string(code) + ": " + std::string(err_.text, ::strnlen(err_.text, sizeof err_.text));
  std::string missing;
  for (const std::string &id : host_.missing_tables()) missing += " " + id;
  if (!missing.empty()) skip(text + "; it asked for services that only a running broker has:" + missing);
  fail(text);
}

void Subject::check_refusal(const char *call, std::int32_t code) {
  if (code == GANTRY_OK) return;
  check(code < 0, std::string(call) + " answered " + std::to_string(code) + ", wanted GANTRY_OK or a negative code");
  check(err_.text[0] != '\0', std::string(call) + " answered " + std::to_string(code) + " without a text that says what, where and the remedy");
  check(std::memchr(err_.text, '\0', sizeof err_.text) != nullptr, std::string(call) + ": the text of the error has no end");
}

void Subject::check_leftovers(const char *after) {
  check(host_.leftovers() == 0, std::to_string(host_.leftovers()) + " timers or watched descriptors are left after " + after);
}

std::int32_t Subject::create() {
  std::int32_t code = GANTRY_OK;
  err_ = {};
  host_.on_control([&] { code = component_.create(host_.abi(), config_.abi(), &self_, &err_); });
  check_refusal("create", code);
  if (code != GANTRY_OK) check_leftovers("a refused create");
  return code;
}

std::int32_t Subject::start() {
  std::int32_t code = GANTRY_OK;
  err_ = {};
  host_.on_control([&] { code = component_.start(self_, &err_); });
  check_refusal("start", code);
  return code;
}

void Subject::stop() {
  host_.on_control([&] { component_.stop(self_); });
}

void Subject::destroy() {
  host_.on_control([&] { component_.destroy(self_); });
  check_leftovers("destroy");
  self_ = nullptr;
}

void Subject::bring_up() {
  if (const std::int32_t code = create(); code != GANTRY_OK) refused("create", code);
  if (const std::int32_t code = start(); code != GANTRY_OK) refused("start", code);
}

void Subject::take_down() {
  stop();
  destroy();
}

std::vector<Test> load_tests(const Setup &setup) {
  return {
      {"load.file",
       [&setup] {
         const plugin::PluginFile file = plugin::inspect_file(setup.plugin);
         if (file.refusal) fail(file.refusal->text);
         check(!file.license.empty(), "the entry names no license; give an SPDX identifier, such as Apache-2.0");
       }},
      {"load.entry", [&setup] { (void)load(setup); }},
      {"load.leaves-the-process-alone",
       [&setup] {
         const ProcessState before;
         (void)load(setup);
         const std::string changed = before.difference(ProcessState());
         check(changed.empty(), "loading the plugin changed " + changed);
       }},
  };
}

std::vector<Test> component_tests(const Setup &setup) {
  std::vector<Test> out;
  for (const ComponentName &which : components_of(setup)) {
    const std::string prefix = std::string(plugin::kind_of(which.interface_id)) + "." + which.name + ".";
    add_life_tests(setup, which, prefix, out);
    if (which.interface_id == GANTRY_FILTER_ID) add_filter_tests(setup, which, prefix, out);
    if (which.interface_id == GANTRY_AUTH_ID) add_auth_tests(setup, which, prefix, out);
    if (which.interface_id == GANTRY_ALLOCATOR_ID) add_allocator_tests(setup, which, prefix, out);
  }
  return out;
}

}  // namespace gantry::kit
