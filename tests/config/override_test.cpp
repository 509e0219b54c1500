// -D and environment: what they set, which one wins, and what is said when they are wrong.
#include "config/config_texts.hpp"

#include <gantry/draft/store.h>

namespace gantry::config {
namespace {

using test::broker_text;
using test::expect_fine;
using test::expect_in;
using test::flag;
using test::only_problem;
using test::parse;

constexpr const char *kTwo = R"(
[store]
[[protocol]]
plugin = "protocol-remoting"
component = "nameserver"
listen = "127.0.0.1:9876"
[[protocol]]
plugin = "protocol-remoting"
listen = "127.0.0.1:10911"
)";

TEST(Override, FlagsBeatEnvironmentBeatsFileBeatsDefault) {
  const char *const environment[] = {"GANTRY_BROKER__NAME=from-env", "GANTRY_BROKER__CLUSTER=from-env", "GANTRY_HOME=/x", "PATH=/bin", nullptr};
  auto overrides = environment_overrides(environment);
  EXPECT_EQ(overrides.size(), 2u);
  overrides.push_back(flag("broker.name=from-flag"));
  const Document doc = parse(broker_text("name = \"from-file\"\ncluster = \"from-file\"\ndata_dir = \"from-file\""), overrides);
  expect_fine(doc);
  EXPECT_EQ(doc.broker().name, "from-flag");
  EXPECT_EQ(doc.broker().cluster, "from-env");
  EXPECT_EQ(doc.broker().data_dir, "from-file");
  EXPECT_EQ(doc.broker().log_level, "info");
}

TEST(Override, ValuesTakeTheTypeOfTheirKey) {
  const Document doc = parse(broker_text(), {flag("broker.id=7"), flag("broker.auto_create_topics=false"), flag("broker.max_message_size=1 MiB"),
                                             flag("broker.drain_timeout=3s"), flag("broker.plugin_dirs=/a, /b"), flag("store.ack=memory")});
  expect_fine(doc);
  EXPECT_EQ(doc.broker().id, 7);
  EXPECT_FALSE(doc.broker().auto_create_topics);
  EXPECT_EQ(doc.broker().max_message_bytes, 1u << 20);
  EXPECT_EQ(doc.broker().drain_timeout_ms, 3000);
  EXPECT_EQ(doc.broker().plugin_dirs, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(doc.store().ack, GANTRY_DURABILITY_MEMORY);
  EXPECT_EQ(parse(broker_text(), {flag("broker.plugin_dirs=[\"/a\", '/b']")}).broker().plugin_dirs, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_TRUE(parse(broker_text("plugin_dirs = [\"x\"]"), {flag("broker.plugin_dirs=")}).broker().plugin_dirs.empty());
  EXPECT_EQ(parse(broker_text(), {flag("broker.name=12")}).broker().name, "12");
  EXPECT_EQ(parse(broker_text(), {flag("broker.name=a=b")}).broker().name, "a=b");
}

TEST(Override, ProtocolsByNumberAndByName) {
  const char *const environment[] = {"GANTRY_PROTOCOL__REMOTING__LISTEN=127.0.0.1:2", nullptr};
  auto overrides = environment_overrides(environment);
  overrides.push_back(flag("protocol.0.listen=127.0.0.1:1"));
  const Document doc = parse(kTwo, overrides);
  expect_fine(doc);
  EXPECT_EQ(doc.protocols()[0].listen, "127.0.0.1:1");
  EXPECT_EQ(doc.protocols()[1].listen, "127.0.0.1:2");
  EXPECT_EQ(parse(kTwo, {flag("protocol.nameserver.listen=:3")}).protocols()[0].listen, ":3");
}

TEST(Override, SectionsThatTheFileLacksAreMade) {
  const Document doc = parse("[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n", {flag("store.ack=written"), flag("broker.name=b")});
  expect_fine(doc);
  EXPECT_EQ(doc.store().ack, GANTRY_DURABILITY_WRITTEN);
  EXPECT_EQ(doc.broker().name, "b");
}

TEST(Override, AnUnderscoreMeansADashInNames) {
  const char *const environment[] = {"GANTRY_PROTOCOL__FAST_LANE__LISTEN=127.0.0.1:2", nullptr};
  const Document doc = parse("[store]\n[[protocol]]\nplugin = \"p\"\ncomponent = \"fast-lane\"\nlisten = \":1\"\n", environment_overrides(environment));
  expect_fine(doc);
  EXPECT_EQ(doc.protocols()[0].listen, "127.0.0.1:2");
}

TEST(Override, ProblemsNameTheFlagOrTheVariable) {
  EXPECT_EQ(only_problem(parse(broker_text(), {flag("broker.nmae=x")})),
            "-D broker.nmae: error: unknown key \"nmae\" in [broker]\n       = help: did you mean \"name\"?\n");
  const char *const environment[] = {"GANTRY_STORE__ACK=never", nullptr};
  expect_in(only_problem(parse(broker_text(), environment_overrides(environment))), "GANTRY_STORE__ACK: error: ack: found \"never\", wanted one of");
  expect_in(only_problem(parse(broker_text(), {flag("broker.id=x")})), "-D broker.id: error: id: found \"x\", wanted a whole number");
  expect_in(only_problem(parse(broker_text(), {flag("stoer.ack=durable")})), "did you mean [store]?");
  expect_in(only_problem(parse(broker_text(), {flag("broker=1")})), "write broker.<key>=<value>");
  expect_in(only_problem(parse(broker_text(), {flag("protocol.listen=:1")})), "write protocol.<name or number>.<key>=<value>");
  expect_in(only_problem(parse(kTwo, {flag("protocol.2.listen=:1")})), "there is no [[protocol]] number 2: the configuration has 2, counted from 0");
  expect_in(only_problem(parse(kTwo, {flag("protocol.mqtt.listen=:1")})), "there are: nameserver, remoting");
}

TEST(Override, NameOfSeveralProtocolsIsRefused) {
  const std::string two = "[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n[[protocol]]\nplugin = \"p\"\nlisten = \":2\"\n";
  expect_in(only_problem(parse(two, {flag("protocol.p.listen=:3")})), "several [[protocol]] are called \"p\"");
  expect_fine(parse(two, {flag("protocol.1.listen=:3")}));
}

TEST(Override, FlagWithoutValueIsRefused) {
  for (const char *wrong : {"broker.name", "=x", ""}) EXPECT_FALSE(flag_override(wrong)) << wrong;
}

}  // namespace
}  // namespace gantry::config
