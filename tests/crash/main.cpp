// store-crash: kills a process that appends under load, again and again, and compares what is left with what was acknowledged.
//   store-crash --plugin=PATH [--level=memory|written|durable] [--bases] [--expect-loss] [--rounds=N] [--seed=N] [--set=key=value ...]
// Exit code 0: everything acknowledged was there, byte for byte. 1: not, or nothing was shown. 2: wrong arguments.
// --expect-loss turns 0 and 1 round: at level memory a kill loses acknowledged records, and this test must notice.
#include "model.h"

#include <cstdio>
#include <cstdlib>
#include <random>

int main(int argc, char **argv) {
  gantry::test::crash::Options options;
  options.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&] { return arg.substr(arg.find('=') + 1); };
    if (arg.starts_with("--plugin=")) {
      options.plugin = value();
    } else if (arg == "--level=memory") {
      options.level = GANTRY_DURABILITY_MEMORY;
    } else if (arg == "--level=written") {
      options.level = GANTRY_DURABILITY_WRITTEN;
    } else if (arg == "--level=durable") {
      options.level = GANTRY_DURABILITY_DURABLE;
    } else if (arg == "--bases") {
      options.bases = true;
    } else if (arg == "--expect-loss") {
      options.expect_loss = true;
    } else if (arg.starts_with("--rounds=")) {
      options.rounds = std::strtoull(value().c_str(), nullptr, 10);
    } else if (arg.starts_with("--seed=")) {
      options.seed = std::strtoull(value().c_str(), nullptr, 10);
    } else if (arg.starts_with("--set=") && value().find('=') != std::string::npos) {
      const std::string setting = value();
      options.config[setting.substr(0, setting.find('='))] = setting.substr(setting.find('=') + 1);
    } else {
      std::fprintf(stderr, "store-crash: unknown argument %s\n", arg.c_str());
      return 2;
    }
  }
  if (options.plugin.empty() || options.rounds == 0) {
    std::fprintf(stderr, "store-crash: which store? --plugin=<path of the .so>, and at least one round\n");
    return 2;
  }
  return gantry::test::crash::run_parent(options);
}
