#include "suite.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace interop {

namespace {

const char *setting(const char *name, const char *otherwise) {
  const char *const text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : text;
}

int patience() {
  static const int value = std::atoi(setting("INTEROP_PATIENCE", "2"));
  return value;
}

const std::string &run_name() {  // distinguishes this run's topics and groups from those of earlier ones
  static const std::string name = std::to_string(now_ms() / 100 % 100'000'000) + "c" + std::to_string(::getpid());
  return name;
}

// The library keeps its listeners in maps without locks.
std::mutex &library_lock() {
  static std::mutex lock;
  return lock;
}

std::mutex inboxes_lock;
std::map<CPushConsumer *, Inbox *> inboxes;

int on_message(CPushConsumer *consumer, CMessageExt *message) {
  Inbox *inbox = nullptr;
  {
    const std::lock_guard lock(inboxes_lock);
    const auto found = inboxes.find(consumer);
    if (found == inboxes.end()) return kLater;  // its case is over
    inbox = found->second;
  }
  return inbox->take(message);
}

void succeeded(int code, const char *what) {
  check(code == 0, std::string(what) + " failed with " + std::to_string(code) + ": " + GetLatestErrorMessage());
}

const char *log_path() { return setting("INTEROP_CPP_LOGS", "/tmp"); }
// Signs what clients ask when the environment has a user.
const char *access_key() { return std::getenv("INTEROP_ACCESS_KEY"); }
const char *secret_key() { return std::getenv("INTEROP_SECRET_KEY"); }
const char *nameserver() { return setting("NAMESRV_ADDR", ""); }
std::string text(const char *p) { return p == nullptr ? "" : p; }

}  // namespace

long long now_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void check(bool holds, const std::string &what) {
  if (!holds) throw Failed(what);
}

void await(const std::function<std::string()> &what, int deadline_s, const std::function<bool()> &holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(deadline_s * patience());
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) throw Failed("after " + std::to_string(deadline_s * patience()) + " s: " + what());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Received received(CMessageExt *message, const std::string &property) {
  Received r;
  r.topic = text(GetMessageTopic(message));
  const char *const body = GetMessageBody(message);
  r.body = GetMessageBodyLength != nullptr ? std::string(body, static_cast<std::size_t>(GetMessageBodyLength(message))) : text(body);
  r.tags = text(GetMessageTags(message));
  r.keys = text(GetMessageKeys(message));
  r.id = text(GetMessageId(message));
  if (!property.empty()) r.property = text(GetMessageProperty(message, property.c_str()));
  r.queue = GetMessageQueueId(message);
  r.reconsume_times = GetMessageReconsumeTimes(message);
  r.delay_level = GetMessageDelayTimeLevel(message);
  r.store_bytes = GetMessageStoreSize(message);
  r.offset = GetMessageQueueOffset(message);
  r.born_ms = GetMessageBornTimestamp(message);
  r.store_ms = GetMessageStoreTimestamp(message);
  r.at_ms = now_ms();
  return r;
}

int Inbox::take(CMessageExt *message) {
  const Received got = received(message, property_);
  {
    const std::lock_guard lock(lock_);
    messages_.push_back(got);
  }
  return answer ? answer(got) : kConsumed;
}

std::vector<Received> Inbox::all() const {
  const std::lock_guard lock(lock_);
  return messages_;
}

std::vector<std::string> Inbox::bodies() const {
  std::vector<std::string> out;
  for (const Received &r : all()) out.push_back(r.body);
  std::sort(out.begin(), out.end());
  return out;
}

void Inbox::await_count(std::size_t n, int deadline_s) const {
  await([&] { return std::to_string(n) + " messages, got " + std::to_string(all().size()); }, deadline_s, [&] { return all().size() >= n; });
}

void Inbox::await_exactly(std::vector<std::string> expected, int deadline_s) const {
  std::sort(expected.begin(), expected.end());
  await_count(expected.size(), deadline_s);
  check(bodies() == expected, "other messages than were sent, or one twice: " + std::to_string(all().size()) + " for " + std::to_string(expected.size()));
}

Env::~Env() {
  {
    const std::lock_guard lock(inboxes_lock);
    for (CPushConsumer *consumer : consumers_) inboxes.erase(consumer);
  }
  // Each may take seconds.
  std::vector<std::thread> threads;
  for (CPushConsumer *consumer : consumers_) threads.emplace_back([consumer] { ShutdownPushConsumer(consumer); });
  for (CPullConsumer *consumer : pulls_) threads.emplace_back([consumer] { ShutdownPullConsumer(consumer); });
  for (std::thread &thread : threads) thread.join();
  for (CProducer *producer : producers_) ShutdownProducer(producer);
}

std::string Env::topic(const std::string &part) const { return "it_" + run_name() + "_" + name_ + (part.empty() ? "" : "_" + part); }
std::string Env::group(const std::string &part) const { return "g_" + run_name() + "_" + name_ + "_" + part; }

CProducer *Env::producer(const std::string &part) { return start(CreateProducer(group(part).c_str())); }

CProducer *Env::start(CProducer *producer, const std::string &instance) {
  check(producer != nullptr, "no producer was made");
  const std::lock_guard library(library_lock());
  SetProducerNameServerAddress(producer, nameserver());
  SetProducerInstanceName(producer, instance.c_str());
  SetProducerLogPath(producer, log_path());
  SetProducerLogLevel(producer, kLogWarn);
  if (access_key() != nullptr) SetProducerSessionCredentials(producer, access_key(), secret_key(), "");
  SetProducerSendMsgTimeout(producer, 15'000);
  SetProducerMaxMessageSize(producer, 32 << 20);  // the broker's limit is meant
  succeeded(StartProducer(producer), "starting a producer");
  producers_.push_back(producer);
  return producer;
}

CPushConsumer *Env::push(const std::string &group_name, const std::string &topic_name, Inbox &inbox, Push how) {
  const std::lock_guard library(library_lock());
  CPushConsumer *const consumer = CreatePushConsumer(group_name.c_str());
  SetPushConsumerNameServerAddress(consumer, nameserver());
  SetPushConsumerInstanceName(consumer, new_instance().c_str());
  SetPushConsumerLogPath(consumer, log_path());
  SetPushConsumerLogLevel(consumer, kLogWarn);
  if (access_key() != nullptr) SetPushConsumerSessionCredentials(consumer, access_key(), secret_key(), "");
  SetPushConsumerThreadCount(consumer, how.threads);
  if (how.broadcasting) SetPushConsumerMessageModel(consumer, kBroadcasting);
  // A consumer without traces crashes version 2.1.0 when it is shut down.
  if (SetPushConsumerMessageTrace != nullptr) SetPushConsumerMessageTrace(consumer, kTraceOpen);
  Subscribe(consumer, topic_name.c_str(), how.expression);
  if (how.orderly) RegisterMessageCallbackOrderly(consumer, on_message);
  else RegisterMessageCallback(consumer, on_message);
  {
    const std::lock_guard lock(inboxes_lock);
    inboxes[consumer] = &inbox;
  }
  consumers_.push_back(consumer);
  succeeded(StartPushConsumer(consumer), "starting a push consumer");
  return consumer;
}

void Env::stop(CPushConsumer *consumer) {
  ShutdownPushConsumer(consumer);
  std::erase(consumers_, consumer);
}

CPullConsumer *Env::pull(const std::string &group_name) {
  const std::lock_guard library(library_lock());
  CPullConsumer *const consumer = CreatePullConsumer(group_name.c_str());
  SetPullConsumerNameServerAddress(consumer, nameserver());
  SetPullConsumerLogPath(consumer, log_path());
  SetPullConsumerLogLevel(consumer, kLogWarn);
  if (access_key() != nullptr) SetPullConsumerSessionCredentials(consumer, access_key(), secret_key(), "");
  succeeded(StartPullConsumer(consumer), "starting a pull consumer");
  pulls_.push_back(consumer);
  return consumer;
}

CMessage *Env::make(const std::string &topic_name, const Message &message) {
  CMessage *const out = CreateMessage(topic_name.c_str());
  SetByteMessageBody(out, message.body.data(), static_cast<int>(message.body.size()));
  if (!message.tags.empty()) SetMessageTags(out, message.tags.c_str());
  if (!message.keys.empty()) SetMessageKeys(out, message.keys.c_str());
  for (const auto &[key, value] : message.properties) SetMessageProperty(out, key.c_str(), value.c_str());
  if (message.delay_level != 0) SetDelayTimeLevel(out, message.delay_level);
  return out;
}

CSendResult Env::send(CProducer *producer, const std::string &topic_name, const Message &message) {
  CMessage *const made = make(topic_name, message);
  CSendResult result{};
  const int code = SendMessageSync(producer, made, &result);
  DestroyMessage(made);
  succeeded(code, "a send");
  same(0, result.status, "status of a send");
  return result;
}

std::vector<std::string> Env::send_many(CProducer *producer, const std::string &prefix, int n, const std::string &tags) {
  std::vector<std::string> bodies;
  for (int i = 0; i < n; ++i) {
    bodies.push_back(prefix + std::to_string(i));
    send(producer, topic(), {.body = bodies.back(), .tags = tags});
  }
  return bodies;
}

}  // namespace interop
