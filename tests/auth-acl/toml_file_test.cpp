// acl.toml: what it may say, and where it is wrong.
#include "files.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gantry::acl {
namespace {

constexpr const char *kGood = R"(
trusted_addresses = ["10.1.0.0/16"]

[[user]]
name = "root"
secret = "a-good-secret"
type = "Super"

[[user]]
name = "orders"
secret = "another-secret"
unsigned_from = ["10.2.0.1"]

[[user.policy]]
resources = ["Topic:orders*", "Group:orders-*"]
actions = ["Pub", "sub"]
sources = ["10.0.0.0/8"]

[[user.policy]]
resources = ["*"]
actions = ["All"]
decision = "Deny"

[[user]]
name = "gone"
secret = "third-secret"
status = "disable"
)";

TEST(TomlFile, UsersAndPolicies) {
  auto rules = parse_toml(kGood, "acl.toml");
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_TRUE((*rules)->trusted.matches(*parse_peer("10.1.2.3")));
  ASSERT_EQ((*rules)->users().size(), 3u);
  EXPECT_TRUE((*rules)->find("root")->super);
  const User &orders = *(*rules)->find("orders");
  EXPECT_FALSE(orders.super);
  EXPECT_TRUE(orders.enabled);
  EXPECT_TRUE(orders.unsigned_from.matches(*parse_peer("10.2.0.1")));
  ASSERT_EQ(orders.rules.size(), 3u);
  EXPECT_EQ(orders.rules[0].actions, GANTRY_ACTION_PUB | GANTRY_ACTION_SUB);
  EXPECT_EQ(orders.rules[1].resource.text(), "Group:orders-*");
  EXPECT_EQ(orders.rules[1].line, 14u);
  EXPECT_FALSE(orders.rules[2].allow);
  EXPECT_EQ(orders.rules[2].actions, GANTRY_ACTION_ALL);
  EXPECT_FALSE((*rules)->find("gone")->enabled);
  EXPECT_EQ((*rules)->find("nobody"), nullptr);
}

TEST(TomlFile, WrittenAndReadAgain) {
  auto rules = parse_toml(kGood, "acl.toml");
  ASSERT_TRUE(rules);
  const std::string text = to_toml(**rules);
  auto again = parse_toml(text, "acl.toml");
  ASSERT_TRUE(again) << again.error().text << "\n" << text;
  EXPECT_EQ(to_toml(**again), text);
  EXPECT_EQ((*again)->find("orders")->rules.size(), 3u);
  EXPECT_FALSE((*again)->find("gone")->enabled);
}

TEST(TomlFile, FaultsNameTheLine) {
  const std::string user = "[[user]]\nname = \"ann\"\nsecret = \"a-good-secret\"\n";
  const std::string policy = user + "[[user.policy]]\nresources = [\"Topic:a\"]\nactions = [\"Pub\"]\n";
  const struct {
    std::string text, line, says;
  } cases[] = {
      {"x = 1\n", ":1:", "unknown key \"x\""},
      {"[[user]]\nname = \"ann\"\n", ":1:", "\"secret\" is missing"},
      {"[[user]]\nname = \"ann\"\nsecret = 7\n", ":3:", "wanted a text"},
      {"[[user]]\nname = \"ann\"\nsecret = \"short\"\n", ":3:", "fewer than 7"},
      {"[[user]]\nname = \"ann\"\nsecret = \"12345678\"\n", ":3:", "everybody knows"},
      {"[[user]]\nname = \"a b\"\nsecret = \"a-good-secret\"\n", ":2:", "blanks"},
      {"[[user]]\nname = \"$broker\"\nsecret = \"a-good-secret\"\n", ":2:", "broker's own"},
      {user + "type = \"super\"\n", ":4:", "\"Super\" or \"Normal\""},
      {user + "status = \"on\"\n", ":4:", "\"enable\" or \"disable\""},
      {user + "pasword = \"x\"\n", ":4:", "unknown key \"pasword\""},
      {user + user, ":4:", "twice, first in line 1"},
      {user + "unsigned_from = [\"x\"]\n", ":4:", "address \"x\""},
      {"trusted_addresses = \"*\"\n", ":1:", "a list of texts"},
      {"trusted_addresses = [1]\n", ":1:", "a list of texts"},
      {user + "[[user.policy]]\nactions = [\"Pub\"]\n", ":4:", "\"resources\""},
      {user + "[[user.policy]]\nresources = [\"Topic:a\"]\n", ":4:", "\"actions\""},
      {user + "[[user.policy]]\nresources = []\nactions = [\"Pub\"]\n", ":4:", "at least one"},
      {user + "[[user.policy]]\nresources = [\"Topic:a\"]\nactions = [\"Publish\"]\n", ":6:", "no action"},
      {user + "[[user.policy]]\nresources = [\"a\"]\nactions = [\"Pub\"]\n", ":5:", "names no type"},
      {policy + "decision = \"Maybe\"\n", ":7:", "\"Allow\" or \"Deny\""},
      {policy + "sources = []\n", ":7:", "empty"},
      {policy + "from = \"x\"\n", ":7:", "unknown key \"from\""},
      {"[[user]\n", ":1:", "not valid TOML"},
      {"user = 1\n", ":1:", "[[user]]"},
      {"[[[x]]]\n", ":1:", "not valid TOML"},
  };
  for (const auto &each : cases) {
    const auto rules = parse_toml(each.text, "acl.toml");
    ASSERT_FALSE(rules) << each.text;
    EXPECT_EQ(rules.error().code, GANTRY_E_CONFIG);
    EXPECT_EQ(rules.error().text.find("acl.toml" + each.line), 0u) << rules.error().text << "\n" << each.text;
    EXPECT_NE(rules.error().text.find(each.says), std::string::npos) << rules.error().text;
    EXPECT_EQ(rules.error().text.find("a-good-secret"), std::string::npos) << "a secret in a message";
  }
}

TEST(TomlFile, TheFirstOneIsTheOwnersAlone) {
  char folder[] = "/tmp/gantry-acl-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/acl.toml";
  ASSERT_TRUE(make_first_file(path));
  struct stat st {};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  auto first = load_rules(path);
  ASSERT_TRUE(first) << first.error().text;
  ASSERT_NE((*first)->find("admin"), nullptr);
  EXPECT_TRUE((*first)->find("admin")->super);
  EXPECT_EQ((*first)->find("admin")->secret.size(), 32u);
  const auto again = make_first_file(path);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, GANTRY_E_EXISTS);
  ASSERT_TRUE(make_first_file(path + "2"));
  EXPECT_NE((*load_rules(path + "2"))->find("admin")->secret, (*first)->find("admin")->secret);
  const auto nowhere = make_first_file(std::string(folder) + "/none/acl.toml");
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().text.find("folder"), std::string::npos);
  EXPECT_EQ(load_rules(path + "3").error().code, GANTRY_E_NOT_FOUND);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gantry::acl
