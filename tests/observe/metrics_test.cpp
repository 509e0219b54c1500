#include "kernel/observe/metrics.hpp"

#include "kernel/base/host_context.hpp"

#include <gantry/draft/host.h>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace gantry {
namespace {

TEST(Metrics, SameNameAndShardIsTheSameCellAndEachHasItsOwnCacheLine) {
  Metrics metrics;
  std::uint64_t *const first = metrics.cell(MetricKind::kCounter, "messages_in_total", "messages", 0);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first, metrics.cell(MetricKind::kCounter, "messages_in_total", "another help", 0));
  std::uint64_t *const second = metrics.cell(MetricKind::kCounter, "messages_in_total", "messages", 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, metrics.cell(MetricKind::kCounter, "messages_in_total", "messages", 0, "store"));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 64, 0u);
  for (std::uint32_t shard = 2; shard < 200; ++shard) ASSERT_NE(metrics.cell(MetricKind::kCounter, "messages_in_total", "messages", shard), nullptr);
  EXPECT_EQ(first, metrics.cell(MetricKind::kCounter, "messages_in_total", "messages", 0)) << "cells never move";
}

TEST(Metrics, RefusesBadNamesAndAnotherKind) {
  Metrics metrics;
  for (const char *wrong : {"", "Messages", "messages-total", "1_total", "a b", "a{b}", "_x"})
    EXPECT_EQ(metrics.cell(MetricKind::kCounter, wrong, "", 0), nullptr) << wrong;
  EXPECT_EQ(metrics.cell(MetricKind::kCounter, std::string(129, 'a'), "", 0), nullptr);
  ASSERT_NE(metrics.cell(MetricKind::kCounter, "a_total", "", 0), nullptr);
  EXPECT_EQ(metrics.cell(MetricKind::kGauge, "a_total", "", 0), nullptr);
}

TEST(Metrics, RendersPrometheusText) {
  Metrics metrics;
  count(metrics.cell(MetricKind::kCounter, "messages_in_total", "messages \\ taken\nin", 0), 7);
  count_shared(metrics.cell(MetricKind::kCounter, "messages_in_total", "", kNoShard), 2);
  count(metrics.cell(MetricKind::kCounter, "messages_in_total", "", 1, "remo\"ting\\x"));
  set_gauge(metrics.cell(MetricKind::kGauge, "connections", "open now", 0), -3);
  EXPECT_EQ(metrics.render_prometheus(),
            "# HELP gantry_connections open now\n"
            "# TYPE gantry_connections gauge\n"
            "gantry_connections{shard=\"0\"} -3\n"
            "# HELP gantry_messages_in_total messages \\\\ taken\\nin\n"
            "# TYPE gantry_messages_in_total counter\n"
            "gantry_messages_in_total{shard=\"0\"} 7\n"
            "gantry_messages_in_total{shard=\"none\"} 2\n"
            "gantry_messages_in_total{instance=\"remo\\\"ting\\\\x\",shard=\"1\"} 1\n");
}

TEST(Metrics, CountsWhileRendered) {
  Metrics metrics;
  std::atomic<bool> done = false;
  std::jthread reader([&] {
    while (!done) EXPECT_LT(metrics.render_prometheus().size(), 10'000u);
  });
  {
    std::vector<std::jthread> shards;
    for (std::uint32_t shard = 0; shard < 3; ++shard)
      shards.emplace_back([&metrics, shard] {
        std::uint64_t *const own = metrics.cell(MetricKind::kCounter, "own_total", "", shard);
        std::uint64_t *const shared = metrics.cell(MetricKind::kCounter, "shared_total", "", kNoShard);
        for (int i = 0; i < 10'000; ++i) {
          count(own);
          count_shared(shared);
        }
      });
  }
  done = true;
  reader.join();
  for (std::uint32_t shard = 0; shard < 3; ++shard) EXPECT_EQ(*metrics.cell(MetricKind::kCounter, "own_total", "", shard), 10'000u);
  EXPECT_EQ(*metrics.cell(MetricKind::kCounter, "shared_total", "", kNoShard), 30'000u);
}

TEST(Metrics, TableLabelsWithTheInstance) {
  HostContext host;
  host.label = "protocol-remoting/remoting";
  const gantry_metrics_v1 &table = metrics_table();
  std::uint64_t *const cell = table.cell(&host.abi, GANTRY_METRIC_COUNTER, "table_test_total", "of a test", 2);
  ASSERT_NE(cell, nullptr);
  *cell += 5;
  EXPECT_EQ(cell, metrics().cell(MetricKind::kCounter, "table_test_total", "", 2, "protocol-remoting/remoting"));
  EXPECT_NE(metrics().render_prometheus().find("gantry_table_test_total{instance=\"protocol-remoting/remoting\",shard=\"2\"} 5\n"), std::string::npos);
  EXPECT_EQ(table.cell(&host.abi, 3, "table_test_total", "", 0), nullptr);
  EXPECT_EQ(table.cell(&host.abi, GANTRY_METRIC_GAUGE, nullptr, "", 0), nullptr);
  EXPECT_NE(table.cell(&host.abi, GANTRY_METRIC_GAUGE, "table_test_bytes", nullptr, 0), nullptr);
}

}  // namespace
}  // namespace gantry
