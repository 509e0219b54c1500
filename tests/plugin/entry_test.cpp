// The rules of the entry struct, one broken at a time.
#include "kernel/plugin/library.hpp"

#include <gantry/draft/protocol.h>
#include <gantry/draft/store.h>

#include <gtest/gtest.h>

namespace gantry::plugin {
namespace {

constexpr gantry_protocol_v1 kTable{};

// A plugin that passes; tests spoil one thing.
struct Entry {
  gantry_config_key keys[2] = {{"greeting", GANTRY_KEY_STRING, 0, "hello", 0, 0, nullptr, ""}, {"mode", GANTRY_KEY_ENUM, 0, "a", 0, 0, "a b", ""}};
  gantry_component component{};
  const gantry_component *components[1] = {&component};
  gantry_plugin plugin{};
  Manifest manifest{1, GANTRY_ABI_MINOR, "test.entry", "1.0.0", GANTRY_SDK_VERSION, {GANTRY_PROTOCOL_ID}};

  Entry() {
    component = {sizeof component, 0, GANTRY_PROTOCOL_ID, "entry", "", &kTable, keys, 2, 0,
                 [](const gantry_host *, const gantry_config *, void **, gantry_error *) noexcept -> std::int32_t { return GANTRY_OK; },
                 [](void *, gantry_error *) noexcept -> std::int32_t { return GANTRY_OK; }, [](void *) noexcept {}, [](void *) noexcept {}, nullptr};
    plugin = {sizeof plugin, GANTRY_ABI_MINOR, "test.entry", "1.0.0", "Apache-2.0", "", components, 1, 0};
  }
  // Empty when it passes.
  [[nodiscard]] std::string fault() const {
    auto fine = check_entry(plugin, manifest);
    return fine ? std::string() : fine.error().text;
  }
};

void expect_fault(const Entry &entry, const std::string &part) {
  const std::string fault = entry.fault();
  EXPECT_NE(fault.find(part), std::string::npos) << "found: \"" << fault << "\"";
  EXPECT_FALSE(fault.empty());
}

TEST(EntryCheck, PassesWhenAllIsWell) {
  const Entry entry;
  EXPECT_EQ(entry.fault(), "");
}

TEST(EntryCheck, Sizes) {
  Entry entry;
  entry.plugin.size = 48;
  expect_fault(entry, "found size 48 in gantry_plugin_v1, wanted 56");
  Entry other;
  other.component.size = 80;
  expect_fault(other, "component 0: found size 80, wanted " + std::to_string(sizeof(gantry_component)));
}

TEST(EntryCheck, IdsAndVersions) {
  Entry entry;
  entry.plugin.id = nullptr;
  expect_fault(entry, "disagree about the id: found \"\"");
  Entry minor;
  minor.plugin.abi_minor = GANTRY_ABI_MINOR + 1;
  expect_fault(minor, "disagree about the ABI minor");
}

TEST(EntryCheck, Components) {
  Entry none;
  none.plugin.n_components = 0;
  expect_fault(none, "found no components");
  Entry hole;
  hole.components[0] = nullptr;
  expect_fault(hole, "component 0: found no struct");
  Entry nameless;
  nameless.component.name = "Has Blanks";
  expect_fault(nameless, "component 0 has no proper name");
  Entry no_interface;
  no_interface.component.interface_id = nullptr;
  expect_fault(no_interface, "names no interface");
  Entry foreign;
  foreign.component.interface_id = "gantry.protocol.draft/2";
  expect_fault(foreign, "\"gantry.protocol.draft/2\", which this kernel does not know");
  Entry hidden;
  hidden.component.interface_id = GANTRY_STORE_ID;
  expect_fault(hidden, "\"gantry.store.draft/1\" is not in the note");
  Entry no_table;
  no_table.component.vtable = nullptr;
  expect_fault(no_table, "has no vtable");
  Entry no_stop;
  no_stop.component.stop = nullptr;
  expect_fault(no_stop, "lacks one of create, start, stop and destroy");
}

TEST(EntryCheck, Keys) {
  Entry no_table;
  no_table.component.keys = nullptr;
  expect_fault(no_table, "2 keys without a table");
  Entry nameless;
  nameless.keys[1].name = nullptr;
  expect_fault(nameless, "key 1 has no proper name");
  Entry twice;
  twice.keys[1].name = "greeting";
  expect_fault(twice, "key greeting is declared twice");
  Entry type;
  type.keys[0].type = 77;
  expect_fault(type, "found type 77");
  Entry no_values;
  no_values.keys[1].enum_values = nullptr;
  expect_fault(no_values, "key mode is an enum without values");
  Entry range;
  range.keys[0].min = 2;
  range.keys[0].max = 1;
  expect_fault(range, "found min 2 above max 1");
}

TEST(EntryCheck, PromisedInterfaceWithoutComponent) {
  Entry entry;
  entry.manifest.interfaces.emplace_back(GANTRY_STORE_ID);
  expect_fault(entry, "no component has it");
}

}  // namespace
}  // namespace gantry::plugin
