// A script that is replaced again and again while batches run: each message is decided once, by the old text or the new one, and memory stays.
// GANTRY_RELOADS says how often; a broker under load is in tests/filter-lua-broker.
#include "program.hpp"

#include <gantry++/str.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace gantry::lua {
namespace {

int reloads() {
  const char *const wanted = std::getenv("GANTRY_RELOADS");
  return wanted != nullptr ? std::atoi(wanted) : 100;
}

TEST(Reload, EveryMessageIsDecidedOnceByAWholeScript) {
  auto named = std::make_shared<NamedScript>();
  const auto text = [](int i) { return "local n = tonumber(p.n) -- version " + std::to_string(i) + "\nreturn n % 2 == 0"; };
  named->put(std::make_shared<const Script>(Script{"@even", text(0)}));
  Program program(nullptr, named, Limits{}, nullptr);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> batches{0};
  std::vector<std::thread> shards;
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    shards.emplace_back([&, shard] {
      std::vector<std::string> props;
      std::vector<gantry_str> column, bodies(64);
      for (int i = 0; i < 64; ++i) props.push_back("n\x01" + std::to_string(i) + "\x02");
      for (const std::string &p : props) column.push_back(str(p));
      while (!done.load()) {
        gantry_filter_batch batch{};
        batch.size = sizeof batch;
        batch.n = 64;
        batch.props = column.data();
        batch.body = bodies.data();
        std::uint64_t match = 0, error = 0;
        if (program.eval(shard, batch, &match, &error) != GANTRY_OK || match != 0x5555555555555555u || error != 0) ++wrong;
        ++batches;
      }
    });
  }
  for (int i = 1; i <= reloads(); ++i) {
    const std::uint64_t before = batches.load();
    named->put(std::make_shared<const Script>(Script{"@even", text(i)}));
    while (batches.load() < before + 3) std::this_thread::yield();
  }
  done = true;
  for (std::thread &shard : shards) shard.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gantry::lua
