// A plugin's keys: checked with the rest of the file, read through the ABI.
#include "config/config_texts.hpp"

#include <gantry++/str.hpp>

#include <span>

namespace gantry::config {
namespace {

using test::broker_text;
using test::expect_fine;
using test::expect_in;
using test::flag;
using test::only_problem;
using test::parse;

constexpr gantry_config_key kKeys[] = {
    {"fast", GANTRY_KEY_BOOL, 0, "true", 0, 0, nullptr, "be fast"},
    {"depth", GANTRY_KEY_INT, 0, "4", 1, 128, nullptr, "how deep"},
    {"segment_size", GANTRY_KEY_SIZE, 0, "1 GiB", 1 << 20, 4ll << 30, nullptr, "bytes per file"},
    {"retention", GANTRY_KEY_DURATION, 0, "72h", 0, 0, nullptr, "how long"},
    {"motto", GANTRY_KEY_STRING, 0, "\"in quotes\"", 0, 0, nullptr, "a text"},
    {"engine", GANTRY_KEY_ENUM, 0, "auto", 0, 0, "auto uring pwrite", "which I/O"},
    {"trash_dir", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr, "where to"},
    {"hosts", GANTRY_KEY_LIST, 0, "a:1, b:2", 0, 0, nullptr, "who"},
    {"password", GANTRY_KEY_STRING, GANTRY_KEY_SECRET, nullptr, 0, 0, nullptr, "hush"},
    {"ack", GANTRY_KEY_STRING, 0, "nothing", 0, 0, nullptr, "the kernel's key, read too"},
};

gantry_component component(std::span<const gantry_config_key> keys = kKeys) {
  gantry_component out{};
  out.size = sizeof out;
  out.name = "probe";
  out.keys = keys.data();
  out.n_keys = static_cast<std::uint32_t>(keys.size());
  return out;
}

std::string text(const std::shared_ptr<const gantry_config> &c, const char *key) { return std::string(view(c->get_text(c.get(), key))); }
std::int64_t number(const std::shared_ptr<const gantry_config> &c, const char *key) { return c->get_int(c.get(), key); }

TEST(Bind, Defaults) {
  Document doc = parse(broker_text());
  const auto config = doc.bind_store(component());
  expect_fine(doc);
  EXPECT_EQ(config->size, sizeof(gantry_config));
  EXPECT_EQ(number(config, "fast"), 1);
  EXPECT_EQ(number(config, "depth"), 4);
  EXPECT_EQ(number(config, "segment_size"), 1ll << 30);
  EXPECT_EQ(number(config, "retention"), 72ll * 3'600'000);
  EXPECT_EQ(text(config, "motto"), "in quotes");
  EXPECT_EQ(text(config, "engine"), "auto");
  EXPECT_EQ(text(config, "trash_dir"), "");
  ASSERT_EQ(config->list_size(config.get(), "hosts"), 2u);
  EXPECT_EQ(view(config->list_at(config.get(), "hosts", 1)), "b:2");
  EXPECT_EQ(text(config, "ack"), "durable") << "the kernel's default goes before the component's";
}

TEST(Bind, ValuesOfTheFileAndOfOverrides) {
  Document doc = parse(broker_text("", R"(
fast = false
depth = 128
segment_size = 1048576
retention = "90m"
motto = "x"
engine = "uring"
trash_dir = "/tmp"
hosts = []
ack = "written"
)"), {flag("store.depth=9"), flag("store.engine=pwrite")});
  const auto config = doc.bind_store(component());
  expect_fine(doc);
  EXPECT_EQ(number(config, "fast"), 0);
  EXPECT_EQ(number(config, "depth"), 9);
  EXPECT_EQ(number(config, "segment_size"), 1 << 20);
  EXPECT_EQ(number(config, "retention"), 90 * 60'000);
  EXPECT_EQ(text(config, "engine"), "pwrite");
  EXPECT_EQ(text(config, "trash_dir"), "/tmp");
  EXPECT_EQ(config->list_size(config.get(), "hosts"), 0u);
  EXPECT_EQ(text(config, "ack"), "written");
}

TEST(Bind, ConfigOutlivesItsDocument) {
  std::shared_ptr<const gantry_config> config;
  {
    Document doc = parse(broker_text("", "motto = \"stays\""));
    config = doc.bind_store(component());
  }
  EXPECT_EQ(text(config, "motto"), "stays");
}

TEST(Bind, EachProtocolHasItsOwnValues) {
  const gantry_config_key keys[] = {{"advertise", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr, ""},
                                    {"listen", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "the kernel's"}};
  Document doc = parse(
      "[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\nadvertise = \"one\"\n[[protocol]]\nplugin = \"p\"\nlisten = \":2\"\nadvertise = \"two\"\n");
  const auto one = doc.bind_protocol(0, component(keys)), two = doc.bind_protocol(1, component(keys));
  expect_fine(doc);
  EXPECT_EQ(text(one, "advertise"), "one");
  EXPECT_EQ(text(two, "advertise"), "two");
  EXPECT_EQ(text(two, "listen"), ":2");
}

TEST(Bind, AProtocolKeepsItsDataWhereTheProcessDoes) {
  const gantry_config_key keys[] = {{"data_dir", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr, "where to"}};
  const auto folder = [&](const std::string &file) {
    Document doc = parse(file);
    const auto config = doc.bind_protocol(0, component(keys));
    expect_fine(doc);
    return text(config, "data_dir");
  };
  const std::string protocol = "[[protocol]]\nplugin = \"p\"\ncomponent = \"nameserver\"\nlisten = \":1\"\n";
  const std::string broker = "[[protocol]]\nplugin = \"p\"\nlisten = \":2\"\n";
  EXPECT_EQ(folder(protocol), "") << "a process that keeps nothing";
  EXPECT_EQ(folder("[store]\n" + protocol + broker), "gantry-data");
  EXPECT_EQ(folder("[broker]\ndata_dir = \"/d\"\n" + protocol), "/d");
  EXPECT_EQ(folder("[broker]\ndata_dir = \"/d\"\n[store]\n" + protocol + "data_dir = \"/own\"\n" + broker), "/own");
  EXPECT_EQ(folder(protocol + "data_dir = \"/own\"\n"), "/own");
}

TEST(Bind, ProblemsOfBothStepsAreCollected) {
  Document doc = parse(broker_text("nmae = \"x\"", "retentoin = \"1h\"\ndepth = 0\nengine = \"urnig\"\nsegment_size = \"8 GiB\"\nack = \"never\""));
  const auto config = doc.bind_store(component());
  const std::string all = render(doc.problems());
  EXPECT_EQ(doc.problems().size(), 6u) << all;
  expect_in(all, "unknown key \"nmae\" in [broker]");
  expect_in(all, "unknown key \"retentoin\" in [store]");
  expect_in(all, "did you mean \"retention\"?");
  expect_in(all, "depth: found 0, wanted 1 to 128");
  expect_in(all, "did you mean \"uring\"?");
  expect_in(all, "segment_size: found 8 GiB, wanted 1 MiB to 4 GiB");
  expect_in(all, "ack: found \"never\", wanted one of");
  EXPECT_EQ(number(config, "depth"), 4) << "a default stands in for what was wrong";
}

TEST(Bind, RequiredKeyIsMissed) {
  const gantry_config_key keys[] = {{"server", GANTRY_KEY_STRING, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "where it is"}};
  Document doc = parse(broker_text());
  const auto config = doc.bind_store(component(keys));
  expect_in(only_problem(doc), "[store] lacks the key \"server\"");
  EXPECT_EQ(text(config, "server"), "");
}

TEST(Bind, SecretsAreNeverShown) {
  const gantry_config_key keys[] = {{"password", GANTRY_KEY_STRING, GANTRY_KEY_SECRET, nullptr, 0, 0, nullptr, "hush"},
                                    {"pin", GANTRY_KEY_INT, GANTRY_KEY_SECRET, nullptr, 0, 99, nullptr, "hush"},
                                    {"tokens", GANTRY_KEY_LIST, GANTRY_KEY_SECRET, nullptr, 0, 0, nullptr, "hush"}};
  Document doc = parse(broker_text("", "password = 4711\npin = 4712\ntokens = [4713]\npasswrod = \"4714\""), {flag("store.pin=4715")});
  (void)doc.bind_store(component(keys));
  const std::string all = render(doc.problems());
  EXPECT_EQ(doc.problems().size(), 4u) << all;
  EXPECT_EQ(all.find("471"), std::string::npos) << all;
}

TEST(Bind, WrongDefaultIsThePluginsFault) {
  const gantry_config_key keys[] = {{"depth", GANTRY_KEY_INT, 0, "many", 0, 0, nullptr, ""}};
  Document doc = parse(broker_text());
  (void)doc.bind_store(component(keys));
  expect_in(only_problem(doc), "the plugin's own default does not fit: depth: found \"many\"");
}

TEST(Bind, OthersReportAtAKey) {
  Document doc = parse(broker_text("", "plugin = \"store-x\""));
  doc.report_store("plugin", "plugin \"store-x\" not found", "did you mean \"store-commitlog\"?");
  doc.report_protocol(0, "component", "no such component");
  EXPECT_FALSE(doc.ok());
  const std::string all = render(doc.problems());
  expect_in(all, "test.toml:4:10: error: plugin \"store-x\" not found\n     4 | plugin = \"store-x\"\n       |          ^~~~~~~~~\n");
  expect_in(all, "test.toml:5:1: error: no such component\n     5 | [[protocol]]\n");
}

TEST(BindDeathTest, KeysThatWereNotDeclaredOrHaveAnotherType) {
  Document doc = parse(broker_text());
  const auto config = doc.bind_store(component());
  EXPECT_DEATH((void)number(config, "deepth"), "component probe: configuration key \"deepth\" is not declared");
  EXPECT_DEATH((void)number(config, "motto"), "\"motto\" is no number");
  EXPECT_DEATH((void)text(config, "depth"), "\"depth\" is no text");
  EXPECT_DEATH((void)config->list_size(config.get(), "motto"), "\"motto\" is no list");
  EXPECT_DEATH((void)config->list_at(config.get(), "hosts", 2), "\"hosts\" was asked for an item past its end");
}

}  // namespace
}  // namespace gantry::config
