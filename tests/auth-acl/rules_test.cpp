// Which rule decides, and signatures by known vectors.
#include "rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gantry::acl {
namespace {

Rule rule(const char *resource, std::uint32_t actions, bool allow = true, const char *source = nullptr) {
  Rule out;
  auto parsed = Resource::parse(resource);
  EXPECT_TRUE(parsed) << parsed.error().text;
  out.resource = *parsed;
  out.actions = actions;
  out.allow = allow;
  if (source != nullptr) {
    auto list = std::make_shared<AddressList>();
    EXPECT_TRUE(list->add(source));
    out.sources = list;
  }
  return out;
}

std::uint32_t decision(const User &user, std::uint32_t actions, const char *topic, const char *from = "10.0.0.1") {
  return decide(user, GANTRY_RESOURCE_TOPIC, topic, actions, *parse_peer(from)).decision;
}

constexpr std::uint32_t kAllow = GANTRY_DECISION_ALLOW, kDeny = GANTRY_DECISION_DENY, kNone = GANTRY_DECISION_NO_RULE;
constexpr std::uint32_t kPub = GANTRY_ACTION_PUB, kSub = GANTRY_ACTION_SUB;

TEST(Resources, ParsedAndShown) {
  for (const char *text : {"*", "Topic:a", "Topic:a*", "Topic:*", "Group:%RETRY%x", "Cluster:DefaultCluster"}) {
    const auto parsed = Resource::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->text(), text);
  }
  EXPECT_EQ(Resource::parse("topic:a")->text(), "Topic:a");
  for (const char *wrong : {"", "a", "Topic:", "Queue:a", "Topic:a*b", "Topic:**", ":a"}) {
    const auto parsed = Resource::parse(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_NE(parsed.error().text.find("write \"Topic:orders\""), std::string::npos);
  }
  EXPECT_FALSE(Resource::parse("Topic:" + std::string(256, 'a')));
}

TEST(Decisions, NothingIsAllowedWithoutARule) {
  EXPECT_EQ(decision(User(), kPub, "orders"), kNone);
  User user;
  user.rules = {rule("Group:orders", kPub), rule("Topic:orders", kSub)};
  EXPECT_EQ(decision(user, kPub, "orders"), kNone);
}

TEST(Decisions, SuperMayDoEverything) {
  User user;
  user.super = true;
  user.rules = {rule("*", GANTRY_ACTION_ALL, false)};
  EXPECT_EQ(decision(user, GANTRY_ACTION_DELETE, "orders"), kAllow);
}

TEST(Decisions, TheMostSpecificRuleDecides) {
  User user;
  user.rules = {rule("*", kPub), rule("Topic:*", kPub, false), rule("Topic:or*", kPub), rule("Topic:ord*", kPub, false), rule("Topic:orders", kPub)};
  EXPECT_EQ(decide(user, GANTRY_RESOURCE_GROUP, "g", kPub, *parse_peer("10.0.0.1")).decision, kAllow);  // *
  EXPECT_EQ(decision(user, kPub, "x"), kDeny);                                                        // Topic:*
  EXPECT_EQ(decision(user, kPub, "or"), kAllow);                                                      // Topic:or*
  EXPECT_EQ(decision(user, kPub, "ord"), kDeny);                                                      // Topic:ord*
  EXPECT_EQ(decision(user, kPub, "orders"), kAllow);                                                  // Topic:orders
  std::reverse(user.rules.begin(), user.rules.end());
  EXPECT_EQ(decision(user, kPub, "ord"), kDeny);
  EXPECT_EQ(decision(user, kPub, "orders"), kAllow);
}

TEST(Decisions, OfTwoAlikeTheOneThatDenies) {
  User user;
  user.rules = {rule("Topic:a", kPub), rule("Topic:a", kPub, false)};
  EXPECT_EQ(decision(user, kPub, "a"), kDeny);
  std::reverse(user.rules.begin(), user.rules.end());
  EXPECT_EQ(decision(user, kPub, "a"), kDeny);
}

TEST(Decisions, OneOfTheActionsSuffices) {
  User user;
  user.rules = {rule("Topic:a", kPub), rule("Topic:a", kSub, false)};
  EXPECT_EQ(decision(user, kPub | kSub | GANTRY_ACTION_GET, "a"), kAllow);
  EXPECT_EQ(decision(user, kSub | GANTRY_ACTION_GET, "a"), kDeny);
  EXPECT_EQ(decision(user, GANTRY_ACTION_GET, "a"), kNone);
  EXPECT_EQ(decision(user, 0, "a"), kNone);
}

TEST(Decisions, AllOfATypeNeedsARuleForAll) {
  User user;
  user.rules = {rule("Topic:a*", GANTRY_ACTION_LIST)};
  EXPECT_EQ(decision(user, GANTRY_ACTION_LIST, "*"), kNone);
  user.rules = {rule("Topic:*", GANTRY_ACTION_LIST)};
  EXPECT_EQ(decision(user, GANTRY_ACTION_LIST, "*"), kAllow);
}

TEST(Decisions, ARuleHoldsOnlyForItsAddresses) {
  User user;
  user.rules = {rule("Topic:a", kPub, true, "10.0.0.0/8"), rule("Topic:a", kPub, false, "10.0.0.66")};
  EXPECT_EQ(decision(user, kPub, "a", "10.0.0.1"), kAllow);
  EXPECT_EQ(decision(user, kPub, "a", "10.0.0.66"), kDeny);
  EXPECT_EQ(decision(user, kPub, "a", "192.0.2.1"), kNone);
}

// RFC 2202.
TEST(Signatures, KnownVectors) {
  char out[kSignatureBytes];
  const auto signature = [&out](const std::string &key, std::string_view content, std::string_view body) {
    SigningKey(key).sign(content, body, out);
    return std::string(out, sizeof out);
  };
  EXPECT_EQ(signature(std::string(20, '\x0b'), "Hi There", ""), "thcxhlUFcmTii8C2+zeMjvFGvgA=");  // b617318655057264e28bc0b6fb378c8ef146be00
  EXPECT_EQ(signature("Jefe", "what do ya want ", "for nothing?"), "7/zfauXrL6LSdBbV8YTfnCWafHk=");  // effcdf6ae5eb2fa2d27416d5f184df9c259a7c79
  EXPECT_EQ(signature(std::string(80, '\xaa'), "", "Test Using Larger Than Block-Size Key - Hash Key First"), "qkrl4VJy0A6VcFY3zoo7Ve1AIRI=");  // aa4ae5e15272d00e95705637ce8a3b55ed402112
}

TEST(Signatures, OnlyTheRightOneFits) {
  const SigningKey key("a secret of ours");
  char out[kSignatureBytes];
  key.sign("content", "body", out);
  const std::string right(out, sizeof out);
  EXPECT_TRUE(key.verify("content", "body", right));
  EXPECT_TRUE(key.verify("contentbo", "dy", right));  // one text to the protocol
  EXPECT_FALSE(key.verify("content", "Body", right));
  EXPECT_FALSE(key.verify("content", "body", right.substr(1)));
  EXPECT_FALSE(key.verify("content", "body", right + "="));
  EXPECT_FALSE(key.verify("content", "body", ""));
  for (std::size_t i = 0; i < right.size(); ++i) {
    std::string wrong = right;
    wrong[i] ^= 1;
    EXPECT_FALSE(key.verify("content", "body", wrong)) << i;
  }
  EXPECT_FALSE(SigningKey("another secret").verify("content", "body", right));
}

}  // namespace
}  // namespace gantry::acl
