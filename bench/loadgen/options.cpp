#include "loadgen/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <map>

namespace gantry::bench {

namespace {

constexpr int kUsageError = 2;

void add_target(CLI::App &app, Options &options, std::string &broker) {
  app.add_option("--broker", broker, "broker address HOST:PORT")->required();
  app.add_option("--topic", options.topic, "topic to use")->capture_default_str();
  app.add_option("--queues", options.queues, "queues of the topic")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--group", options.group, "producer or consumer group")->capture_default_str();
  app.add_option("--broker-name", options.broker_name, "broker name written into requests")->capture_default_str();
  const std::map<std::string, HeaderType> types{{"json", HeaderType::kJson}, {"binary", HeaderType::kBinary}};
  app.add_option("--header", options.header, "header serialisation: json or binary")
      ->transform(CLI::CheckedTransformer(types));
  app.add_flag("--json", options.json, "print one JSON object in place of one line of text");
}

void add_load(CLI::App &app, Options &options) {
  app.add_option("--connections", options.connections, "sockets")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--depth", options.depth, "requests in flight per socket")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--seconds", options.duration_s, "length of the run")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--count", options.count, "stop after this many messages, 0 = by time only")->capture_default_str();
  app.add_option("--drain-seconds", options.drain_s, "wait for open requests at the end")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app.add_flag("--histogram", options.histogram, "add latency buckets to the JSON");
}

constexpr unsigned kMaxVariants = 100;

/// NAME=VALUE or NAME=%N. Throws BenchError.
Options::Property parse_property(const std::string &text) {
  const std::size_t at = text.find('=');
  if (at == 0 || at == std::string::npos || at + 1 == text.size()) throw BenchError("--property: found '" + text + "', wanted NAME=VALUE or NAME=%N");
  Options::Property property{text.substr(0, at), text.substr(at + 1), 0};
  if (property.value[0] != '%') return property;
  const char *const end = property.value.data() + property.value.size();
  const auto [stop, error] = std::from_chars(property.value.data() + 1, end, property.modulus);
  if (error != std::errc() || stop != end || property.modulus < 1 || property.modulus > kMaxVariants)
    throw BenchError("--property: found '" + text + "', wanted a number from 1 to " + std::to_string(kMaxVariants) + " after %");
  return property;
}

void parse_properties(const std::vector<std::string> &texts, Options &options) {
  for (const std::string &text : texts) {
    options.properties.push_back(parse_property(text));
    const unsigned modulus = options.properties.back().modulus;
    if (modulus != 0 && options.variants != 1 && modulus != options.variants) throw BenchError("--property: all %N must have the same N");
    options.variants = std::max(options.variants, modulus);
  }
}

}  // namespace

int parse_options(int argc, char **argv, Options &options) {
  CLI::App app{"Load generator for RocketMQ's remoting protocol. Exit codes: 0 every reply was a success, "
               "1 some were not or never came, 2 usage, 3 the run was impossible."};
  app.require_subcommand(1);
  std::string broker;

  CLI::App *send = app.add_subcommand("send", "send messages (SEND_MESSAGE_V2)");
  add_target(*send, options, broker);
  add_load(*send, options);
  send->add_option("--size", options.size, "body bytes per message")
      ->check(CLI::Range(1, 4 * 1024 * 1024))
      ->capture_default_str();
  send->add_option("--rate", options.rate, "open loop: messages/s with Poisson arrivals; 0 = closed loop")
      ->check(CLI::Range(0.0, 1e7));
  send->add_option("--max-outstanding", options.max_outstanding, "open loop: unanswered requests before arrivals wait")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  send->add_option("--seed", options.seed, "seed of the arrival times")->capture_default_str();
  send->add_option("--topics", options.topics, "spread over this many topics, TOPIC-0, TOPIC-1, ...")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  send->add_option("--zipf", options.zipf, "choose queues by Zipf's law with this exponent; 0 = they take turns")->check(CLI::Range(0.0, 4.0));
  std::vector<std::string> properties;
  send->add_option("--property", properties, "NAME=VALUE: a property of each message; NAME=%N: the message's number in its queue modulo N");
  send->add_flag("!--no-create", options.create_topic, "take the topic as it is");

  CLI::App *pull = app.add_subcommand("pull", "pull stored messages over and over (PULL_MESSAGE)");
  add_target(*pull, options, broker);
  add_load(*pull, options);
  pull->add_option("--batch", options.batch, "messages asked for by one pull")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();

  pull->add_option("--expression", options.expression, "pull what matches this SQL92 expression");

  CLI::App *probe = app.add_subcommand("probe", "wait until a broker accepts a message, then say when");
  add_target(*probe, options, broker);
  probe->add_option("--deadline-seconds", options.deadline_s, "give up after this")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();

  try {
    app.parse(argc, argv);
    options.broker = Endpoint::parse(broker);
    parse_properties(properties, options);
    if ((options.topics > 1 || options.zipf > 0) && options.variants > 1) throw BenchError("--property NAME=%N goes with neither --topics nor --zipf");
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  } catch (const BenchError &error) {
    std::cerr << "gantry-loadgen: " << error.what() << '\n';
    return kUsageError;
  }
  options.mode = *send ? Mode::kSend : *pull ? Mode::kPull : Mode::kProbe;
  return -1;
}

const char *name_of(HeaderType type) { return type == HeaderType::kJson ? "json" : "binary"; }

}  // namespace gantry::bench
