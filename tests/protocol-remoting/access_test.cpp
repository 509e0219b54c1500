// What each request needs, what clients sign, and that nothing passes without it. The kernel's part is a fake that allows what a test says.
#include "access/access_rules.hpp"
#include "access/gate.hpp"
#include "access/needed.hpp"
#include "access/signed_content.hpp"
#include "remoting_fixture.hpp"

#include <gantry++/str.hpp>

#include <set>

namespace gantry::remoting::test {
namespace {

struct Code {
  std::int32_t number;
  const char *name;
};
constexpr Code kCodes[] = {
#define GANTRY_REQUEST(constant, number, name, doc) {number, name},
#include "codec/request_codes.inc"
#undef GANTRY_REQUEST
};

std::string text_of(const gantry_authz &item) {
  constexpr const char *kTypes[] = {"?", "Topic", "Group", "Cluster"};
  constexpr const char *kActions[] = {"Pub", "Sub", "Create", "Update", "Delete", "Get", "List"};
  std::string out = std::string(kTypes[item.resource_type]) + ":" + std::string(view(item.name));
  for (std::uint32_t i = 0; i < std::size(kActions); ++i)
    if ((item.actions >> i & 1u) != 0) out += std::string(" ") + kActions[i];
  return out;
}

// What a request with these fields needs, "Topic:T Pub, Group:G Sub".
std::string needs(std::int32_t code, const Fields &fields, const std::string &body = {}) {
  Scratch scratch(kHeaderMaxBytes);
  auto header = std::make_unique<Header>();
  const std::string text = java_header(code, 1, fields);
  EXPECT_EQ(decode_json_header(text, scratch, *header), nullptr);
  Needed needed;
  std::string out;
  for (const gantry_authz &item : needed.of(*header, body)) out += (out.empty() ? "" : ", ") + text_of(item);
  return out;
}

TEST(Access, EveryRequestCodeHasARule) {
  for (const Code &code : kCodes) EXPECT_FALSE(access_rules(code.number).empty()) << code.name << " (" << code.number << ") has no row in access.inc";
  std::set<std::int32_t> known;
  for (const Code &code : kCodes) known.insert(code.number);
  for (const AccessRule &rule : all_access_rules()) {
    EXPECT_TRUE(known.contains(rule.code)) << rule.code;
    EXPECT_NE(rule.actions, 0u) << rule.code;
  }
  EXPECT_TRUE(access_rules(9999).empty());
  EXPECT_TRUE(access_rules(-1).empty());
  EXPECT_TRUE(access_rules(INT32_MAX).empty());
}

TEST(Access, Sends) {
  EXPECT_EQ(needs(kSendMessageV2, {{"a", "P"}, {"b", "T"}, {"c", "TBW102"}}), "Topic:T Pub");
  EXPECT_EQ(needs(kSendMessage, {{"topic", "T"}, {"producerGroup", "P"}}), "Topic:T Pub");
  // As decode_send_header reads it: one letter goes before the long name, also of the other code.
  EXPECT_EQ(needs(kSendMessage, {{"topic", "mine"}, {"b", "other"}}), "Topic:other Pub");
  EXPECT_EQ(needs(kSendMessageV2, {{"topic", "T"}}), "Topic:T Pub");
  EXPECT_EQ(needs(kSendBatchMessage, {{"b", "T"}}), "Topic:T Pub");
  EXPECT_EQ(needs(kSendMessageV2, {{"b", "%RETRY%G"}, {"a", "another"}}), "Group:G Sub");
  EXPECT_EQ(needs(kSendMessageV2, {}), "Topic: Pub");
  EXPECT_EQ(needs(kSendMessageV2, {{"b", "RMQ_SYS_TRACE_TOPIC"}}), "");  // every user may write traces
  EXPECT_EQ(needs(kPullMessage, {{"topic", "RMQ_SYS_TRACE_TOPIC"}, {"consumerGroup", "G"}}), "Topic:RMQ_SYS_TRACE_TOPIC Sub, Group:G Sub");
}

TEST(Access, Consuming) {
  EXPECT_EQ(needs(kPullMessage, {{"topic", "T"}, {"consumerGroup", "G"}}), "Topic:T Sub, Group:G Sub");
  EXPECT_EQ(needs(kPullMessage, {{"topic", "%RETRY%G"}, {"consumerGroup", "G"}}), "Group:G Sub, Group:G Sub");
  EXPECT_EQ(needs(kPullMessage, {{"topic", "%RETRY%other"}, {"consumerGroup", "G"}}), "Group:other Sub, Group:G Sub");
  EXPECT_EQ(needs(kUpdateConsumerOffset, {{"topic", "T"}, {"consumerGroup", "G"}}), "Topic:T Sub Update, Group:G Sub Update");
  EXPECT_EQ(needs(kUnregisterClient, {{"producerGroup", "P"}}), "");
  EXPECT_EQ(needs(kUnregisterClient, {{"consumerGroup", "G"}}), "Group:G Sub");
  EXPECT_EQ(needs(kEndTransaction, {}), "");
  EXPECT_EQ(needs(kEndTransaction, {{"topic", "T"}}), "Topic:T Pub");
  EXPECT_EQ(needs(kGetRouteinfoByTopic, {{"topic", "T"}}), "Topic:T Pub Sub Get");
  EXPECT_EQ(needs(kGetRouteinfoByTopic, {{"topic", "TBW102"}}), "");
}

TEST(Access, Acknowledging) {
  EXPECT_EQ(needs(kAckMessage, {{"topic", "T"}, {"consumerGroup", "G"}}), "Topic:T Sub, Group:G Sub");
  EXPECT_EQ(needs(kAckMessage, {{"topic", "%RETRY%G_T"}, {"consumerGroup", "G"}}), "Group:G Sub, Group:G Sub");
  EXPECT_EQ(needs(kAckMessage, {{"topic", "%RETRY%G+T"}, {"consumerGroup", "G"}}), "Group:G Sub, Group:G Sub");
  EXPECT_EQ(needs(kAckMessage, {{"topic", "%RETRY%Gx"}, {"consumerGroup", "G"}}), "Group:Gx Sub, Group:G Sub");
  EXPECT_EQ(needs(kPullMessage, {{"topic", "%RETRY%G_T"}, {"consumerGroup", "G"}}), "Group:G_T Sub, Group:G Sub");
  EXPECT_EQ(needs(kBatchAckMessage, {}, R"({"acks":[{"c":"G","t":"T","r":"0"},{"consumerGroup":"H","topic":"U"}]})"), "Group:G Sub, Topic:T Sub, Group:H Sub, Topic:U Sub");
}

TEST(Access, Bodies) {
  EXPECT_EQ(needs(kHeartBeat, {}, R"({"clientID":"c","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[{"groupName":"G","subscriptionDataSet":[{"topic":"T"},{"topic":"%RETRY%G"}]}]})"),
            "Group:G Sub, Topic:T Sub, Group:G Sub");
  EXPECT_EQ(needs(kHeartBeat, {}, R"({"clientID":"c","producerDataSet":[{"groupName":"P"}],"consumerDataSet":[]})"), "");
  EXPECT_EQ(needs(kLockBatchMq, {}, R"({"consumerGroup":"G","mqSet":[{"topic":"T"},{"topic":"U"}]})"), "Group:G Sub, Topic:T Sub, Topic:U Sub");
  EXPECT_EQ(needs(kUpdateAndCreateTopicList, {}, R"({"topicConfigList":[{"topicName":"T"},{"topicName":"U"}]})"), "Topic:T Create, Topic:U Create");
  EXPECT_EQ(needs(kUpdateAndCreateSubscriptiongroup, {}, R"({"groupName":"G"})"), "Group:G Create");
  EXPECT_EQ(needs(kQueryAssignment, {}, R"({"topic":"T","consumerGroup":"G"})"), "Topic:T Sub, Group:G Sub");
  // What cannot be read needs the right to everything.
  for (const char *damaged : {"", "[]", "{\"consumerGroup\":", "7"}) {
    EXPECT_EQ(needs(kLockBatchMq, {}, damaged), "Cluster: Update") << damaged;
    EXPECT_EQ(needs(kHeartBeat, {}, damaged), "Cluster: Update") << damaged;
  }
  EXPECT_EQ(needs(9999, {}), "Cluster: Update");
}

std::string signed_content(const std::string &header_text, std::string_view left_out = {}) {
  Scratch scratch(kHeaderMaxBytes);
  auto header = std::make_unique<Header>();
  EXPECT_EQ(decode_json_header(header_text, scratch, *header), nullptr) << header_text;
  std::string out;
  append_signed_content(*header, left_out, out);
  return out;
}

TEST(SignedContent, ValuesByAscendingName) {
  const Fields fields = {{"topic", "7"}, {"b", "4"}, {"Signature", "not this"}, {"AccessKey", "1"}, {"bname", "5"}, {"a", "3"}, {"c", "6"}, {"SecurityToken", "2"}};
  EXPECT_EQ(signed_content(java_header(310, 1, fields)), "1234567");
  EXPECT_EQ(signed_content(java_header(310, 1, fields), "SecurityToken"), "134567");
  EXPECT_EQ(signed_content(java_header(12, 1, {{"topic", "t"}, {"_UNIQUE_KEY_QUERY", "u"}, {"AccessKey", "A"}, {"key", "k"}})), "Aukt");
  EXPECT_EQ(signed_content(java_header(34, 1, {{"AccessKey", "A"}, {"Signature", "s"}})), "A");
  EXPECT_EQ(signed_content(java_header(34, 1, {})), "");
}

TEST(SignedContent, AsTheHandlersSeeTheFields) {
  // A repeated field: the last one counts, for the signature as for the handlers.
  EXPECT_EQ(signed_content(R"({"code":310,"extFields":{"b":"first","topic":"x","b":"last","topic":"y"}})"), "lasty");
  EXPECT_EQ(signed_content(R"({"code":310,"extFields":{"n":5,"yes":true,"none":null,"text":"A\u00e4"}})"), "5A\xc3\xa4true");
}

TEST(SignedContent, OfTheBinaryForm) {
  auto header = std::make_unique<Header>();
  const std::string bytes = binary_header(310, 1, {{"topic", "7"}, {"b", "4"}, {"AccessKey", "1"}, {"a", "3"}});
  ASSERT_EQ(decode_binary_header(bytes, *header), nullptr);
  std::string out;
  append_signed_content(*header, {}, out);
  EXPECT_EQ(out, "1347");
}

// ---- through the component, the kernel's access control a fake

struct FakeSecurity {
  std::set<std::string, std::less<>> users, allowed;  // "Topic:T Pub"
  std::uint32_t outcome = GANTRY_LOGIN_WRONG;         // of those who are no users
  bool required = true;
  std::vector<std::string> requests;
  std::string content, other;

  static inline FakeSecurity *now = nullptr;
  static std::int32_t check(const gantry_access &access, std::uint32_t *refused, std::uint32_t *decision) {
    for (std::uint32_t i = 0; i < access.n_items; ++i) {
      bool fine = now->allowed.contains("*");
      for (std::uint32_t action = 1; action < GANTRY_ACTION_ALL && !fine; action <<= 1) {
        gantry_authz one = access.items[i];
        one.actions &= action;
        fine = one.actions != 0 && now->allowed.contains(text_of(one));
      }
      if (fine) continue;
      *refused = i;
      *decision = GANTRY_DECISION_NO_RULE;
      return GANTRY_E_DENIED;
    }
    return GANTRY_OK;
  }
};

constexpr gantry_security_v1 kFakeSecurity = {
    .required = [](const gantry_host *) noexcept -> std::int32_t { return FakeSecurity::now->required ? 1 : 0; },
    .verify =
        [](const gantry_host *, std::uint32_t, const gantry_signed_request *reqs, std::uint32_t, gantry_login *out) noexcept {
          FakeSecurity::now->requests.emplace_back(view(reqs[0].request));
          FakeSecurity::now->content = view(reqs[0].content);
          FakeSecurity::now->other = reqs[0].other_content.p != nullptr ? view(reqs[0].other_content) : "-";
          const bool missing = reqs[0].access_key.n == 0;
          const bool known = FakeSecurity::now->users.contains(view(reqs[0].access_key));
          *out = {known ? 7u : 0u, known ? GANTRY_LOGIN_OK : missing ? GANTRY_LOGIN_MISSING : FakeSecurity::now->outcome, 0};
        },
    .login = [](const gantry_host *, std::uint32_t, const gantry_credentials *, gantry_login *out) noexcept { *out = {}; },
    .check = [](const gantry_host *, std::uint32_t, const gantry_access *access, std::uint32_t *refused, std::uint32_t *decision) noexcept { return FakeSecurity::check(*access, refused, decision); },
    .name = [](const gantry_host *, gantry_principal, char *, std::uint32_t) noexcept -> std::uint32_t { return 0; },
    .sign = [](const gantry_host *, std::uint32_t, gantry_str, gantry_str, char *, char *) noexcept -> std::int32_t { return GANTRY_E_UNSUPPORTED; },
    .policies_changed = [](const gantry_host *) noexcept {},
};

class AccessTest : public RemotingTest {
 protected:
  AccessTest() {
    FakeSecurity::now = &security_;
    host_.add_table(GANTRY_SECURITY_ID, &kFakeSecurity);
  }
  static Fields with_key(Fields fields, const std::string &key = "ann") {
    fields.emplace_back("AccessKey", key);
    fields.emplace_back("Signature", "s");
    return fields;
  }
  // The answer to a send that the broker takes.
  Reply stored(gantry_conn conn, const Fields &fields) {
    EXPECT_EQ(feed(conn, request(kSendMessageV2, 1, fields)), GANTRY_OK);
    EXPECT_EQ(broker_->produced.size(), 1u);
    if (broker_->produced.size() == 1) broker_->complete_produce(0, 0, 0, 0);
    turn();
    return reply(conn);
  }
  FakeSecurity security_;
};

constexpr const char *kWords = "org.apache.rocketmq.acl.common.AclException: ";

TEST_F(AccessTest, RefusalsInRocketMQsWords) {
  start();
  const gantry_conn conn = open();
  const auto remark = [&](const Fields &fields) {
    const Reply r = ask(conn, kSendMessageV2, fields);
    EXPECT_EQ(r.code, kSystemError);
    EXPECT_EQ(r.remark.substr(0, std::string_view(kWords).size()), kWords);
    return r.remark.substr(std::min(r.remark.size(), std::string_view(kWords).size()));
  };
  EXPECT_EQ(remark(send_fields()), "No accessKey is configured");
  EXPECT_EQ(remark(with_key(send_fields())), "Check signature failed for accessKey=ann");
  security_.outcome = GANTRY_LOGIN_UNKNOWN;
  EXPECT_EQ(remark(with_key(send_fields())), "No acl config for ann");
  security_.outcome = GANTRY_LOGIN_DISABLED;
  EXPECT_EQ(remark(with_key(send_fields())), "The accessKey=ann is disabled");
  security_.outcome = GANTRY_LOGIN_LOCKED;
  EXPECT_EQ(remark(with_key(send_fields())), "Too many failed logins of accessKey=ann from this address, try again later");
  security_.users = {"ann"};
  EXPECT_EQ(remark(with_key(send_fields())), "No default permission for topic:T, it needs a policy that allows Pub on Topic:T");
  EXPECT_EQ(ask(conn, kConsumerSendMsgBack, with_key({{"group", "G"}})).remark, std::string(kWords) + "No default permission for group:G, it needs a policy that allows Sub on Group:G");
  EXPECT_EQ(ask(conn, kUpdateAndCreateTopic, with_key({{"topic", "T"}})).remark,
            std::string(kWords) + "Need admin permission for request code=17, but accessKey=ann is not, it needs a policy that allows Create on Topic:T");
  EXPECT_EQ(ask(conn, kUpdateBrokerConfig, with_key({})).remark, std::string(kWords) + "Need admin permission for request code=25, but accessKey=ann is not, it needs a policy that allows Update on Cluster:*");
  EXPECT_EQ(security_.requests.back(), "UPDATE_BROKER_CONFIG");
}

TEST_F(AccessTest, WhatIsAllowedIsServed) {
  security_.users = {"ann"};
  security_.allowed = {"Topic:T Pub"};
  start();
  const gantry_conn conn = open();
  EXPECT_EQ(ask(conn, kSendMessageV2, with_key(send_fields("U"))).code, kSystemError);
  EXPECT_TRUE(broker_->produced.empty());
  EXPECT_EQ(stored(conn, with_key(send_fields())).code, kSuccess);
}

TEST_F(AccessTest, RefusedRequestsBetweenAllowedOnes) {
  security_.users = {"ann"};
  security_.allowed = {"Topic:T Pub"};
  start();
  const gantry_conn conn = open();
  ASSERT_EQ(feed(conn, request(kSendMessageV2, 1, with_key(send_fields())) + request(kSendMessageV2, 2, send_fields()) + request(kSendMessageV2, 3, with_key(send_fields()))), GANTRY_OK);
  ASSERT_EQ(broker_->produced.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) broker_->complete_produce(i, 0, 0, 0);
  turn();
  std::map<std::int32_t, std::int32_t> codes;
  for (const Reply &r : replies(conn)) codes[r.opaque] = r.code;
  EXPECT_EQ(codes, (std::map<std::int32_t, std::int32_t>{{1, kSuccess}, {2, kSystemError}, {3, kSuccess}}));
  // A refused oneway request is not answered.
  ASSERT_EQ(feed(conn, request(kSendMessageV2, 4, send_fields(), {}, 2)), GANTRY_OK);
  turn();
  EXPECT_TRUE(replies(conn).empty());
  EXPECT_EQ(broker_->produced.size(), 2u);
}

TEST_F(AccessTest, OtherContentsOfOlderClients) {
  start();
  const gantry_conn conn = open();
  (void)ask(conn, kQueryMessage, with_key({{"topic", "t"}, {"_UNIQUE_KEY_QUERY", "true"}}));
  EXPECT_EQ(security_.content, "anntruet");
  EXPECT_EQ(security_.other, "annt");
  (void)ask(conn, kSendMessageV2, with_key({{"b", "t"}, {"SecurityToken", "tok"}}));
  EXPECT_EQ(security_.content, "anntokt");
  EXPECT_EQ(security_.other, "annt");
  (void)ask(conn, kSendMessageV2, with_key({{"b", "t"}}));
  EXPECT_EQ(security_.other, "-");
}

TEST_F(AccessTest, AListenerThatNeedsNoneAsksNobody) {
  security_.required = false;
  start();
  EXPECT_EQ(stored(open(), send_fields()).code, kSuccess);
  EXPECT_TRUE(security_.requests.empty());
}

// Every code x {no, wrong, too little right}: refused, and the broker is asked nothing. Generated from the codes, so that a new one is here too.
TEST_F(AccessTest, NoRequestPassesWithoutItsRight) {
  security_.users = {"ann"};
  start();
  const gantry_conn conn = open();
  std::size_t denied = 0;
  for (const Code &code : kCodes) {
    for (const Fields &fields : {Fields{}, with_key({}, "stranger")}) {
      const Reply r = ask(conn, code.number, fields);
      EXPECT_EQ(r.code, kSystemError) << code.name;
      EXPECT_EQ(r.remark.rfind(kWords, 0), 0u) << code.name << ": " << r.remark;
    }
    // A user without any policy. Fields that only some requests need are there, so that none passes for lack of them.
    Fields fields;
    for (const AccessRule &rule : access_rules(code.number))
      if (rule.source == NameSource::kFieldIfGiven) fields.emplace_back(rule.field, "X");
    const Reply r = ask(conn, code.number, with_key(fields));
    EXPECT_EQ(r.code, kSystemError) << code.name;
    EXPECT_EQ(r.remark.rfind(kWords, 0), 0u) << code.name << ": " << r.remark;
    ++denied;
  }
  EXPECT_EQ(denied, std::size(kCodes));
  const Reply unknown = ask(conn, 31'999, with_key({}));
  EXPECT_EQ(unknown.remark.rfind(std::string(kWords) + "Need admin permission for request code=31999", 0), 0u) << unknown.remark;
}

TEST_F(AccessTest, RulesAreNotChangedByRequest) {
  security_.users = {"root"};
  security_.allowed = {"*"};
  start();
  const gantry_conn conn = open();
  for (const std::int32_t code : {50, 51, 52, 53, 54, 3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009, 3010}) {
    const Reply r = ask(conn, code, with_key({}, "root"));
    EXPECT_EQ(r.code, kRequestCodeNotSupported) << code;
    EXPECT_NE(r.remark.find("[auth]"), std::string::npos) << r.remark;
  }
}

}  // namespace
}  // namespace gantry::remoting::test
