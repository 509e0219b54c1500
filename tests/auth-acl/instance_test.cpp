// A running instance: logins, reload, limits, its own user; between a fake host and a fake of the kernel's access control.
#include "instance.hpp"

#include "support/fake_host.h"
#include "support/test_util.h"

#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gantry::acl {
namespace {

std::atomic<int> policies_changed{0};
constexpr gantry_security_v1 kSecurity = {
    .required = nullptr, .verify = nullptr, .login = nullptr, .check = nullptr, .name = nullptr, .sign = nullptr, .policies_changed = [](const gantry_host *) noexcept { ++policies_changed; }};

constexpr const char *kRules = "[[user]]\nname = \"ann\"\nsecret = \"secret-of-ann\"\n[[user.policy]]\nresources = [\"Topic:a\"]\nactions = [\"Pub\"]\n"
                               "[[user]]\nname = \"gone\"\nsecret = \"secret-of-gone\"\nstatus = \"disable\"\n";

class InstanceTest : public testing::Test {
 protected:
  InstanceTest() {
    char folder[] = "/tmp/gantry-acl-XXXXXX";
    EXPECT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    host_.add_table(GANTRY_SECURITY_ID, &kSecurity);
    options_.file = folder_ + "/acl.toml";
    options_.login_failures = 3;
    options_.login_lock_ms = 60'000;
    peer_ = *parse_peer("10.0.0.1");
    peer_.text = str("10.0.0.1:5000");
  }
  ~InstanceTest() override {
    instance_.reset();
    std::filesystem::remove_all(folder_);
  }
  void write(const std::string &text) {
    std::ofstream(options_.file + ".new") << text;
    std::filesystem::rename(options_.file + ".new", options_.file);
  }
  Result<void> start() {
    instance_ = std::make_unique<Instance>(host_.abi(), options_);
    EXPECT_EQ(instance_->missing_table(), nullptr);
    return instance_->start();
  }
  gantry_login verify(std::string_view user, std::string_view secret, const char *from = nullptr) {
    char signature[kSignatureBytes];
    SigningKey(secret).sign("content", "body", signature);
    gantry_peer peer = from != nullptr ? *parse_peer(from) : peer_;
    peer.text = str("somewhere");
    gantry_signed_request request{};
    request.access_key = str(user);
    request.signature = str({signature, sizeof signature});
    request.content = str("content");
    request.body = str("body");
    request.peer = &peer;
    gantry_login out{99, 99, 0};
    instance_->verify(0, request, out);
    return out;
  }
  std::uint32_t authorize(gantry_principal who, std::string_view topic) {
    return instance_->authorize(0, who, peer_, {GANTRY_RESOURCE_TOPIC, GANTRY_ACTION_PUB, str(topic), 0});
  }

  test::FakeHost host_{1};
  std::string folder_;
  Options options_;
  gantry_peer peer_{};
  std::unique_ptr<Instance> instance_;
};

TEST_F(InstanceTest, Logins) {
  write(kRules);
  ASSERT_TRUE(start());
  const gantry_login ann = verify("ann", "secret-of-ann");
  EXPECT_EQ(ann.outcome, GANTRY_LOGIN_OK);
  EXPECT_NE(ann.principal, 0u);
  char name[16];
  ASSERT_EQ(instance_->name(ann.principal, name, sizeof name), 3u);
  EXPECT_EQ(std::string_view(name, 3), "ann");
  EXPECT_EQ(instance_->name(77, name, sizeof name), 0u);
  EXPECT_EQ(verify("", "").outcome, GANTRY_LOGIN_MISSING);
  EXPECT_EQ(verify("bob", "secret-of-ann").outcome, GANTRY_LOGIN_UNKNOWN);
  EXPECT_EQ(verify("ann", "secret-of-bob").outcome, GANTRY_LOGIN_WRONG);
  EXPECT_EQ(verify("ann", "secret-of-bob").principal, 0u);
  EXPECT_EQ(verify("gone", "secret-of-gone").outcome, GANTRY_LOGIN_DISABLED);
  EXPECT_EQ(verify("gone", "wrong-secret").outcome, GANTRY_LOGIN_WRONG);  // says nothing of the user
  EXPECT_EQ(verify("$broker", "").outcome, GANTRY_LOGIN_WRONG);
  EXPECT_EQ(verify("$trusted", "").outcome, GANTRY_LOGIN_UNKNOWN);
  EXPECT_EQ(authorize(ann.principal, "a"), GANTRY_DECISION_ALLOW);
  EXPECT_EQ(authorize(ann.principal, "b"), GANTRY_DECISION_NO_RULE);
  EXPECT_EQ(authorize(0, "a"), GANTRY_DECISION_NO_RULE);
  EXPECT_EQ(authorize(77, "a"), GANTRY_DECISION_NO_RULE);
}

TEST_F(InstanceTest, PasswordsAndCertificates) {
  write(kRules);
  ASSERT_TRUE(start());
  const auto login = [this](std::uint32_t kind, const char *name, const char *secret) {
    const gantry_credentials credentials{kind, 0, str(name), str(secret), &peer_};
    gantry_login out{};
    instance_->authenticate(0, credentials, out);
    return out.outcome;
  };
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "ann", "secret-of-ann"), GANTRY_LOGIN_OK);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "ann", "secret-of-anna"), GANTRY_LOGIN_WRONG);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "ann", ""), GANTRY_LOGIN_WRONG);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "", "secret-of-ann"), GANTRY_LOGIN_MISSING);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_TLS, "ann", ""), GANTRY_LOGIN_OK);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_TLS, "bob", ""), GANTRY_LOGIN_UNKNOWN);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "gone", "secret-of-gone"), GANTRY_LOGIN_DISABLED);
  EXPECT_EQ(login(GANTRY_CREDENTIALS_PASSWORD, "$broker", ""), GANTRY_LOGIN_UNKNOWN);
}

TEST_F(InstanceTest, AddressesThatNeedNoSignature) {
  write("trusted_addresses = [\"10.9.0.0/16\"]\n[[user]]\nname = \"ann\"\nsecret = \"secret-of-ann\"\nunsigned_from = [\"10.8.0.1\"]\n");
  ASSERT_TRUE(start());
  const gantry_login trusted = verify("", "", "10.9.1.2");
  EXPECT_EQ(trusted.outcome, GANTRY_LOGIN_OK);
  EXPECT_EQ(authorize(trusted.principal, "anything"), GANTRY_DECISION_ALLOW);
  const gantry_login ann = verify("ann", "whatever", "10.8.0.1");
  EXPECT_EQ(ann.outcome, GANTRY_LOGIN_OK);
  EXPECT_EQ(authorize(ann.principal, "anything"), GANTRY_DECISION_NO_RULE);
  EXPECT_EQ(verify("ann", "whatever", "10.8.0.2").outcome, GANTRY_LOGIN_WRONG);
}

TEST_F(InstanceTest, TooManyFailures) {
  write(kRules);
  ASSERT_TRUE(start());
  host_.freeze_clock(1'700'000'000'000);
  host_.turn();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(verify("ann", "wrong-secret").outcome, GANTRY_LOGIN_WRONG);
  EXPECT_EQ(verify("ann", "secret-of-ann").outcome, GANTRY_LOGIN_LOCKED);
  EXPECT_EQ(verify("ann", "secret-of-ann", "10.0.0.2").outcome, GANTRY_LOGIN_OK);
  host_.advance_ms(60'000);
  host_.turn();
  EXPECT_EQ(verify("ann", "secret-of-ann").outcome, GANTRY_LOGIN_OK);
}

TEST_F(InstanceTest, ReloadTakesAllRulesOrNone) {
  write(kRules);
  ASSERT_TRUE(start());
  const gantry_principal ann = verify("ann", "secret-of-ann").principal;
  const int before = policies_changed;
  write("[[user]]\nname = \"new\"\nsecret = \"secret-of-new\"\n[[user]]\nname = \"ann\"\nsecret = \"short\"\n");
  const Result<void> refused = instance_->reload();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("acl.toml:6: "), std::string::npos) << refused.error().text;
  EXPECT_EQ(policies_changed, before);
  EXPECT_EQ(verify("ann", "secret-of-ann").outcome, GANTRY_LOGIN_OK);
  EXPECT_EQ(verify("new", "secret-of-new").outcome, GANTRY_LOGIN_UNKNOWN);

  write("[[user]]\nname = \"new\"\nsecret = \"secret-of-new\"\n[[user]]\nname = \"ann\"\nsecret = \"another-secret\"\n[[user.policy]]\nresources = [\"Topic:b\"]\nactions = [\"Pub\"]\n");
  ASSERT_TRUE(instance_->reload());
  EXPECT_EQ(policies_changed, before + 1);
  EXPECT_EQ(verify("ann", "secret-of-ann").outcome, GANTRY_LOGIN_WRONG);
  EXPECT_EQ(verify("ann", "another-secret").principal, ann) << "a user keeps the number";
  EXPECT_EQ(authorize(ann, "a"), GANTRY_DECISION_NO_RULE);
  EXPECT_EQ(authorize(ann, "b"), GANTRY_DECISION_ALLOW);

  write("[[user]]\nname = \"new\"\nsecret = \"secret-of-new\"\n");
  ASSERT_TRUE(instance_->reload());
  EXPECT_EQ(authorize(ann, "b"), GANTRY_DECISION_NO_RULE) << "who is gone may do nothing";
  std::filesystem::remove(options_.file);
  EXPECT_FALSE(instance_->reload());
  EXPECT_EQ(verify("new", "secret-of-new").outcome, GANTRY_LOGIN_OK);
}

TEST_F(InstanceTest, AChangedFileIsSeen) {
  write(kRules);
  options_.reload_period_ms = 5;
  ASSERT_TRUE(start());
  EXPECT_EQ(verify("new", "secret-of-new").outcome, GANTRY_LOGIN_UNKNOWN);
  write("[[user]]\nname = \"new\"\nsecret = \"secret-of-new\"\n");
  EXPECT_TRUE(test::poll_until([this] { return verify("new", "secret-of-new").outcome == GANTRY_LOGIN_OK; }, 10'000));
  write("nonsense");
  EXPECT_TRUE(test::poll_until([this] { return host_.logged("the rules stay as they were: " + options_.file + ":1:"); }, 10'000));
  EXPECT_EQ(verify("new", "secret-of-new").outcome, GANTRY_LOGIN_OK);
  instance_->stop();
}

TEST_F(InstanceTest, TheFirstStartMakesAnAdministrator) {
  ASSERT_TRUE(start());
  auto rules = load_rules(options_.file);
  ASSERT_TRUE(rules);
  const gantry_login admin = verify("admin", (*rules)->find("admin")->secret);
  EXPECT_EQ(admin.outcome, GANTRY_LOGIN_OK);
  EXPECT_EQ(authorize(admin.principal, "anything"), GANTRY_DECISION_ALLOW);
  EXPECT_TRUE(host_.logged(options_.file));
  EXPECT_FALSE(host_.logged((*rules)->find("admin")->secret)) << "the secret is in the log";
}

TEST_F(InstanceTest, AFileThatOthersReadIsComplainedAbout) {
  write(kRules);
  std::filesystem::permissions(options_.file, std::filesystem::perms(0644));
  ASSERT_TRUE(start());
  EXPECT_TRUE(host_.logged("chmod 600 " + options_.file));
}

TEST_F(InstanceTest, RefusesToStartWithoutRules) {
  write("nonsense");
  EXPECT_FALSE(start());
  options_.file = folder_ + "/plain_acl.yml";  // of which none is made
  const Result<void> started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, GANTRY_E_NOT_FOUND);
  EXPECT_FALSE(std::filesystem::exists(options_.file));
}

TEST_F(InstanceTest, TheBrokerSignsAsItself) {
  write(kRules);
  ASSERT_TRUE(start());
  char access_key[256], signature[32];
  const auto accepted = [&](const std::string &content) {
    gantry_signed_request request{};
    request.access_key = str(access_key);
    request.signature = str(signature);
    request.content = str(content);
    request.body = str("body");
    request.peer = &peer_;
    gantry_login out{};
    instance_->verify(0, request, out);
    return out;
  };
  ASSERT_EQ(instance_->sign(0, str("content"), str("body"), access_key, signature), GANTRY_OK);
  const gantry_login login = accepted(std::string(access_key) + "content");
  EXPECT_EQ(login.outcome, GANTRY_LOGIN_OK);
  EXPECT_EQ(authorize(login.principal, "anything"), GANTRY_DECISION_ALLOW);
  EXPECT_EQ(accepted("content").outcome, GANTRY_LOGIN_WRONG);

  options_.own_user = "ann";
  ASSERT_TRUE(start());
  ASSERT_EQ(instance_->sign(0, str("content"), str("body"), access_key, signature), GANTRY_OK);
  EXPECT_STREQ(access_key, "ann");
  EXPECT_EQ(accepted("anncontent").outcome, GANTRY_LOGIN_OK);
  options_.own_user = "nobody";
  const Result<void> started = start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().text.find("\"nobody\""), std::string::npos);
}

}  // namespace
}  // namespace gantry::acl
