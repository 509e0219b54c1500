#include "loadgen/setup.hpp"

#include <ctime>
#include <iostream>

#include "wire/clock.hpp"

namespace gantry::bench {

namespace {

constexpr int kSetupTimeout_s = 10;
constexpr int kProbeTimeout_s = 2;
constexpr long kProbePause_ns = 5'000'000;
constexpr std::string_view kProbeBody = "gantry-loadgen probe";

std::string describe(const Response &response) {
  std::string text = "code " + std::to_string(response.code);
  if (!response.remark.empty()) text += " (" + response.remark + ")";
  return text;
}

Response send_one(BlockingClient &client, const Options &options, unsigned queue) {
  const std::string unique_key = "00000000000000000000000000" + std::to_string(100000 + queue);
  return client.call(RequestCode::kSendMessageV2,
                     send_fields(options, std::to_string(queue), std::to_string(wall_ms()), unique_key), kProbeBody);
}

/// As a JSON string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

Response create_topic(BlockingClient &client, const Options &options) {
  const std::string queues = std::to_string(options.queues);
  return client.call(RequestCode::kUpdateAndCreateTopic,
                     {{"defaultTopic", "TBW102"},
                      {"order", "false"},
                      {"perm", "6"},
                      {"readQueueNums", queues},
                      {"topic", options.topic},
                      {"topicFilterType", "SINGLE_TAG"},
                      {"topicSysFlag", "0"},
                      {"writeQueueNums", queues}},
                     {});
}

void ensure_one(BlockingClient &client, const Options &options) {
  if (options.create_topic) {
    const Response created = create_topic(client, options);
    if (created.code != 0) {
      std::cerr << "gantry-loadgen: the broker answered UPDATE_AND_CREATE_TOPIC with " << describe(created)
                << "; creating " << options.topic << " by a first send\n";
      const Response first = send_one(client, options, 0);
      if (first.code != 0) {
        throw BenchError("cannot create topic " + options.topic + ": a first send was answered " + describe(first) +
                         "; switch on automatic topic creation or create the topic and pass --no-create");
      }
    }
  }
  const Response last = send_one(client, options, options.queues - 1);
  if (last.code != 0) {
    throw BenchError("topic " + options.topic + " does not take messages in queue " +
                     std::to_string(options.queues - 1) + ": " + describe(last) +
                     "; give the topic that many queues or pass a smaller --queues");
  }
}

}  // namespace

Fields send_fields(const Options &options, const std::string &queue, const std::string &born_ms,
                   const std::string &unique_key, unsigned number) {
  std::string properties = "UNIQ_KEY\x01" + unique_key + "\x02WAIT\x01true";
  for (const Options::Property &p : options.properties)
    properties += "\x02" + p.name + "\x01" + (p.modulus != 0 ? std::to_string(number % p.modulus) : p.value);
  return {{"a", options.group},
          {"b", options.topic},
          {"c", "TBW102"},
          {"d", std::to_string(options.queues)},
          {"e", queue},
          {"f", "0"},
          {"g", born_ms},
          {"h", "0"},
          {"i", properties},
          {"j", "0"},
          {"k", "false"},
          {"m", "false"},
          {"n", options.broker_name}};
}

std::string topic_name(const Options &options, unsigned i) {
  return options.topics == 1 ? options.topic : options.topic + '-' + std::to_string(i);
}

void ensure_topic(const Options &options) {
  BlockingClient client(options.broker, options.header, kSetupTimeout_s);
  Options one = options;
  for (unsigned i = 0; i < options.topics; ++i) {
    one.topic = topic_name(options, i);
    ensure_one(client, one);
  }
}

BlockingClient register_consumer(const Options &options) {
  const std::string version = std::to_string(wall_ms());
  const bool filters = !options.expression.empty();
  const std::string body =
      "{\"clientID\":\"127.0.0.1@gantry-loadgen#" + version +
      "\",\"consumerDataSet\":[{\"consumeFromWhere\":\"CONSUME_FROM_FIRST_OFFSET\",\"consumeType\":\"CONSUME_ACTIVELY\","
      "\"groupName\":\"" + options.group + "\",\"messageModel\":\"CLUSTERING\",\"subscriptionDataSet\":["
      "{\"classFilterMode\":false,\"codeSet\":[],\"expressionType\":\"" +
      (filters ? "SQL92\",\"subString\":" + quoted(options.expression) : "TAG\",\"subString\":\"*\"") + ",\"subVersion\":" +
      version + ",\"tagsSet\":[],\"topic\":\"" + options.topic +
      "\"}],\"unitMode\":false}],\"producerDataSet\":[]}";
  BlockingClient client(options.broker, options.header, kSetupTimeout_s);
  const Response response = client.call(RequestCode::kHeartBeat, {}, body);
  if (response.code != 0) {
    throw BenchError("the broker refused the consumer group " + options.group + ": " + describe(response));
  }
  return client;
}

std::optional<Readiness> wait_until_ready(const Options &options, std::string &last_failure) {
  const std::uint64_t deadline_ns = monotonic_ns() + static_cast<std::uint64_t>(options.deadline_s * 1e9);
  for (unsigned attempt = 1; monotonic_ns() < deadline_ns; ++attempt) {
    try {
      BlockingClient client(options.broker, options.header, kProbeTimeout_s);
      const Response sent = send_one(client, options, 0);
      if (sent.code == 0) return Readiness{monotonic_ns(), attempt};
      last_failure = "a send was answered " + describe(sent);
    } catch (const BenchError &error) {
      last_failure = error.what();
    }
    const timespec pause{0, kProbePause_ns};
    nanosleep(&pause, nullptr);
  }
  return std::nullopt;
}

}  // namespace gantry::bench
