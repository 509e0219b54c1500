#include "kernel/observe/log.hpp"

#include "kernel/base/host_context.hpp"

#include <gantry/draft/host.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace gantry {
namespace {

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { set_log_level(LogLevel::kInfo); }
  static std::string written(const std::function<void()> &log) {
    testing::internal::CaptureStderr();
    log();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, OneLineWithTimeLevelComponentAndParts) {
  const std::string line = written([] { log_info("io", "listening on ", std::string("a:1"), ", shard ", 3u, ", left ", std::int64_t{-7}, ", tls ", true); });
  constexpr std::string_view kTime = "dddd-dd-ddTdd:dd:dd.ddd?dd:dd";
  ASSERT_GT(line.size(), kTime.size());
  for (std::size_t i = 0; i < kTime.size(); ++i) {
    const bool fits = kTime[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : kTime[i] == '?' ? line[i] == '+' || line[i] == '-' : line[i] == kTime[i];
    EXPECT_TRUE(fits) << "at " << i << " of " << line;
  }
  EXPECT_EQ(line.substr(kTime.size()), " info io listening on a:1, shard 3, left -7, tls true\n");
}

TEST_F(LogTest, LevelsBelowTheLowestAreLeftOut) {
  EXPECT_EQ(written([] { log_debug("io", "hidden"); }), "");
  set_log_level(LogLevel::kWarn);
  const std::string text = written([] {
    log_info("io", "hidden");
    log_warn("io", "seen");
    log_error("io", "seen too");
  });
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find(" warn io seen\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" error io seen too\n"), std::string::npos) << text;
  set_log_level(LogLevel::kDebug);
  EXPECT_NE(written([] { log_debug("io", "now"); }).find(" debug io now\n"), std::string::npos);
}

TEST_F(LogTest, TextOfStrangersStaysOneLine) {
  const std::string line = written([] { log_info("io", "topic \"a\nerror io forged\x1b[31m\x7f\ttab {} %s"); });
  EXPECT_NE(line.find("topic \"a\\nerror io forged\\x1b[31m\\x7f tab {} %s\n"), std::string::npos) << line;
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST_F(LogTest, LevelNames) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) EXPECT_EQ(parse_log_level(to_text(level)), level);
  for (const char *wrong : {"", "Info", "warning", "trace", "off"}) EXPECT_EQ(parse_log_level(wrong), std::nullopt) << wrong;
}

TEST_F(LogTest, TableCarriesTheLabelOfTheInstance) {
  HostContext host;
  host.label = "store-commitlog/commitlog";
  const gantry_log_v1 &table = log_table();
  EXPECT_EQ(table.enabled(&host.abi, GANTRY_LOG_DEBUG), 0);
  EXPECT_EQ(table.enabled(&host.abi, GANTRY_LOG_INFO), 1);
  const std::string text = written([&] {
    table.write(&host.abi, GANTRY_LOG_DEBUG, "hidden", 6);
    table.write(&host.abi, GANTRY_LOG_WARN, "segment sealed, and more", 14);
    table.write(&host.abi, GANTRY_LOG_INFO, nullptr, 0);
    table.write(&host.abi, 99, "unknown level", 13);
  });
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find(" warn store-commitlog/commitlog segment sealed\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" error store-commitlog/commitlog unknown level\n"), std::string::npos) << text;
}

TEST_F(LogTest, LinesOfManyThreadsDoNotMix) {
  const std::string text = written([] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < 100; ++i) log_info("thread", std::string(50, static_cast<char>('a' + t)));
      });
  });
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t at = line.find(" info thread ");
    ASSERT_NE(at, std::string::npos) << line;
    const std::string body = line.substr(at + 13);
    EXPECT_EQ(body, std::string(50, body.empty() ? '?' : body.front()));
  }
  EXPECT_EQ(count, 400);
}

}  // namespace
}  // namespace gantry
