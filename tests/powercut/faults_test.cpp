#include "faults.hpp"
#include "power.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

namespace gantry::test::powercut {
namespace {

TEST(Faults, MeetTheChosenRequestsOnly) {
  Faults faults;
  faults.add({.op = Op::kWrite, .pattern = "*/log/*", .nth = 2, .count = 2, .error = EIO});
  faults.add({.op = Op::kFlush, .pattern = "*", .nth = 1, .count = 0, .error = ENOSPC});
  EXPECT_EQ(faults.check(Op::kWrite, "/data/log/1"), 0);
  EXPECT_EQ(faults.check(Op::kWrite, "/data/index/1"), 0);
  EXPECT_EQ(faults.check(Op::kWrite, "/data/log/1"), -EIO);
  EXPECT_EQ(faults.check(Op::kRead, "/data/log/1"), 0);
  EXPECT_EQ(faults.check(Op::kWrite, "/data/log/2"), -EIO);
  EXPECT_EQ(faults.check(Op::kWrite, "/data/log/2"), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(faults.check(Op::kFlush, "/any"), -ENOSPC);
  EXPECT_EQ(faults.met(), 7u);
  faults.clear();
  EXPECT_EQ(faults.check(Op::kFlush, "/any"), 0);
}

TEST(Faults, OperationsHaveNames) {
  Op op = Op::kRead;
  EXPECT_TRUE(parse_op("fsyncdir", &op));
  EXPECT_EQ(op, Op::kFlushNames);
  EXPECT_FALSE(parse_op("sync", &op));
}

TEST(Power, GoesInTheMidstOfTheChosenChange) {
  Disk disk;
  Power power(disk);
  std::thread cutter([&] { (void)power.cut(1, 3, std::chrono::hours(1)); });
  std::uint64_t steps = 0;
  while (power.state() == 0) {
    power.step();
    ++steps;
  }
  cutter.join();
  EXPECT_GE(steps, 3u);
  EXPECT_EQ(power.state(), 1u);
  power.restore();
  EXPECT_EQ(power.state(), 2u);
}

TEST(Power, GoesWhenTheTimeIsOver) {
  Disk disk;
  Power power(disk);
  (void)power.cut(1, 1000, std::chrono::milliseconds(1));
  EXPECT_EQ(power.state(), 1u);
}

}  // namespace
}  // namespace gantry::test::powercut
