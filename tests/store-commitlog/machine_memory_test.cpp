// What limits the memory that a broker may use.
#include "machine_memory.hpp"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace gantry::commitlog {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

class MachineMemory : public ::testing::Test {
 protected:
  void put(const std::string &path, const std::string &text) const {
    const std::filesystem::path file = folder.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  std::int64_t usable() const { return usable_memory_bytes(folder.path() / "membership", folder.path() / "groups"); }

  test::TempDir folder;
};

TEST_F(MachineMemory, WithoutLimitsItIsTheMachines) {
  const std::int64_t machine = usable();
  EXPECT_GT(machine, 64 * kMiB);
  put("membership", "0::/");
  EXPECT_EQ(usable(), machine) << "the root has no file of limits";
  put("membership", "0::/a");
  put("groups/a/memory.max", "max");
  EXPECT_EQ(usable(), machine);
  put("groups/a/memory.max", std::to_string(machine * 2));
  EXPECT_EQ(usable(), machine) << "a limit beyond what is there";
}

TEST_F(MachineMemory, TheLeastLimitOfAllGroupsAroundCounts) {
  put("membership", "0::/slice/broker.service");
  put("groups/slice/broker.service/memory.max", std::to_string(48 * kMiB));
  put("groups/slice/memory.max", std::to_string(32 * kMiB));
  EXPECT_EQ(usable(), 32 * kMiB);
  put("groups/slice/memory.max", "max");
  EXPECT_EQ(usable(), 48 * kMiB);
}

TEST_F(MachineMemory, GroupsOfTheFirstVersionCountToo) {
  put("membership", "7:cpuset:/other\n5:cpu,memory:/docker/x\n0::/");
  put("groups/memory/docker/x/memory.limit_in_bytes", std::to_string(40 * kMiB));
  put("groups/memory/other/memory.limit_in_bytes", std::to_string(kMiB));
  EXPECT_EQ(usable(), 40 * kMiB);
}

TEST_F(MachineMemory, LinesThatSayNothingAreNoLimit) {
  const std::int64_t machine = usable();
  put("membership", "nonsense\n\n0:\n0::/a");
  put("groups/a/memory.max", "-5");
  EXPECT_EQ(usable(), machine);
}

}  // namespace
}  // namespace gantry::commitlog
