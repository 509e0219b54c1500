// gantry-loadgen: sends to or pulls from any broker that speaks RocketMQ's remoting protocol, and says what it cost.
#include <csignal>
#include <iostream>

#include "loadgen/engine.hpp"
#include "loadgen/options.hpp"
#include "loadgen/pull_load.hpp"
#include "loadgen/report.hpp"
#include "loadgen/send_load.hpp"
#include "loadgen/setup.hpp"

namespace {

using namespace gantry::bench;

constexpr int kNotClean = 1;
constexpr int kImpossible = 3;

int finish(const Options &options, const Tally &tally) {
  if (options.json) {
    print_json(std::cout, options, tally);
  } else {
    print_text(std::cout, options, tally);
  }
  std::cout.flush();
  return tally.clean() ? 0 : kNotClean;
}

int run_send(const Options &options) {
  ensure_topic(options);
  Tally tally;
  const std::uint64_t closed = std::uint64_t{options.connections} * options.depth;
  if (options.rate > 0) {
    Engine engine(options, options.max_outstanding);
    OpenSendLoad load(options, tally);
    engine.run(load, tally);
    load.count_unsent(engine);
  } else {
    // Room beyond the open requests keeps a slow reply from standing in the way of its neighbours' numbers.
    Engine engine(options, 4 * closed);
    ClosedSendLoad load(options, tally);
    engine.run(load, tally);
  }
  return finish(options, tally);
}

int run_pull(const Options &options) {
  const BlockingClient member = register_consumer(options);
  Tally tally;
  Engine engine(options, 4ull * options.connections * options.depth);
  PullLoad load(options, tally);
  engine.run(load, tally);
  return finish(options, tally);
}

int run_probe(const Options &options) {
  std::string last_failure = "not tried";
  const auto ready = wait_until_ready(options, last_failure);
  if (!ready) {
    std::cerr << "gantry-loadgen: " << options.broker.text() << " accepted no message within " << options.deadline_s
              << " s; " << last_failure << '\n';
    return kNotClean;
  }
  if (options.json) {
    std::cout << "{\"mode\":\"probe\",\"accepted_ns\":" << ready->accepted_ns << ",\"attempts\":" << ready->attempts
              << "}\n";
  } else {
    std::cout << "accepted a message after " << ready->attempts << " attempts\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  const int usage = parse_options(argc, argv, options);
  if (usage >= 0) return usage;
  try {
    if (options.mode == Mode::kSend) return run_send(options);
    if (options.mode == Mode::kPull) return run_pull(options);
    return run_probe(options);
  } catch (const BenchError &error) {
    std::cerr << "gantry-loadgen: " << error.what() << '\n';
    return kImpossible;
  }
}
