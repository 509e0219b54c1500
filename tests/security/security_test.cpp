// The kernel between protocols and an access-control plugin: what it keeps, for how long, and what it writes down.
#include "kernel/security/security.hpp"

#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <set>

namespace gantry::security {
namespace {

// A plugin whose rules are a set of names, and that counts how often it is asked.
struct Plugin {
  std::set<std::string, std::less<>> allowed;
  std::uint32_t asked = 0;
  std::string last_name;

  static Plugin &of(void *self) { return *static_cast<Plugin *>(self); }
};

constexpr gantry_auth_v1 kPlugin = {
    .authenticate = [](void *, std::uint32_t, const gantry_credentials *, gantry_login *out) noexcept { *out = {7, GANTRY_LOGIN_OK, 0}; },
    .verify =
        [](void *, std::uint32_t, const gantry_signed_request *, std::uint32_t n, gantry_login *out) noexcept {
          for (std::uint32_t i = 0; i < n; ++i) out[i] = {7, GANTRY_LOGIN_OK, 0};
        },
    .authorize =
        [](void *self, std::uint32_t, gantry_principal who, const gantry_peer *, const gantry_authz *items, std::uint32_t n, std::uint32_t *decisions) noexcept {
          for (std::uint32_t i = 0; i < n; ++i) {
            ++Plugin::of(self).asked;
            Plugin::of(self).last_name = view(items[i].name);
            decisions[i] = who == 7 && Plugin::of(self).allowed.contains(view(items[i].name)) ? GANTRY_DECISION_ALLOW : GANTRY_DECISION_NO_RULE;
          }
        },
    .name = [](void *, gantry_principal, char *, std::uint32_t) noexcept -> std::uint32_t { return 0; },
    .sign = [](void *, std::uint32_t, gantry_str, gantry_str, char *, char *) noexcept -> std::int32_t { return GANTRY_E_UNSUPPORTED; },
    .reload = [](void *, gantry_error *) noexcept -> std::int32_t { return GANTRY_OK; },
};

class SecurityTest : public testing::Test {
 protected:
  SecurityTest() {
    security_.use(kPlugin, &plugin_);
    peer_.ip_bytes = 4;
    peer_.ip[0] = 10;
    peer_.text = str("10.0.0.0:1");
  }
  std::int32_t check(std::vector<gantry_authz> items, gantry_principal who = 7, std::uint32_t shard = 0) {
    gantry_access access{};
    access.who = who;
    access.peer = &peer_;
    access.request = str("TEST");
    access.items = items.data();
    access.n_items = static_cast<std::uint32_t>(items.size());
    return security_.check(shard, access, refused_, decision_);
  }
  static gantry_authz topic(std::string_view name, std::uint32_t actions = GANTRY_ACTION_PUB) { return {GANTRY_RESOURCE_TOPIC, actions, str(name), 0}; }

  Plugin plugin_;
  Security security_{"c1", AuditLevel::kRefusals, 2};
  gantry_peer peer_{};
  std::uint32_t refused_ = 99, decision_ = 99;
};

TEST_F(SecurityTest, DecisionsAreKept) {
  plugin_.allowed = {"a"};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(check({topic("a")}), GANTRY_OK);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(check({topic("b")}), GANTRY_E_DENIED);
  EXPECT_EQ(plugin_.asked, 2u);
}

TEST_F(SecurityTest, EachThatDiffersIsAskedAbout) {
  plugin_.allowed = {"a"};
  EXPECT_EQ(check({topic("a")}), GANTRY_OK);
  EXPECT_EQ(check({topic("a")}, 8), GANTRY_E_DENIED);                 // another user
  EXPECT_EQ(check({topic("a", GANTRY_ACTION_SUB)}), GANTRY_OK);       // another action
  EXPECT_EQ(check({{GANTRY_RESOURCE_GROUP, GANTRY_ACTION_PUB, str("a"), 0}}), GANTRY_OK);
  peer_.ip[3] = 9;
  EXPECT_EQ(check({topic("a")}), GANTRY_OK);                          // another address
  EXPECT_EQ(check({topic("a")}, 7, 1), GANTRY_OK);                    // another shard
  EXPECT_EQ(plugin_.asked, 6u);
}

TEST_F(SecurityTest, ChangedRulesHoldAtOnce) {
  EXPECT_EQ(check({topic("a")}), GANTRY_E_DENIED);
  plugin_.allowed = {"a"};
  EXPECT_EQ(check({topic("a")}), GANTRY_E_DENIED);  // kept: the plugin said nothing
  security_.policies_changed();
  EXPECT_EQ(check({topic("a")}), GANTRY_OK);
  plugin_.allowed.clear();
  security_.policies_changed();
  EXPECT_EQ(check({topic("a")}), GANTRY_E_DENIED);
}

TEST_F(SecurityTest, AllItemsMustBeAllowed) {
  plugin_.allowed = {"a", "c"};
  EXPECT_EQ(check({topic("a"), topic("b"), topic("c")}), GANTRY_E_DENIED);
  EXPECT_EQ(refused_, 1u);
  EXPECT_EQ(decision_, GANTRY_DECISION_NO_RULE);
  EXPECT_EQ(check({topic("a"), topic("c")}), GANTRY_OK);
  EXPECT_EQ(check({}), GANTRY_OK);
}

TEST_F(SecurityTest, AClusterWithoutANameIsOurs) {
  plugin_.allowed = {"c1"};
  EXPECT_EQ(check({{GANTRY_RESOURCE_CLUSTER, GANTRY_ACTION_GET, {}, 0}}), GANTRY_OK);
  EXPECT_EQ(plugin_.last_name, "c1");
}

// More names than places: every answer is still the plugin's.
TEST_F(SecurityTest, ManyNamesAreAnsweredRight) {
  for (int i = 0; i < 10'000; i += 2) plugin_.allowed.insert("topic-" + std::to_string(i));
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 10'000; ++i) {
      const std::string name = "topic-" + std::to_string(i);
      ASSERT_EQ(check({topic(name)}), i % 2 == 0 ? GANTRY_OK : GANTRY_E_DENIED) << name;
    }
}

TEST(Audit, Texts) {
  EXPECT_EQ(action_text(GANTRY_ACTION_PUB | GANTRY_ACTION_GET), "Pub or Get");
  EXPECT_EQ(resource_text({GANTRY_RESOURCE_TOPIC, 0, str("a\nb\""), 0}), "Topic:a?b?");
  EXPECT_EQ(resource_text({77, 0, str("x"), 0}), "?:x");
}

class AuditLines : public testing::Test {
 protected:
  void line(Audit &audit, std::uint32_t actions, bool allowed) {
    gantry_peer peer{};
    peer.text = str("10.0.0.1:5");
    const gantry_authz item{GANTRY_RESOURCE_TOPIC, actions, str("t"), 0};
    gantry_access access{7, &peer, str("SOME_REQUEST"), &item, 1, 0};
    if (allowed && audit.wants(access))
      audit.allowed("ann", access);
    else if (!allowed)
      audit.access_refused("ann", access, item, GANTRY_DECISION_DENY);
  }
};

TEST_F(AuditLines, RefusalsSayWhoWhatAndWhy) {
  Audit audit(AuditLevel::kRefusals);
  testing::internal::CaptureStderr();
  line(audit, GANTRY_ACTION_PUB, false);
  gantry_peer peer{};
  peer.text = str("10.0.0.1:5");
  audit.login_refused("bob\x1b[31m", peer, "SEND_MESSAGE_V2", GANTRY_LOGIN_WRONG);
  audit.login_refused("", peer, "HEART_BEAT", GANTRY_LOGIN_MISSING);
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_NE(out.find("refused: \"ann\" from 10.0.0.1:5, SOME_REQUEST: Pub on Topic:t: a rule denies it"), std::string::npos) << out;
  EXPECT_NE(out.find("refused: \"bob?[31m\" from 10.0.0.1:5, SEND_MESSAGE_V2: wrong signature or secret"), std::string::npos) << out;
  EXPECT_NE(out.find("refused: nobody from 10.0.0.1:5, HEART_BEAT: no access key"), std::string::npos) << out;
}

TEST_F(AuditLines, ChangesOnlyWhereWanted) {
  testing::internal::CaptureStderr();
  Audit refusals(AuditLevel::kRefusals), changes(AuditLevel::kChanges), off(AuditLevel::kOff);
  line(refusals, GANTRY_ACTION_DELETE, true);
  line(off, GANTRY_ACTION_DELETE, true);
  line(off, GANTRY_ACTION_DELETE, false);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStderr();
  line(changes, GANTRY_ACTION_PUB, true);
  line(changes, GANTRY_ACTION_SUB | GANTRY_ACTION_UPDATE, true);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStderr();
  line(changes, GANTRY_ACTION_DELETE, true);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("allowed: \"ann\" from 10.0.0.1:5, SOME_REQUEST: Delete on Topic:t"), std::string::npos);
}

// The second may end while lines are written, so twice as many are possible and never all.
TEST_F(AuditLines, AFloodIsCut) {
  Audit audit(AuditLevel::kRefusals);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 2000; ++i) line(audit, GANTRY_ACTION_PUB, false);
  const std::string out = testing::internal::GetCapturedStderr();
  std::size_t lines = 0;
  for (std::size_t at = out.find("refused:"); at != std::string::npos; at = out.find("refused:", at + 1)) ++lines;
  EXPECT_GE(lines, Audit::kLinesPerSecond);
  EXPECT_LT(lines, 1000u);
}

}  // namespace
}  // namespace gantry::security
