// plain_acl.yml: permissions as RocketMQ 4.9 reads them.
#include "files.hpp"

#include <gtest/gtest.h>

namespace gantry::acl {
namespace {

constexpr const char *kGood = R"(# a comment
globalWhiteRemoteAddresses:
  - 10.10.103.*
  - 192.168.0.*
accounts:
  - accessKey: RocketMQ
    secretKey: secret-of-one
    whiteRemoteAddress:
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms:
      - topicA=DENY
      - topicB=PUB|SUB
      - topicC=SUB
    groupPerms:
      - groupA=DENY
      - groupB=PUB|SUB
  - accessKey: rocketmq2
    secretKey: 87654321
    whiteRemoteAddress: 192.168.1.*
    admin: true
  - accessKey: mixed
    secretKey: secret-of-three
    admin: True
    topicPerms: [ "topicA=PUB" ]
    defaultTopicPerm: PUB|SUB
dataVersion:
  - counter: 1
    timestamp: 2
)";

std::uint32_t ask(const Rules &rules, const char *user, std::uint32_t type, const char *name, std::uint32_t actions) {
  return decide(*rules.find(user), type, name, actions, *parse_peer("1.2.3.4")).decision;
}

constexpr std::uint32_t kTopic = GANTRY_RESOURCE_TOPIC, kGroup = GANTRY_RESOURCE_GROUP, kCluster = GANTRY_RESOURCE_CLUSTER;
constexpr std::uint32_t kPub = GANTRY_ACTION_PUB, kSub = GANTRY_ACTION_SUB;

TEST(PlainAcl, PermissionsAsRocketMQReadsThem) {
  auto loaded = parse_plain_acl(kGood, "plain_acl.yml");
  ASSERT_TRUE(loaded) << loaded.error().text;
  const Rules &rules = **loaded;
  EXPECT_TRUE(rules.trusted.matches(*parse_peer("192.168.0.7")));
  const auto allows = [&](const char *user, std::uint32_t type, const char *name, std::uint32_t actions) { return ask(rules, user, type, name, actions) == GANTRY_DECISION_ALLOW; };
  EXPECT_FALSE(allows("RocketMQ", kTopic, "topicA", kPub));
  EXPECT_TRUE(allows("RocketMQ", kTopic, "topicB", kPub));
  EXPECT_TRUE(allows("RocketMQ", kTopic, "topicB", kSub));
  EXPECT_FALSE(allows("RocketMQ", kTopic, "topicC", kPub));
  EXPECT_TRUE(allows("RocketMQ", kTopic, "topicC", kSub));
  EXPECT_FALSE(allows("RocketMQ", kTopic, "another", kSub));
  EXPECT_FALSE(allows("RocketMQ", kGroup, "groupA", kSub));
  EXPECT_TRUE(allows("RocketMQ", kGroup, "another", kSub));  // the default
  // Others need a signature only; changes need an administrator.
  EXPECT_TRUE(allows("RocketMQ", kTopic, "topicA", GANTRY_ACTION_GET));
  EXPECT_TRUE(allows("RocketMQ", kTopic, "*", GANTRY_ACTION_LIST));
  EXPECT_FALSE(allows("RocketMQ", kTopic, "topicB", GANTRY_ACTION_CREATE));
  EXPECT_FALSE(allows("RocketMQ", kCluster, "DefaultCluster", GANTRY_ACTION_UPDATE));
  // An administrator without permissions of his own passes everywhere; a secret that looks like a number is text.
  EXPECT_TRUE(rules.find("rocketmq2")->super);
  EXPECT_EQ(rules.find("rocketmq2")->secret, "87654321");
  EXPECT_TRUE(rules.find("rocketmq2")->unsigned_from.matches(*parse_peer("192.168.1.9")));
  // With permissions he is checked like others; explicit ones replace the default, before whatever order they have.
  EXPECT_FALSE(rules.find("mixed")->super);
  EXPECT_TRUE(allows("mixed", kTopic, "topicA", kPub));
  EXPECT_FALSE(allows("mixed", kTopic, "topicA", kSub));
  EXPECT_TRUE(allows("mixed", kTopic, "another", kSub));
  EXPECT_TRUE(allows("mixed", kTopic, "another", GANTRY_ACTION_DELETE));
}

TEST(PlainAcl, AsToml) {
  auto rules = parse_plain_acl(kGood, "plain_acl.yml");
  ASSERT_TRUE(rules);
  const std::string text = to_toml(**rules);
  auto again = parse_toml(text, "acl.toml");
  ASSERT_TRUE(again) << again.error().text << "\n" << text;
  for (const auto &user : (*rules)->users()) {
    const User *same = (*again)->find(user->name);
    ASSERT_NE(same, nullptr);
    for (const char *name : {"topicA", "topicB", "topicC", "another", "*"})
      for (const std::uint32_t type : {kTopic, kGroup, kCluster})
        for (std::uint32_t action = 1; action < GANTRY_ACTION_ALL; action <<= 1)
          EXPECT_EQ(decide(*user, type, name, action, *parse_peer("1.2.3.4")).decision, decide(*same, type, name, action, *parse_peer("1.2.3.4")).decision) << user->name << " " << name << " " << action;
    EXPECT_EQ(same->unsigned_from.texts(), user->unsigned_from.texts());
  }
}

TEST(PlainAcl, FaultsNameTheLine) {
  const struct {
    const char *text, *line, *says;
  } cases[] = {
      {"accounts:\n  - accessKey: abcdefg\n    secretKey: 12345678\n", ":3:", "everybody knows"},
      {"accounts:\n  - accessKey: abcdefg\n", ":2:", "fewer than 7"},
      {"accounts:\n  - secretKey: abcdefgh\n", ":2:", "accessKey: the name is empty"},
      {"accounts:\n  - accessKey: abcdefg\n    secretKey: abcdefgh\n    topicPerms:\n      - topicA\n", ":5:", "wanted NAME=PUB"},
      {"accounts:\n  - accessKey: abcdefg\n    secretKey: abcdefgh\n    whiteRemoteAddress: x.y\n", ":4:", "address"},
      {"globalWhiteRemoteAddresses:\n  - 10.0.0.1\n  - 10.0.0.300\n", ":3:", "0 to 255"},
      {"accounts:\n  - accessKey: abcdefg\n    secretKey: abcdefgh\n    topicPerm: x\n", ":4:", "unknown key \"topicPerm\""},
      {"acounts:\n  - accessKey: abcdefg\n", ":2:", "unknown key \"acounts\""},
      {"accounts: [\n", ":2:", "not valid YAML"},
      {"accounts: 7\n", ":1:", "wanted a list"},
      {"- a\n", ":1:", "keys and values"},
      {"", ":1:", "empty"},
      {"accounts:\n  - accessKey: abcdefg\n    secretKey: abcdefgh\n  - accessKey: abcdefg\n    secretKey: abcdefgi\n", ":4:", "twice"},
  };
  for (const auto &each : cases) {
    const auto rules = parse_plain_acl(each.text, "plain_acl.yml");
    ASSERT_FALSE(rules) << each.text;
    EXPECT_EQ(rules.error().text.find(std::string("plain_acl.yml") + each.line), 0u) << rules.error().text << "\n" << each.text;
    EXPECT_NE(rules.error().text.find(each.says), std::string::npos) << rules.error().text;
  }
}

TEST(PlainAcl, EmptyListsAreNothing) {
  EXPECT_TRUE(parse_plain_acl("globalWhiteRemoteAddresses:\naccounts:\n", "p.yml"));
  const auto rules = parse_plain_acl("accounts:\n- {accessKey: abcdefg, secretKey: abcdefgh, topicPerms: , groupPerms: null}\n", "p.yml");
  ASSERT_TRUE(rules) << rules.error().text;
}

// Text that refers to itself, and deep nesting, are refused or read, never followed for ever.
TEST(PlainAcl, HostileText) {
  EXPECT_FALSE(parse_plain_acl("accounts: &a\n  - *a\n", "p.yml"));
  const auto deep = parse_plain_acl("accounts: " + std::string(100'000, '['), "p.yml");
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().text.find("nested deeper"), std::string::npos) << deep.error().text;
  EXPECT_FALSE(parse_plain_acl(std::string("accounts:\n  - \0 x: y", 19), "p.yml"));
}

}  // namespace
}  // namespace gantry::acl
