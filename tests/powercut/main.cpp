// powercut MOUNT SOCKET [--size=BYTES] [--direct-io] [--no-direct] [--flush-us=N] [--log=FILE]
//
// Mounts an empty disk in memory at the folder MOUNT, takes commands at SOCKET (control.hpp) and says "ready". Ends with SIGTERM, when it is unmounted, or
// with who has started it; then the disk is gone.
#include "control.hpp"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace {

using namespace gantry::test::powercut;

int wrong_use(const char *what) {
  std::fprintf(stderr, "powercut: %s; use: powercut MOUNT SOCKET [--size=BYTES] [--direct-io] [--no-direct] [--flush-us=N] [--log=FILE]\n", what);
  return 2;
}

void say_ready(void *) {
  std::puts("ready");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char **argv) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that was killed leaves no mount behind
  if (argc < 3) return wrong_use("MOUNT or SOCKET is missing");
  World world(0);
  std::string log;
  for (int i = 3; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value_of = [&](const std::string &key) { return arg.starts_with(key + "=") ? std::optional(arg.substr(key.size() + 1)) : std::nullopt; };
    if (const auto size = value_of("--size")) {
      world.disk.resize(std::strtoull(size->c_str(), nullptr, 10));
    } else if (const auto flush = value_of("--flush-us")) {
      world.flush_us = static_cast<std::uint32_t>(std::strtoul(flush->c_str(), nullptr, 10));
    } else if (const auto path = value_of("--log")) {
      log = *path;
    } else if (arg == "--direct-io") {
      world.direct_io = true;
    } else if (arg == "--no-direct") {
      world.refuse_direct = true;
    } else {
      return wrong_use(("what is " + arg + "?").c_str());
    }
  }
  const Control control(world, argv[2], log);
  if (!control.listening()) return wrong_use("cannot listen at SOCKET");
  return serve(world, argv[1], say_ready, nullptr);
}
