// What RocketMQ's own library answered (README.md), line by line.
#include "run_program.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace gantry::sql92 {
namespace {

std::string recorded_file = GANTRY_RECORDED;

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      c = text[++i];
      c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
    }
    out += c;
  }
  return out;
}

TEST(Recorded, TheAnswersAreRocketMQs) {
  std::ifstream file(recorded_file, std::ios::binary);
  ASSERT_TRUE(file) << recorded_file;
  int lines = 0, wrong = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      fields.push_back(unescaped(std::string_view(line).substr(at, end - at)));
      at = end + 1;
    }
    ASSERT_GE(fields.size(), 2u) << "line " << lines + 1;
    ASSERT_EQ(fields.size() % 2, 0u) << "line " << lines + 1;
    Properties properties;
    for (std::size_t i = 2; i < fields.size(); i += 2) properties[fields[i]] = fields[i + 1];
    const char ours = answer(fields[1], properties);
    if (ours == fields[0][0]) continue;
    if (++wrong <= 20) ADD_FAILURE() << "line " << lines + 1 << ": RocketMQ says " << fields[0] << ", we say " << ours << ": " << line;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(lines, 1000);
}

}  // namespace
}  // namespace gantry::sql92

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i)
    if (const std::string_view arg = argv[i]; arg.starts_with("--recorded=")) gantry::sql92::recorded_file = arg.substr(11);
  return RUN_ALL_TESTS();
}
