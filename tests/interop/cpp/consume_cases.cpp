// Push and pull consumers.
#include "suite.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>

namespace interop {

namespace {

// Until every consumer has got a message of its own: the queues are shared.
void await_shared(Env &env, CProducer *producer, const std::vector<Inbox *> &inboxes, int deadline_s) {
  int n = 0;
  await([] { return std::string("each member gets messages"); }, deadline_s, [&] {
    for (int i = 0; i < 4; ++i) (void)Env::send(producer, env.topic(), {.body = "settle" + std::to_string(n++), .tags = "Settle"});
    return std::all_of(inboxes.begin(), inboxes.end(), [](const Inbox *inbox) { return !inbox->all().empty(); });
  });
}

std::vector<std::string> without_settling(const std::vector<Inbox *> &inboxes) {
  std::vector<std::string> out;
  for (const Inbox *inbox : inboxes)
    for (const Received &r : inbox->all())
      if (r.tags != "Settle") out.push_back(r.body);
  std::sort(out.begin(), out.end());
  return out;
}

void clustering(Env &env) {
  CProducer *const producer = env.producer();
  (void)env.send_many(producer, "settle", 4, "Settle");
  Inbox &a = env.inbox(), &b = env.inbox();
  CPushConsumer *const leaving = env.push(env.group("c"), env.topic(), a);
  env.push(env.group("c"), env.topic(), b);
  await_shared(env, producer, {&a, &b}, 60);
  std::vector<std::string> bodies = env.send_many(producer, "shared", 40);
  std::sort(bodies.begin(), bodies.end());
  await([&] { return "40 messages, got " + std::to_string(without_settling({&a, &b}).size()); }, 30, [&] { return without_settling({&a, &b}).size() >= 40; });
  check(without_settling({&a, &b}) == bodies, "the members did not get each message once");
  check(!without_settling({&a}).empty() && !without_settling({&b}).empty(), "one member got everything");
  // A member leaves, the other one takes over.
  env.stop(leaving);
  for (std::string &body : env.send_many(producer, "later", 20)) bodies.push_back(body);
  const auto all = [&] {
    std::vector<std::string> got = without_settling({&a, &b});
    got.erase(std::unique(got.begin(), got.end()), got.end());
    return got;
  };
  std::sort(bodies.begin(), bodies.end());
  await([&] { return "60 messages, got " + std::to_string(all().size()); }, 60, [&] { return all() == bodies; });
}

void two_groups(Env &env) {
  CProducer *const producer = env.producer();
  const std::vector<std::string> bodies = env.send_many(producer, "both", 12);
  Inbox &a = env.inbox(), &b = env.inbox();
  env.push(env.group("a"), env.topic(), a);
  env.push(env.group("b"), env.topic(), b);
  a.await_exactly(bodies, 30);
  b.await_exactly(bodies, 30);
}

void broadcasting(Env &env) {
  CProducer *const producer = env.producer();
  (void)env.send_many(producer, "before", 4, "Settle");
  Inbox &a = env.inbox(), &b = env.inbox();
  env.push(env.group("c"), env.topic(), a, {.broadcasting = true});
  env.push(env.group("c"), env.topic(), b, {.broadcasting = true});
  await_shared(env, producer, {&a, &b}, 30);
  std::vector<std::string> bodies = env.send_many(producer, "to-all", 20);
  std::sort(bodies.begin(), bodies.end());
  for (Inbox *inbox : {&a, &b}) {
    await([&] { return "20 messages, got " + std::to_string(without_settling({inbox}).size()); }, 30, [&] { return without_settling({inbox}).size() >= 20; });
    check(without_settling({inbox}) == bodies, "a member did not get everything once");
  }
}

void tags(Env &env) {
  CProducer *const producer = env.producer();
  for (const char *tag : {"TagA", "TagB", "TagC"})
    for (int i = 0; i < 4; ++i) (void)Env::send(producer, env.topic(), {.body = std::string(tag) + std::to_string(i), .tags = tag});
  Inbox &one = env.inbox(), &two = env.inbox(), &all = env.inbox();
  env.push(env.group("one"), env.topic(), one, {.expression = "TagA"});
  env.push(env.group("two"), env.topic(), two, {.expression = "TagA || TagC"});
  env.push(env.group("all"), env.topic(), all);
  one.await_exactly({"TagA0", "TagA1", "TagA2", "TagA3"}, 30);
  two.await_exactly({"TagA0", "TagA1", "TagA2", "TagA3", "TagC0", "TagC1", "TagC2", "TagC3"}, 30);
  all.await_count(12, 30);
  (void)Env::send(producer, env.topic(), {.body = "later", .tags = "TagC"});
  two.await_count(9, 30);
  same(4u, one.all().size(), "messages of the consumer of TagA");
}

void restart(Env &env) {
  CProducer *const producer = env.producer();
  std::vector<std::string> bodies = env.send_many(producer, "first", 12);
  Inbox &before = env.inbox();
  CPushConsumer *const consumer = env.push(env.group("c"), env.topic(), before);
  before.await_exactly(bodies, 30);
  env.stop(consumer);
  bodies = env.send_many(producer, "second", 12);
  Inbox &after = env.inbox();
  env.push(env.group("c"), env.topic(), after);
  after.await_exactly(bodies, 30);
}

void arrives_at_once(Env &env) {
  CProducer *const producer = env.producer();
  (void)env.send_many(producer, "first", 4);
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_count(4, 30);
  for (int i = 0; i < 4; ++i) {
    const long long begin = now_ms();
    (void)Env::send(producer, env.topic(), {.body = "now"});
    inbox.await_count(5 + static_cast<std::size_t>(i), 30);
    check(inbox.all().back().at_ms - begin < 4000, "the message came after " + std::to_string(inbox.all().back().at_ms - begin) + " ms");
  }
}

void orderly(Env &env) {
  CProducer *const producer = env.producer();
  const auto by_key = [](int queues, CMessage *, void *key) { return *static_cast<int *>(key) % queues; };
  for (int i = 0; i < 60; ++i) {
    int key = i % 6;
    CMessage *const message = Env::make(env.topic(), {.body = std::to_string(i), .keys = "key" + std::to_string(key)});
    CSendResult result{};
    check(SendMessageOrderly(producer, message, by_key, &key, 0, &result) == 0, std::string("orderly send: ") + GetLatestErrorMessage());
    DestroyMessage(message);
  }
  Inbox &inbox = env.inbox();
  // Message 6 is refused once: it comes again before its successor.
  auto refused = std::make_shared<std::atomic<bool>>(false);
  inbox.answer = [refused](const Received &r) { return r.body == "6" && !refused->exchange(true) ? kLater : kConsumed; };
  env.push(env.group("c"), env.topic(), inbox, {.orderly = true, .threads = 4});
  inbox.await_count(61, 40);
  std::map<std::string, int> last;
  int repeated = 0;
  for (const Received &r : inbox.all()) {
    const int n = std::stoi(r.body);
    const auto before = last.find(r.keys);
    if (before == last.end()) same(std::stoi(r.keys.substr(3)), n, "first message of " + r.keys);
    else if (before->second == n) ++repeated;
    else same(before->second + 6, n, "next message of " + r.keys);
    last[r.keys] = n;
  }
  same(1, repeated, "messages that came again");
  same(61u, inbox.all().size(), "messages");
}

void pull(Env &env) {
  CProducer *const producer = env.producer();
  int queue = 1;
  for (int i = 0; i < 10; ++i) {
    CMessage *const message = Env::make(env.topic(), {.body = "m" + std::to_string(i), .tags = i < 5 ? "TagA" : "TagB"});
    CSendResult result{};
    check(SendMessageOrderly(producer, message, [](int, CMessage *, void *at) { return *static_cast<int *>(at); }, &queue, 0, &result) == 0, "send to a queue");
    DestroyMessage(message);
  }
  CPullConsumer *const consumer = env.pull(env.group("c"));
  CMessageQueue *queues = nullptr;
  int size = 0;
  same(0, FetchSubscriptionMessageQueues(consumer, env.topic().c_str(), &queues, &size), "asking for the queues");
  same(4, size, "queues");
  const CMessageQueue *const used = std::find_if(queues, queues + size, [](const CMessageQueue &q) { return q.queue == 1; });
  check(used != queues + size, "queue 1 is missing");
  CPullResult result{};
  await([] { return std::string("10 messages in queue 1"); }, 20, [&] {
    result = Pull(consumer, used, "*", 0, 32);
    if (result.status == kFound && result.size == 10) return true;
    ReleasePullResult(result);
    return false;
  });
  same(10ll, result.next_offset, "next offset");
  same(0ll, result.min_offset, "first offset");
  same(10ll, result.max_offset, "end offset");
  for (int i = 0; i < 10; ++i) same("m" + std::to_string(i), received(result.messages[i]).body, "message " + std::to_string(i));
  ReleasePullResult(result);
  result = Pull(consumer, used, "TagB", 0, 32);
  same(static_cast<int>(kFound), static_cast<int>(result.status), "status of a pull by tag");
  same(5, result.size, "messages of TagB");
  ReleasePullResult(result);
  result = Pull(consumer, used, "TagC", 0, 32);
  same(static_cast<int>(kNoMatchedMessage), static_cast<int>(result.status), "status when nothing matches");
  same(10ll, result.next_offset, "next offset when nothing matches");
  result = Pull(consumer, used, "*", 100, 32);
  same(static_cast<int>(kOffsetIllegal), static_cast<int>(result.status), "status beyond the end");
  same(10ll, result.next_offset, "next offset beyond the end");
  result = Pull(consumer, used, "*", 10, 32);
  same(static_cast<int>(kNoNewMessage), static_cast<int>(result.status), "status at the end");
  ReleaseSubscriptionMessageQueue(queues);
}

}  // namespace

std::vector<Case> consume_cases() {
  return {
      {"cpp_push_clustering", 120, clustering},
      {"cpp_push_two_groups_do_not_share", 40, two_groups},
      {"cpp_push_broadcasting", 60, broadcasting},
      {"cpp_push_tags", 60, tags},
      {"cpp_push_restart_continues", 60, restart},
      {"cpp_push_message_arrives_at_once", 60, arrives_at_once},
      {"cpp_orderly", 60, orderly},
      {"cpp_pull_statuses", 60, pull},
  };
}

}  // namespace interop
