// Retries, delays, transactions, traces.
#include "suite.hpp"

#include <algorithm>
#include <atomic>
#include <memory>

namespace interop {

namespace {

void retry_later(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "again", .tags = "TagA", .keys = "k"});
  Inbox &inbox = env.inbox("RETRY_TOPIC");
  inbox.answer = [](const Received &r) { return r.reconsume_times == 0 ? kLater : kConsumed; };
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_count(2, 60);
  const std::vector<Received> all = inbox.all();
  same(0, all[0].reconsume_times, "count at first");
  same(1, all[1].reconsume_times, "count at the second time");
  same("again", all[1].body, "body");
  same("TagA", all[1].tags, "tag");
  same("k", all[1].keys, "key");
  same(env.topic(), all[1].property, "property RETRY_TOPIC");
  const long long waited_ms = all[1].at_ms - all[0].at_ms;
  check(waited_ms >= 9'000 && waited_ms < 40'000, "it came again after " + std::to_string(waited_ms) + " ms, 10 s were to be");
}

void delay_level(Env &env) {
  CProducer *const producer = env.producer();
  Inbox &inbox = env.inbox();
  (void)Env::send(producer, env.topic(), {.body = "now"});
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_count(1, 30);
  const long long begin = now_ms();
  (void)Env::send(producer, env.topic(), {.body = "later", .tags = "TagA", .delay_level = 2});
  inbox.await_count(2, 40);
  const Received r = inbox.all()[1];
  same("later", r.body, "body");
  same("TagA", r.tags, "tag");
  same(env.topic(), r.topic, "topic");
  check(r.at_ms - begin >= 4'900 && r.at_ms - begin < 15'000, "level 2 (5 s) came after " + std::to_string(r.at_ms - begin) + " ms");
}

struct Checks {
  std::atomic<int> asked{0};
  std::atomic<bool> right{true};
};

CTransactionStatus on_check(CProducer *, CMessageExt *message, void *arg) {
  auto &checks = *static_cast<Checks *>(arg);
  ++checks.asked;
  const std::string body = received(message).body;
  if (body != "asked-commit" && body != "asked-rollback") checks.right = false;
  return body == "asked-commit" ? kCommit : kRollback;
}

CTransactionStatus told(CProducer *, CMessage *, void *arg) { return *static_cast<CTransactionStatus *>(arg); }

void transactions(Env &env, const std::vector<std::pair<std::string, CTransactionStatus>> &messages, const std::vector<std::string> &delivered, int questions) {
  if (CreateTransactionProducer == nullptr || SendMessageTransaction == nullptr) throw Missing("this librocketmq.so has no transactions");
  auto *const checks = new Checks;  // asked by the library's threads until the process ends
  // A producer tells brokers of its group when it starts, if its instance knows one by then, and else 30 s later; only then it can be asked.
  const std::string instance = env.new_instance();
  CProducer *const plain = env.start(CreateProducer(env.group("plain").c_str()), instance);
  (void)Env::send(plain, env.topic(), {.body = "first"});
  CProducer *const producer = env.start(CreateTransactionProducer(env.group("p").c_str(), on_check, checks), instance);
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_count(1, 30);
  for (auto [body, status] : messages) {
    CMessage *const message = Env::make(env.topic(), {.body = body, .tags = "TagA", .keys = "key-" + body});
    CSendResult result{};
    const int code = SendMessageTransaction(producer, message, told, &status, &result);
    check(code == 0, "sending " + body + ": " + GetLatestErrorMessage());
    same(0, result.status, "status of " + body);
    DestroyMessage(message);
  }
  std::vector<std::string> expected = delivered;
  expected.push_back("first");
  await([&] { return std::to_string(questions) + " questions, got " + std::to_string(checks->asked); }, 40, [&] { return checks->asked >= questions; });
  inbox.await_exactly(expected, 40);
  check(checks->right, "the producer was asked about what it had ended");
  (void)Env::send(plain, env.topic(), {.body = "last"});
  expected.push_back("last");
  inbox.await_exactly(expected, 30);
  for (const Received &r : inbox.all())
    if (r.body != "first" && r.body != "last") same("key-" + r.body, r.keys, "key of " + r.body);
}

void transaction(Env &env) { transactions(env, {{"commit1", kCommit}, {"rollback1", kRollback}, {"commit2", kCommit}}, {"commit1", "commit2"}, 0); }
void check_back(Env &env) { transactions(env, {{"asked-commit", kUnknown}, {"asked-rollback", kUnknown}}, {"asked-commit"}, 2); }

// Where this client puts its traces, with the region that the broker names.
constexpr const char *kTraceTopic = "rmq_sys_TRACE_DATA_DefaultRegion";

void trace(Env &env) {
  if (SetProducerMessageTrace == nullptr) throw Missing("this librocketmq.so has no message traces");
  CProducer *const producer = CreateProducer(env.group("p").c_str());
  SetProducerMessageTrace(producer, kTraceOpen);
  env.start(producer);
  Inbox &traces = env.inbox();
  (void)Env::send(producer, env.topic(), {.body = "traced", .keys = "traced-key"});
  env.push(env.group("reader"), kTraceTopic, traces);
  const auto found = [&] {
    const std::vector<Received> all = traces.all();
    return std::any_of(all.begin(), all.end(), [&](const Received &r) {
      return r.body.starts_with("Pub\x01") && r.body.find("\x01" + env.topic() + "\x01") != std::string::npos && r.body.find("\x01traced-key\x01") != std::string::npos;
    });
  };
  await([&] { return "the trace of the send among " + std::to_string(traces.all().size()) + " traces"; }, 40, found);
}

}  // namespace

std::vector<Case> feature_cases() {
  return {
      {"cpp_retry_later", 70, retry_later},
      {"cpp_delay_level", 60, delay_level},
      {"cpp_transaction_commit_and_rollback", 90, transaction},
      {"cpp_transaction_check_back", 90, check_back},
      {"cpp_trace", 90, trace},
  };
}

}  // namespace interop
