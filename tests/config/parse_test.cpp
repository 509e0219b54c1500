// The kernel's part of broker.toml: what is read, and each way it can be wrong.
#include "config/config_texts.hpp"
#include "support/test_util.h"

#include <gantry/draft/store.h>

#include <fstream>
#include <random>

namespace gantry::config {
namespace {

using test::broker_text;
using test::expect_fine;
using test::expect_in;
using test::only_problem;
using test::parse;

TEST(Parse, DefaultsOfEveryKey) {
  const Document doc = parse(broker_text());
  expect_fine(doc);
  EXPECT_EQ(doc.broker().cluster, "DefaultCluster");
  EXPECT_EQ(doc.broker().name, "broker-a");
  EXPECT_EQ(doc.broker().id, 0);
  EXPECT_EQ(doc.broker().data_dir, "gantry-data");
  EXPECT_TRUE(doc.broker().auto_create_topics);
  EXPECT_TRUE(doc.broker().auto_create_groups);
  EXPECT_EQ(doc.broker().default_topic_queues, 8u);
  EXPECT_EQ(doc.broker().max_message_bytes, 4u << 20);
  EXPECT_EQ(doc.broker().delay_levels.count(), 18u);
  EXPECT_EQ(doc.broker().transaction_timeout_ms, 6'000);
  EXPECT_EQ(doc.broker().transaction_check_interval_ms, 30'000);
  EXPECT_EQ(doc.broker().transaction_check_max, 15u);
  EXPECT_GE(doc.broker().shards, 1u);
  EXPECT_EQ(doc.broker().drain_timeout_ms, 10'000);
  EXPECT_EQ(doc.broker().log_level, "info");
  EXPECT_TRUE(doc.broker().plugin_dirs.empty());
  ASSERT_TRUE(doc.has_store());
  EXPECT_EQ(doc.store().plugin, "store-commitlog");
  EXPECT_EQ(doc.store().ack, GANTRY_DURABILITY_DURABLE);
  ASSERT_EQ(doc.protocols().size(), 1u);
  const ProtocolSettings &protocol = doc.protocols()[0];
  EXPECT_EQ(protocol.plugin, "protocol-remoting");
  EXPECT_EQ(protocol.component, "");
  EXPECT_EQ(protocol.name, "remoting");
  EXPECT_EQ(protocol.listen, "127.0.0.1:10911");
  EXPECT_EQ(protocol.tls, TlsMode::kOff);
  EXPECT_EQ(protocol.max_connections, 10'000u);
  EXPECT_EQ(protocol.idle_timeout_ms, 120'000);
}

TEST(Parse, EveryKeySet) {
  const Document doc = parse(R"(
[broker]
cluster = "C1"
name = "broker-b"
id = 3
data_dir = "/var/lib/gantry"
auto_create_topics = false
auto_create_groups = false
default_topic_queues = 16
max_message_size = "1MiB"
shards = 3
drain_timeout = "500ms"
log_level = "debug"
plugin_dirs = ["/opt/a", "/opt/b"]
[store]
plugin = "store-x"
ack = "written"
[[protocol]]
plugin = "/opt/protocol-y.so"
component = "fast"
listen = "[::]:1883"
tls = "required"
tls_cert = "c.pem"
tls_key = "k.pem"
max_connections = 0
idle_timeout = 0
)");
  expect_fine(doc);
  EXPECT_EQ(doc.broker().name, "broker-b");
  EXPECT_EQ(doc.broker().id, 3);
  EXPECT_EQ(doc.broker().data_dir, "/var/lib/gantry");
  EXPECT_FALSE(doc.broker().auto_create_topics || doc.broker().auto_create_groups);
  EXPECT_EQ(doc.broker().default_topic_queues, 16u);
  EXPECT_EQ(doc.broker().max_message_bytes, 1u << 20);
  EXPECT_EQ(doc.broker().shards, 3u);
  EXPECT_EQ(doc.broker().drain_timeout_ms, 500);
  EXPECT_EQ(doc.broker().log_level, "debug");
  EXPECT_EQ(doc.broker().plugin_dirs, (std::vector<std::string>{"/opt/a", "/opt/b"}));
  EXPECT_EQ(doc.store().plugin, "store-x");
  EXPECT_EQ(doc.store().ack, GANTRY_DURABILITY_WRITTEN);
  EXPECT_EQ(doc.store().ack_text, "written");
  const ProtocolSettings &protocol = doc.protocols()[0];
  EXPECT_EQ(protocol.name, "fast");
  EXPECT_EQ(protocol.tls, TlsMode::kRequired);
  EXPECT_EQ(protocol.tls_cert, "c.pem");
  EXPECT_EQ(protocol.max_connections, UINT32_MAX);
  EXPECT_EQ(protocol.idle_timeout_ms, 0);
}

TEST(Parse, DefaultConfigurationIsFine) {
  const Document doc = Document::parse(default_config_text(), std::string(kDefaultConfigOrigin));
  expect_fine(doc);
  ASSERT_EQ(doc.protocols().size(), 2u);
  EXPECT_EQ(doc.protocols()[0].listen, "127.0.0.1:9876");
  EXPECT_EQ(doc.protocols()[1].listen, "127.0.0.1:10911");
  EXPECT_EQ(doc.broker().data_dir, "gantry-data");
}

TEST(Parse, ProblemShowsPlaceLineCaretAndHelp) {
  EXPECT_EQ(only_problem(parse("[broker]\nnmae = \"x\"\n[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n")),
            "test.toml:2:1: error: unknown key \"nmae\" in [broker]\n"
            "     2 | nmae = \"x\"\n"
            "       | ^~~~\n"
            "       = help: did you mean \"name\"?\n");
}

TEST(Parse, CaretStandsRightBehindTabsAndUmlauts) {
  EXPECT_EQ(only_problem(parse(broker_text("\tcluster = \"\u00e4\""))).substr(0, 19), "test.toml:2:12: err");
}

TEST(Parse, AllProblemsAtOnceInTheOrderOfTheFile) {
  const Document doc = parse(R"([broker]
id = "5"
shards = 99
max_message_size = "64 MB"
drain_timeout = 5
log_level = "wran"
auto_create_topics = 1
plugin_dirs = "x"
name = 7
[store]
ack = "durabel"
[[protocol]]
plugin = "protocol-remoting"
listen = "nowhere"
)");
  const std::string all = render(doc.problems());
  EXPECT_EQ(doc.problems().size(), 10u) << all;
  for (std::size_t i = 1; i < doc.problems().size(); ++i) EXPECT_LE(doc.problems()[i - 1].line, doc.problems()[i].line);
  expect_in(all, "test.toml:2:6: error: id: found \"5\", wanted a whole number");
  expect_in(all, "shards: found 99, wanted 0 to 64");
  expect_in(all, "max_message_size: found \"64 MB\", wanted a size such as \"64 MiB\"");
  expect_in(all, "drain_timeout: found the number 5, wanted a duration");
  expect_in(all, "give the unit: \"5s\" or \"5ms\"");
  expect_in(all, "did you mean \"warn\"?");
  expect_in(all, "auto_create_topics: found the number 1, wanted true or false");
  expect_in(all, "plugin_dirs: found \"x\", wanted a list of strings");
  expect_in(all, "put it in quotes: \"7\"");
  expect_in(all, "did you mean \"durable\"?");
  expect_in(all, "listen: found \"nowhere\", wanted \"host:port\"");
}

TEST(Parse, RangesAreTold) {
  expect_in(only_problem(parse(broker_text("max_message_size = \"1 GiB\""))), "found 1 GiB, wanted 1 KiB to 15 MiB");
  expect_in(only_problem(parse(broker_text("default_topic_queues = 0"))), "found 0, wanted 1 to 16384");
  expect_in(only_problem(parse(broker_text("id = -1"))), "found -1, wanted 0 to 2147483647");
  expect_in(only_problem(parse(broker_text("drain_timeout = \"2h\""))), "found 2h, wanted 0s to 10m");
  expect_in(only_problem(parse(broker_text("data_dir = \"\""))), "data_dir: found an empty path");
  expect_in(only_problem(parse(broker_text("name = \"a b\""))), "visible ASCII");
  expect_in(only_problem(parse(broker_text("delay_levels = \"1s 5x\""))), "delay_levels: delay level '5x' is no number");
  expect_in(only_problem(parse(broker_text("shards = 1.5"))), "found a fractional number");
  expect_in(only_problem(parse(broker_text("shards = 1979-05-27"))), "found a date or time");
  expect_in(only_problem(parse(broker_text("plugin_dirs = [\"a\", 1]"))), "found the number 1 in the list, wanted only strings");
  expect_in(only_problem(parse(broker_text("shards = {a = 1}"))), "found a table");
}

TEST(Parse, SyntaxErrorsOfSeveralLinesAndTheRestStillChecked) {
  const Document doc = parse("[broker]\nname = broker-a\nid = = 4\nshrads = 2\n[store]\n");
  const std::string all = render(doc.problems());
  EXPECT_EQ(doc.problems().size(), 3u) << all;
  expect_in(all, "test.toml:2:");
  expect_in(all, "test.toml:3:");
  expect_in(all, "not valid TOML");
  expect_in(all, "did you mean \"shards\"?");
}

TEST(Parse, BrokenSectionHeaderEndsTheReading) {
  const Document doc = parse("[broker\nname = \"x\"\n");
  expect_in(only_problem(doc), "test.toml:1:");
}

TEST(Parse, ManySyntaxErrorsEnd) {
  std::string text = "[broker]\n";
  for (int i = 0; i < 500; ++i) text += "= =\n";
  EXPECT_LE(parse(text).problems().size(), 21u);
}

TEST(Parse, UnknownSectionsAndWrongShapes) {
  expect_in(only_problem(parse(broker_text() + "[brokr]\n")), "did you mean [broker]?");
  expect_in(only_problem(parse(broker_text() + "[[protocl]]\n")), "did you mean [[protocol]]?");
  expect_in(only_problem(parse("cluster = \"x\"\n" + broker_text())), "stands outside of any section");
  expect_in(only_problem(parse("[store]\n[protocol]\nplugin = \"p\"\nlisten = \":1\"\n")), "write [[protocol]] on a line of its own");
  expect_in(only_problem(parse("[[store]]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n")), "write [store] on a line of its own");
  expect_in(only_problem(parse("broker = 1\n[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n")), "must be the section [broker]");
}

TEST(Parse, KeyOfAnotherSection) {
  expect_in(only_problem(parse(broker_text("listen = \":1\""))), "\"listen\" is a key of [[protocol]]");
  expect_in(only_problem(parse(broker_text("ack = \"durable\""))), "\"ack\" is a key of [store]");
}

TEST(Parse, ProtocolLacksKeys) {
  const std::string all = render(parse("[store]\n[[protocol]]\n").problems());
  expect_in(all, "test.toml:2:1: error: [[protocol]] number 0 lacks the key \"plugin\"");
  expect_in(all, "[[protocol]] number 0 lacks the key \"listen\"");
}

TEST(Parse, NothingToServe) {
  expect_in(only_problem(parse("")), "there is no [[protocol]]");
  expect_in(only_problem(parse("[store]\n")), "there is no [[protocol]]");
}

TEST(Parse, StoreAndProtocolsMustFit) {
  const std::string nameserver = "[[protocol]]\nplugin = \"protocol-remoting\"\ncomponent = \"nameserver\"\nlisten = \":9876\"\n";
  const Document alone = parse(nameserver);
  expect_fine(alone);
  EXPECT_FALSE(alone.has_store());
  expect_in(only_problem(parse("[store]\n" + nameserver)), "[store] has no use");
  expect_in(only_problem(parse(nameserver + "[[protocol]]\nplugin = \"protocol-remoting\"\nlisten = \":10911\"\n")),
            "test.toml:5:1: error: [[protocol]] \"remoting\" serves messages, but there is no [store]");
}

TEST(Parse, ListenAddresses) {
  for (const char *fine : {"127.0.0.1:0", "0.0.0.0:10911", "[::]:10911", "[fe80::1%eth0]:1", "localhost:9876", ":65535", "broker-1.example.org:1"})
    expect_fine(parse("[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \"" + std::string(fine) + "\"\n"));
  for (const char *wrong : {"10911", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]", "[::1:80", "[zz]:80", "a b:80",
                            "", "127.0.0.1:99999999999", "host:80x"})
    expect_in(only_problem(parse("[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \"" + std::string(wrong) + "\"\n")), "listen: found");
}

TEST(Parse, ListenersThatClash) {
  const auto two = [](const std::string &a, const std::string &b) {
    return parse("[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \"" + a + "\"\n[[protocol]]\nplugin = \"q\"\nlisten = \"" + b + "\"\n");
  };
  expect_in(only_problem(two("127.0.0.1:1", "127.0.0.1:1")), "clashes with \"127.0.0.1:1\" of [[protocol]] number 0");
  expect_in(only_problem(two("0.0.0.0:1", "127.0.0.1:1")), "clashes");
  expect_in(only_problem(two("[::1]:1", "[::]:1")), "clashes");
  expect_in(only_problem(two(":1", "[::1]:1")), "clashes");
  expect_fine(two("127.0.0.1:1", "127.0.0.1:2"));
  expect_fine(two("127.0.0.1:1", "127.0.0.2:1"));
  expect_fine(two("127.0.0.1:0", "127.0.0.1:0"));
  expect_fine(two("127.0.0.1:1", "[::1]:1"));
}

TEST(Parse, Tls) {
  const Document both = parse(broker_text("", "", "tls_cert = \"c\"\ntls_key = \"k\""));
  expect_fine(both);
  EXPECT_EQ(both.protocols()[0].tls, TlsMode::kOptional);
  const Document off = parse(broker_text("", "", "tls = \"off\"\ntls_cert = \"c\"\ntls_key = \"k\""));
  expect_fine(off);
  EXPECT_EQ(off.protocols()[0].tls, TlsMode::kOff);
  expect_in(only_problem(parse(broker_text("", "", "tls_cert = \"c\""))), "tls_cert is given without tls_key");
  expect_in(only_problem(parse(broker_text("", "", "tls_key = \"k\""))), "tls_key is given without tls_cert");
  expect_in(only_problem(parse(broker_text("", "", "tls = \"required\""))), "tls is \"required\" without a certificate");
}

TEST(Parse, Files) {
  const test::TempDir dir;
  const std::string path = (dir.path() / "broker.toml").string();
  std::ofstream(path) << broker_text("nmae = 1");
  const auto doc = Document::parse_file(path);
  ASSERT_TRUE(doc);
  expect_in(only_problem(*doc), path + ":2:1: error");
  const auto none = Document::parse_file((dir.path() / "none.toml").string());
  ASSERT_FALSE(none);
  expect_in(none.error().text, "none.toml cannot be opened: No such file");
  EXPECT_FALSE(Document::parse_file(dir.str()));
}

TEST(Parse, BracketsTooMany) {
  for (const char *wrong : {"[[[protocol]]]\n", "[[=\n", "[[[]]\n", "[[#]]\n", "[[[\n", "[=\n"}) expect_in(only_problem(parse(wrong)), "test.toml:1:");
}

TEST(Parse, DamagedTextsAreReportedAndNeverCrash) {
  const std::string whole = std::string(default_config_text()) + "tls_cert = \"c\"\ntls_key = \"k\"\nidle_timeout = \"5s\"\n";
  std::mt19937 random(11);
  constexpr std::string_view kPieces = "[]{}=\"'\n#.,-_0a\\\0\xff\xc3 ";
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = whole;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = kPieces[random() % kPieces.size()];
    if (round % 5 == 0) text.resize(random() % text.size());
    const Document doc = parse(text);
    refused += doc.ok() ? 0 : 1;
    for (const Problem &problem : doc.problems()) EXPECT_FALSE(render(problem).empty());
  }
  EXPECT_GT(refused, 1000);
}

TEST(Parse, AuthSection) {
  const std::string protocol = "[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n";
  const Document none = parse("[store]\n" + protocol);
  expect_fine(none);
  EXPECT_FALSE(none.has_auth());
  const Document some = parse("[store]\n[auth]\naudit = \"changes\"\n" + protocol + "auth = \"none\"\n");
  expect_fine(some);
  EXPECT_TRUE(some.has_auth());
  EXPECT_EQ(some.auth().plugin, "auth-acl");
  EXPECT_EQ(some.auth().audit, "changes");
  EXPECT_TRUE(some.protocols()[0].open);
  EXPECT_FALSE(parse("[store]\n[auth]\n" + protocol + "auth = \"required\"\n").protocols()[0].open);
  expect_in(only_problem(parse("[store]\n" + protocol + "auth = \"required\"\n")), "there is no section [auth]");
  expect_in(only_problem(parse("[store]\n[auth]\nplugin = \"\"\n" + protocol)), "name of an access-control plugin");
  expect_in(only_problem(parse("[store]\n[[auth]]\n" + protocol)), "write [auth] on a line of its own");
  EXPECT_EQ(parse("[store]\n[auth]\n" + protocol, {gantry::test::flag("auth.audit=off")}).auth().audit, "off");
}

TEST(Parse, ListenersThatOthersReachNeedAccessControl) {
  const auto with = [](const std::string &listen, const std::string &auth, const std::string &more) {
    Document doc = parse("[store]\n" + auth + "[[protocol]]\nplugin = \"p\"\nlisten = \"" + listen + "\"\n" + more);
    doc.check_exposure();
    return doc;
  };
  for (const char *outside : {":1", "0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.org:1", "127.example.org:1", "[2001:db8::1]:1", "localhost.example.org:1"}) {
    const std::string problem = only_problem(with(outside, "", ""));
    expect_in(problem, "there is no access control");
    expect_in(problem, "auth = \"none\"");
    expect_fine(with(outside, "[auth]\n", ""));
    expect_fine(with(outside, "", "auth = \"none\"\n"));
  }
  for (const char *inside : {"127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1"}) expect_fine(with(inside, "", ""));
}

TEST(Parse, WindowsLineEndsAndByteOrderMark) { expect_fine(parse("\xEF\xBB\xBF[store]\r\n[[protocol]]\r\nplugin = \"p\"\r\nlisten = \":1\"\r\n")); }

}  // namespace
}  // namespace gantry::config
