// What one run of the load generator shall do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/socket.hpp"

namespace gantry::bench {

enum class Mode { kSend, kPull, kProbe };

/// The values of the command line, checked. Rates are messages per second.
struct Options {
  Mode mode = Mode::kSend;
  Endpoint broker;
  std::string topic = "BenchTopic";
  std::string group = "bench_group";
  std::string broker_name = "broker-a";
  unsigned queues = 16;      ///< of each topic
  unsigned topics = 1;       ///< above 1: TOPIC-0, TOPIC-1, ...
  double zipf = 0;           ///< above 0: exponent of the Zipf law by which queues are chosen; 0 = queues take turns
  bool create_topic = true;
  HeaderType header = HeaderType::kJson;

  unsigned connections = 4;
  unsigned depth = 32;       ///< requests in flight per connection (closed loop)
  std::uint64_t size = 1024;  ///< body bytes per message
  double rate = 0;           ///< open loop when above 0
  std::uint64_t max_outstanding = 65536;  ///< open loop: unanswered requests before arrivals wait
  std::uint64_t seed = 1;
  struct Property {
    std::string name, value;
    unsigned modulus = 0;  ///< above 0: the value is the message's number in its queue modulo this
  };
  std::vector<Property> properties;  ///< of each message
  unsigned variants = 1;             ///< messages of a queue that differ in their properties
  unsigned batch = 32;       ///< messages asked for by one pull
  std::string expression;    ///< SQL92; empty = everything

  double duration_s = 10;
  std::uint64_t count = 0;   ///< stop after this many messages; 0 = by duration only
  double drain_s = 5;        ///< how long unanswered requests are waited for at the end
  double deadline_s = 60;    ///< probe: give up after this

  bool json = false;
  bool histogram = false;    ///< add the latency buckets to the JSON
};

/// Reads the command line. Returns -1 to go on, otherwise the exit code (0 after --help, 2 on a usage error).
[[nodiscard]] int parse_options(int argc, char **argv, Options &options);

/// Names used in results: "json" and "binary".
[[nodiscard]] const char *name_of(HeaderType type);

}  // namespace gantry::bench
