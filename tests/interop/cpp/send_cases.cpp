// Sending.
#include "suite.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

namespace interop {

namespace {

void sync(Env &env) {
  CProducer *const producer = env.producer();
  std::set<std::string> ids;
  std::vector<std::string> bodies;
  for (int i = 0; i < 40; ++i) {
    bodies.push_back("sync" + std::to_string(i));
    const CSendResult result = Env::send(producer, env.topic(), {.body = bodies.back(), .tags = "TagA"});
    check(ids.insert(result.id).second, std::string("id twice: ") + result.id);
  }
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly(bodies, 30);
  // The first send made the topic with the producer's 4 queues; offsets of a queue count from 0 without a gap.
  std::map<int, std::set<long long>> offsets;
  for (const Received &r : inbox.all()) offsets[r.queue].insert(r.offset);
  same(4u, offsets.size(), "queues of the topic");
  for (const auto &[queue, seen] : offsets) same(static_cast<long long>(seen.size()) - 1, *seen.rbegin(), "last offset of queue " + std::to_string(queue));
}

std::atomic<int> async_stored, async_failed;  // the callbacks have no argument of the caller's

void async(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "first"});
  std::vector<std::string> bodies{"first"};
  std::vector<CMessage *> messages;
  for (int i = 0; i < 100; ++i) {
    bodies.push_back("async" + std::to_string(i));
    messages.push_back(Env::make(env.topic(), {.body = bodies.back()}));
    const int code = SendMessageAsync(
        producer, messages.back(), [](CSendResult result) { ++(result.status == 0 ? async_stored : async_failed); }, [](CMQException) { ++async_failed; });
    same(0, code, "asynchronous send");
  }
  await([] { return "100 answers, got " + std::to_string(async_stored + async_failed); }, 30, [] { return async_stored + async_failed >= 100; });
  same(100, async_stored.load(), "stored");
  for (CMessage *message : messages) DestroyMessage(message);
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly(bodies, 30);
}

void oneway(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "first"});
  std::vector<std::string> bodies{"first"};
  for (int i = 0; i < 50; ++i) {
    bodies.push_back("oneway" + std::to_string(i));
    CMessage *const message = Env::make(env.topic(), {.body = bodies.back()});
    same(0, SendMessageOneway(producer, message), "oneway send");
    DestroyMessage(message);
  }
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly(bodies, 30);
}

// Threads share one producer: nothing is lost, nothing comes twice.
void many_threads(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "first"});
  std::vector<std::string> bodies{"first"};
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 8; ++t) {
    for (int i = 0; i < 100; ++i) bodies.push_back("t" + std::to_string(t) + "-" + std::to_string(i));
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        CMessage *const message = Env::make(env.topic(), {.body = "t" + std::to_string(t) + "-" + std::to_string(i)});
        CSendResult result{};
        if (SendMessageSync(producer, message, &result) != 0 || result.status != 0) ++failed;
        DestroyMessage(message);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  same(0, failed.load(), "failed sends");
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox, {.threads = 4});
  inbox.await_exactly(bodies, 40);
}

void chosen_queue(Env &env) {
  CProducer *const producer = env.producer();
  const auto by_argument = [](int queues, CMessage *, void *queue) { return *static_cast<int *>(queue) % queues; };
  std::map<std::string, int> wanted;
  for (int i = 0; i < 24; ++i) {
    int queue = i % 4;
    const std::string body = (i < 12 ? "sync" : "oneway") + std::to_string(i);
    CMessage *const message = Env::make(env.topic(), {.body = body});
    CSendResult result{};
    const int code = i < 12 ? SendMessageOrderly(producer, message, by_argument, &queue, 0, &result) : SendMessageOnewayOrderly(producer, message, by_argument, &queue);
    check(code == 0, "send to queue " + std::to_string(queue) + ": " + GetLatestErrorMessage());
    DestroyMessage(message);
    wanted[body] = queue;
  }
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_count(24, 30);
  for (const Received &r : inbox.all()) same(wanted.at(r.body), r.queue, "queue of " + r.body);
}

std::string noise(std::size_t bytes) {
  std::mt19937 random(static_cast<unsigned>(bytes));
  std::string out(bytes, 'x');
  for (char &c : out) c = static_cast<char>(1 + random() % 255);
  return out;
}

void body_sizes(Env &env) {
  CProducer *const producer = env.producer();
  std::map<std::string, std::size_t> sent;  // by tag
  std::vector<std::string> bodies;
  for (const std::size_t bytes : {1u, 2u, 4095u, 4096u, 4097u, 100'000u, 1u << 20, (4u << 20) - 10'000}) {
    bodies.push_back(noise(bytes));
    (void)Env::send(producer, env.topic(), {.body = bodies.back()});
  }
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly(bodies, 40);
}

// The client compresses what is larger than 4 KiB.
void compressed(Env &env) {
  CProducer *const producer = env.producer();
  std::string body;
  while (body.size() < 200'000) body += "a body that compresses well, line " + std::to_string(body.size()) + "\n";
  (void)Env::send(producer, env.topic(), {.body = body});
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly({body}, 30);
  const int stored = inbox.all()[0].store_bytes;
  check(stored > 0 && stored < 100'000, "a body of 200 KB is stored in " + std::to_string(stored) + " bytes: it was not compressed");
}

void too_large(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "before"});
  for (const std::size_t bytes : {(4u << 20) + 100'000, 8u << 20}) {
    CMessage *const message = Env::make(env.topic(), {.body = noise(bytes)});
    CSendResult result{};
    const int code = SendMessageSync(producer, message, &result);
    DestroyMessage(message);
    check(code != 0, std::to_string(bytes) + " bytes were taken");
  }
  (void)Env::send(producer, env.topic(), {.body = "after"});
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly({"before", "after"}, 30);
}

void properties(Env &env) {
  CProducer *const producer = env.producer();
  (void)Env::send(producer, env.topic(), {.body = "größe", .tags = "Étiquette", .keys = "clé1 单号2", .properties = {{"城市", "上海"}, {"empty-looking", " "}}});
  Inbox &inbox = env.inbox("城市");
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly({"größe"}, 30);
  const Received r = inbox.all()[0];
  same("Étiquette", r.tags, "tag");
  same("clé1 单号2", r.keys, "keys");
  same("上海", r.property, "property");
}

void fields(Env &env) {
  CProducer *const producer = env.producer();
  const long long begin = now_ms();
  const CSendResult sent = Env::send(producer, env.topic(), {.body = "fields"});
  Inbox &inbox = env.inbox();
  env.push(env.group("c"), env.topic(), inbox);
  inbox.await_exactly({"fields"}, 30);
  const Received r = inbox.all()[0];
  same(env.topic(), r.topic, "topic");
  same(sent.offset, r.offset, "offset");
  same(0, r.reconsume_times, "reconsume times");
  check(!r.id.empty(), "the message has no id");
  check(r.born_ms >= begin && r.born_ms <= now_ms(), "born at " + std::to_string(r.born_ms));
  check(r.store_ms >= begin - 1000 && r.store_ms <= now_ms() + 1000, "stored at " + std::to_string(r.store_ms));
}

}  // namespace

std::vector<Case> send_cases() {
  return {
      {"cpp_send_sync", 40, sync},
      {"cpp_send_async", 40, async},
      {"cpp_send_oneway", 40, oneway},
      {"cpp_send_to_chosen_queue", 40, chosen_queue},
      {"cpp_many_threads", 60, many_threads},
      {"cpp_body_sizes", 60, body_sizes},
      {"cpp_compression", 40, compressed},
      {"cpp_send_too_large", 40, too_large},
      {"cpp_properties_utf8", 40, properties},
      {"cpp_message_fields", 40, fields},
  };
}

}  // namespace interop
