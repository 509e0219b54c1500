// The promises of gantry.allocator.draft/1, tested through the C table alone, on every component of the plugin that the command line names.
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "support/plugin_loader.h"

#include <gantry++/str.hpp>
#include <gantry/draft/allocator.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace gantry::test {
namespace {

std::string plugin_path;

// One started component.
struct Allocator {
  const gantry_component &component;
  FakeConfig config;
  void *self = nullptr;

  Allocator(FakeHost &host, const gantry_component &c) : component(c), config(c, ConfigTexts{}) {
    gantry_error err{};
    EXPECT_EQ(component.create(host.abi(), config.abi(), &self, &err), GANTRY_OK) << err.text;
    EXPECT_EQ(component.start(self, &err), GANTRY_OK) << err.text;
  }
  ~Allocator() {
    component.stop(self);
    component.destroy(self);
  }
  [[nodiscard]] std::int32_t assign(const gantry_alloc_input &in, std::uint32_t *owner) const {
    gantry_error err{};
    return static_cast<const gantry_allocator_v1 *>(component.vtable)->assign(self, &in, owner, &err);
  }
};

// Consumers and queues with the memory that the input points to.
struct Input {
  std::vector<std::string> ids;
  std::vector<gantry_alloc_consumer> consumers;
  std::vector<gantry_alloc_queue> queues;
  gantry_alloc_input abi{};

  Input(std::uint32_t n_consumers, std::uint32_t n_queues, std::uint32_t seed = 0) {
    std::mt19937 random(seed);
    for (std::uint32_t i = 0; i < n_consumers; ++i) {
      std::string id = std::to_string(i);
      ids.push_back("192.168.0." + std::string(5 - id.size(), '0') + id + "@client");
    }
    for (const std::string &id : ids) consumers.push_back({str(id), {}, 1, 0});
    for (std::uint32_t q = 0; q < n_queues; ++q) {
      // Anything may stand there: consumers that are gone are told as none.
      const std::uint32_t previous = seed == 0 || random() % 3 == 0 ? GANTRY_NO_CONSUMER : static_cast<std::uint32_t>(random() % n_consumers);
      queues.push_back({str("broker-a"), q, previous});
    }
    abi = gantry_alloc_input{sizeof abi, 0, str("T"), str("G"), consumers.data(), queues.data(), n_consumers, n_queues};
  }
};

class AllocatorContract : public ::testing::Test {
 protected:
  void SetUp() override {
    const gantry_plugin &plugin = load_plugin(plugin_path);
    for (std::uint32_t i = 0; i < plugin.n_components; ++i)
      if (std::string_view(plugin.components[i]->interface_id) == GANTRY_ALLOCATOR_ID) all_.push_back(std::make_unique<Allocator>(host_, *plugin.components[i]));
    ASSERT_FALSE(all_.empty());
  }
  FakeHost host_;
  std::vector<std::unique_ptr<Allocator>> all_;
};

constexpr std::uint32_t kUntouched = 0xABCDABCD;

TEST_F(AllocatorContract, EveryQueueHasAnOwnerThatExists) {
  for (const auto &allocator : all_) {
    for (const std::uint32_t consumers : {1u, 2u, 3u, 7u, 16u, 100u}) {
      for (const std::uint32_t queues : {1u, 2u, 8u, 9u, 64u, 1000u}) {
        for (const std::uint32_t seed : {0u, 1u, 2u}) {
          const Input in(consumers, queues, seed);
          std::vector<std::uint32_t> owner(queues + 1, kUntouched);
          ASSERT_EQ(allocator->assign(in.abi, owner.data()), GANTRY_OK);
          for (std::uint32_t q = 0; q < queues; ++q) ASSERT_LT(owner[q], consumers) << allocator->component.name << ": queue " << q << " of " << queues << ", " << consumers << " consumers";
          EXPECT_EQ(owner[queues], kUntouched) << allocator->component.name << " writes beyond the end";
        }
      }
    }
  }
}

TEST_F(AllocatorContract, TheSameInputHasTheSameAnswer) {
  for (const auto &allocator : all_) {
    const Input in(5, 33, 4), other(4, 33, 5);
    std::vector<std::uint32_t> first(33), between(33), second(33);
    ASSERT_EQ(allocator->assign(in.abi, first.data()), GANTRY_OK);
    ASSERT_EQ(allocator->assign(other.abi, between.data()), GANTRY_OK);
    ASSERT_EQ(allocator->assign(in.abi, second.data()), GANTRY_OK);
    EXPECT_EQ(first, second) << allocator->component.name;
  }
}

TEST_F(AllocatorContract, TheInputIsLeftAlone) {
  for (const auto &allocator : all_) {
    const Input in(3, 10, 7);
    const Input same(3, 10, 7);
    std::vector<std::uint32_t> owner(10);
    ASSERT_EQ(allocator->assign(in.abi, owner.data()), GANTRY_OK);
    for (std::uint32_t q = 0; q < 10; ++q) EXPECT_EQ(in.queues[q].previous, same.queues[q].previous);
    EXPECT_EQ(in.ids, same.ids);
  }
}

TEST_F(AllocatorContract, NobodyOrNothingIsRefused) {
  for (const auto &allocator : all_) {
    Input in(2, 2);
    std::uint32_t owner[2] = {kUntouched, kUntouched};
    in.abi.n_consumers = 0;
    EXPECT_LT(allocator->assign(in.abi, owner), 0) << allocator->component.name;
    in.abi.n_consumers = 2;
    in.abi.n_queues = 0;
    EXPECT_LT(allocator->assign(in.abi, owner), 0) << allocator->component.name;
    EXPECT_EQ(owner[0], kUntouched);
  }
}

TEST_F(AllocatorContract, SeveralThreadsAtOnce) {
  for (const auto &allocator : all_) {
    const Input in(9, 200, 3);
    std::vector<std::uint32_t> wanted(200);
    ASSERT_EQ(allocator->assign(in.abi, wanted.data()), GANTRY_OK);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        std::vector<std::uint32_t> owner(200);
        for (int i = 0; i < 200; ++i)
          if (allocator->assign(in.abi, owner.data()) != GANTRY_OK || owner != wanted) ++wrong;
      });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(wrong, 0) << allocator->component.name;
  }
}

}  // namespace
}  // namespace gantry::test

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i)
    if (const std::string_view arg = argv[i]; arg.starts_with("--plugin=")) gantry::test::plugin_path = arg.substr(9);
  if (!::testing::GTEST_FLAG(list_tests) && gantry::test::plugin_path.empty()) {
    std::fprintf(stderr, "allocator-contract: --plugin=FILE is missing\n");
    return 2;
  }
  return RUN_ALL_TESTS();
}
