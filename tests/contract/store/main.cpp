#include "fixture.h"

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!::testing::GTEST_FLAG(list_tests) && !gantry::test::parse_arguments(argc, argv)) return 2;
  return RUN_ALL_TESTS();
}
