#include "kernel/cli/messages.hpp"

#include "kernel/cli/remoting_client.hpp"

#include <boost/json.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

namespace gantry::cli {

namespace {

constexpr int kSendV2 = 310, kPull = 11, kHeartbeat = 34, kQueryOffset = 14, kUpdateOffset = 15, kMaxOffset = 30, kUnregister = 35;
constexpr int kPermWrite = 2, kPermRead = 4;
constexpr int kPullTimeoutMs = 15'000;
constexpr unsigned kPullSuspend = 2, kPullHasSubscription = 4;

std::atomic<bool> interrupted{false};

void on_signal(int) { interrupted.store(true); }

int complain(const Error &error) {
  std::fprintf(stderr, "gantry: %s\n", error.text.c_str());
  return 1;
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A unique id in RocketMQ's form: 32 upper-case hex digits.
std::string unique_id() {
  static std::uint32_t counter = 0;
  char text[40];
  std::snprintf(text, sizeof text, "7F000001%04X%08X%08X%04X", static_cast<unsigned>(getpid()) & 0xFFFFu, 0x47616E74u, static_cast<unsigned>(wall_ms()), counter++ & 0xFFFFu);
  return text;
}

Result<void> send_one(RemotingClient &client, const QueueRoute &route, const SendOptions &options, const std::string &body) {
  const std::string id = unique_id();
  std::string properties = "UNIQ_KEY\x01" + id;
  if (!options.tag.empty()) properties += std::string("\x02TAGS\x01") + options.tag;
  if (!options.keys.empty()) properties += std::string("\x02KEYS\x01") + options.keys;
  auto reply = client.call(kSendV2, {{"a", "gantry-cli"}, {"b", options.topic}, {"c", "TBW102"}, {"d", "4"}, {"e", "-1"}, {"f", "0"}, {"g", std::to_string(wall_ms())}, {"h", "0"},
                                     {"i", properties}, {"j", "0"}, {"k", "false"}, {"m", "false"}, {"n", route.broker_name}},
                           body);
  if (!reply) return std::move(reply.error());
  if (reply->code != 0) return Error{GANTRY_E_INTERNAL, client.address() + " refused the message (code " + std::to_string(reply->code) + "): " + reply->remark};
  if (options.json) {
    std::cout << boost::json::serialize(boost::json::object{{"schema", 1}, {"topic", options.topic}, {"broker", route.broker_name}, {"queue", std::stoi(reply->fields["queueId"])},
                                                            {"offset", std::stoll(reply->fields["queueOffset"])}, {"id", id}, {"offset_id", reply->fields["msgId"]}})
              << std::endl;
  } else {
    std::cout << "sent " << id << " to " << options.topic << " queue " << reply->fields["queueId"] << " offset " << reply->fields["queueOffset"] << std::endl;
  }
  return {};
}

// One message queue being consumed over a shared connection.
struct PulledQueue {
  QueueRoute route;
  int queue_no = 0;
  std::int64_t next_off = 0, committed = -1;
};

class Consumer {
 public:
  explicit Consumer(const ConsumeOptions &options) : options_(options) {}

  Result<void> run() {
    GANTRY_TRY(open());
    const auto done = [&] { return interrupted.load() || (options_.count != 0 && printed_ >= options_.count); };
    auto last_message = std::chrono::steady_clock::now();
    while (!done()) {
      for (auto &[address, broker] : brokers_) {
        auto reply = broker.client->receive(static_cast<int>(500 / brokers_.size()));
        if (!reply && reply.error().code == GANTRY_E_TIMEOUT) continue;
        if (!reply && reply.error().code == GANTRY_E_CANCELLED) break;
        if (!reply) return std::move(reply.error());
        const std::uint64_t before = printed_;
        GANTRY_TRY(on_reply(broker, *reply));
        if (printed_ != before) last_message = std::chrono::steady_clock::now();
        if (done()) break;
      }
      if (options_.wait_ms != 0 && std::chrono::steady_clock::now() - last_message > std::chrono::milliseconds(options_.wait_ms)) break;
    }
    return close();
  }

 private:
  struct Broker {
    std::unique_ptr<RemotingClient> client;
    std::map<std::int32_t, PulledQueue *> under_way;  // by opaque
    std::vector<std::unique_ptr<PulledQueue>> queues;
  };

  Result<void> open() {
    auto routes = find_route(options_.nameserver, options_.topic, false);
    if (!routes) return std::move(routes.error());
    for (const QueueRoute &route : *routes) {
      if ((route.perm & kPermRead) == 0) continue;
      auto client = RemotingClient::connect(route.address);
      if (!client) return std::move(client.error());
      Broker &broker = brokers_[route.address];
      broker.client = std::make_unique<RemotingClient>(std::move(*client));
      GANTRY_TRY(heartbeat(*broker.client));
      for (int q = 0; q < route.read_queues; ++q) {
        auto queue = std::make_unique<PulledQueue>(PulledQueue{route, q, 0, -1});
        auto offset = start_offset(*broker.client, q);
        if (!offset) return std::move(offset.error());
        queue->next_off = *offset;
        broker.queues.push_back(std::move(queue));
        GANTRY_TRY(pull(broker, *broker.queues.back()));
      }
    }
    if (brokers_.empty()) return Error{GANTRY_E_DENIED, "topic '" + options_.topic + "' is not readable"};
    return {};
  }

  // The client id names this process, so that two of them do not look like one.
  [[nodiscard]] static std::string client_id() { return "gantry-cli@" + std::to_string(getpid()); }

  Result<void> heartbeat(RemotingClient &client) {
    namespace json = boost::json;
    const json::object subscription{{"classFilterMode", false}, {"expressionType", "TAG"}, {"subString", options_.tags}, {"subVersion", wall_ms()}, {"topic", options_.topic}};
    const json::object consumer{{"consumeFromWhere", "CONSUME_FROM_LAST_OFFSET"}, {"consumeType", "CONSUME_ACTIVELY"}, {"groupName", options_.group}, {"messageModel", "CLUSTERING"},
                                {"subscriptionDataSet", json::array{subscription}}, {"unitMode", false}};
    const json::object body{{"clientID", client_id()}, {"consumerDataSet", json::array{consumer}}, {"producerDataSet", json::array{}}};
    auto reply = client.call(kHeartbeat, {}, json::serialize(body));
    if (!reply) return std::move(reply.error());
    if (reply->code != 0) return Error{GANTRY_E_INTERNAL, client.address() + " refused group '" + options_.group + "': " + reply->remark};
    return {};
  }

  Result<std::int64_t> start_offset(RemotingClient &client, int queue_no) {
    const Fields where{{"consumerGroup", options_.group}, {"topic", options_.topic}, {"queueId", std::to_string(queue_no)}};
    if (options_.from == "first") return std::int64_t{0};
    if (options_.from == "committed") {
      auto reply = client.call(kQueryOffset, where);
      if (!reply) return std::move(reply.error());
      if (reply->code == 0) return static_cast<std::int64_t>(std::stoll(reply->fields["offset"]));
    }
    auto reply = client.call(kMaxOffset, where);
    if (!reply) return std::move(reply.error());
    if (reply->code != 0) return Error{GANTRY_E_INTERNAL, client.address() + ": " + reply->remark};
    return static_cast<std::int64_t>(std::stoll(reply->fields["offset"]));
  }

  Result<void> pull(Broker &broker, PulledQueue &queue) {
    auto opaque = broker.client->send(kPull, {{"consumerGroup", options_.group}, {"topic", options_.topic}, {"queueId", std::to_string(queue.queue_no)},
                                              {"queueOffset", std::to_string(queue.next_off)}, {"maxMsgNums", "32"}, {"sysFlag", std::to_string(kPullSuspend | kPullHasSubscription)},
                                              {"commitOffset", "0"}, {"suspendTimeoutMillis", std::to_string(kPullTimeoutMs)}, {"subscription", options_.tags}, {"subVersion", "0"},
                                              {"expressionType", "TAG"}});
    if (!opaque) return std::move(opaque.error());
    broker.under_way[*opaque] = &queue;
    return {};
  }

  Result<void> on_reply(Broker &broker, const Reply &reply) {
    const auto it = reply.is_request ? broker.under_way.end() : broker.under_way.find(reply.opaque);
    if (it == broker.under_way.end()) return {};
    PulledQueue &queue = *it->second;
    broker.under_way.erase(it);
    if (reply.code != 0 && reply.code != 19 && reply.code != 20 && reply.code != 21)
      return Error{GANTRY_E_INTERNAL, broker.client->address() + " refused a pull (code " + std::to_string(reply.code) + "): " + reply.remark};
    if (const auto next = reply.fields.find("nextBeginOffset"); next != reply.fields.end()) queue.next_off = std::stoll(next->second);
    if (reply.code == 0) GANTRY_TRY(print(queue, reply.body));
    if (options_.count != 0 && printed_ >= options_.count) return {};
    return pull(broker, queue);
  }

  Result<void> print(PulledQueue &queue, std::string_view body) {
    auto messages = decode_messages(body);
    if (!messages) return std::move(messages.error());
    for (const StoredMessage &m : *messages) {
      if (options_.count != 0 && printed_ >= options_.count) break;
      ++printed_;
      queue.committed = m.queue_offset + 1;
      if (options_.json) {
        std::cout << boost::json::serialize(boost::json::object{{"schema", 1}, {"topic", m.topic}, {"queue", m.queue_no}, {"offset", m.queue_offset}, {"tag", property_of(m.properties, "TAGS")},
                                                                {"keys", property_of(m.properties, "KEYS")}, {"id", property_of(m.properties, "UNIQ_KEY")}, {"compressed", (m.sys_flags & 1) != 0}, {"body", m.body}})
                  << std::endl;
      } else {
        std::cout << "queue " << m.queue_no << " offset " << m.queue_offset << ": " << ((m.sys_flags & 1) != 0 ? "(compressed, " + std::to_string(m.body.size()) + " bytes)" : m.body) << std::endl;
      }
    }
    return {};
  }

  // Offsets of what was printed are committed, so that the group goes on behind it.
  Result<void> close() {
    for (auto &[address, broker] : brokers_) {
      for (const auto &queue : broker.queues) {
        if (queue->committed < 0) continue;
        auto reply = broker.client->call(kUpdateOffset, {{"consumerGroup", options_.group}, {"topic", options_.topic}, {"queueId", std::to_string(queue->queue_no)}, {"commitOffset", std::to_string(queue->committed)}});
        if (!reply) return std::move(reply.error());
        if (reply->code != 0) return Error{GANTRY_E_INTERNAL, "offset of queue " + std::to_string(queue->queue_no) + " was not committed: " + reply->remark};
      }
      auto left = broker.client->call(kUnregister, {{"clientID", client_id()}, {"consumerGroup", options_.group}});
      if (!left) return std::move(left.error());
    }
    return {};
  }

  const ConsumeOptions &options_;
  std::map<std::string, Broker> brokers_;
  std::uint64_t printed_ = 0;
};

}  // namespace

int send_messages(const SendOptions &options) {
  auto routes = find_route(options.nameserver, options.topic, true);
  if (!routes) return complain(routes.error());
  std::optional<QueueRoute> target;
  for (const QueueRoute &route : *routes)
    if ((route.perm & kPermWrite) != 0 && !target) target = route;
  if (!target) return complain(Error{GANTRY_E_DENIED, "topic '" + options.topic + "' is not writable"});
  auto client = RemotingClient::connect(target->address);
  if (!client) return complain(client.error());
  const auto send = [&](const std::string &body) {
    const auto sent = send_one(*client, *target, options, body);
    return sent ? 0 : complain(sent.error());
  };
  for (const std::string &body : options.bodies) {
    if (body != "-") {
      if (const int status = send(body); status != 0) return status;
      continue;
    }
    for (std::string line; std::getline(std::cin, line);)
      if (const int status = send(line); status != 0) return status;
  }
  return 0;
}

int consume_messages(const ConsumeOptions &options) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  (void)sigaction(SIGINT, &action, nullptr);
  (void)sigaction(SIGTERM, &action, nullptr);
  const auto done = Consumer(options).run();
  return done ? 0 : complain(done.error());
}

}  // namespace gantry::cli
