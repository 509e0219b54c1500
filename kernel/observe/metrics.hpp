// Counters and gauges in cells of one cache line each, one cell per shard: counting is a plain add without contention.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct gantry_metrics_v1;

namespace gantry {

enum class MetricKind : std::uint32_t { kCounter = 1, kGauge = 2 };  // the numbers of GANTRY_METRIC_*
inline constexpr std::uint32_t kNoShard = 0xFFFFFFFFu;               // GANTRY_NO_SHARD: all threads that are no shard

// Adds to a cell of the calling thread's own shard; a cell of kNoShard needs count_shared.
inline void count(std::uint64_t *cell, std::uint64_t n = 1) {
  __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
inline void count_shared(std::uint64_t *cell, std::uint64_t n = 1) { __atomic_fetch_add(cell, n, __ATOMIC_RELAXED); }
inline void set_gauge(std::uint64_t *cell, std::int64_t value) {
  __atomic_store_n(cell, static_cast<std::uint64_t>(value), __ATOMIC_RELAXED);
}

class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics &) = delete;
  Metrics &operator=(const Metrics &) = delete;

  // The cell of (name, instance, shard), made at the first call and valid as long as this object. Name: [a-z][a-z0-9_]*, the unit last,
  // without "gantry_", which is put in front when rendered. `instance` is the label of a plugin instance, empty for the kernel.
  // nullptr: the name is malformed, or the same name exists with the other kind. Any thread; takes a lock.
  [[nodiscard]] std::uint64_t *cell(MetricKind kind, std::string_view name, std::string_view help, std::uint32_t shard,
                                    std::string_view instance = {});

  // Prometheus text format 0.0.4, families by name: gantry_<name>{instance="...",shard="0"} 7. A gauge is read as signed.
  // Any thread; values are read while they change.
  [[nodiscard]] std::string render_prometheus() const;

 private:
  struct alignas(64) Cell {
    std::uint64_t value = 0;
  };
  struct Sample {
    std::string instance;
    std::uint32_t shard;
    std::unique_ptr<Cell> cell;
  };
  struct Family {
    MetricKind kind;
    std::string name, help;
    std::vector<Sample> samples;
  };

  mutable std::mutex mutex_;
  std::vector<Family> families_;
};

// The registry of the process, never destroyed.
[[nodiscard]] Metrics &metrics();

// Service table GANTRY_METRICS_ID over metrics(); the label of the host becomes `instance`.
[[nodiscard]] const gantry_metrics_v1 &metrics_table();

}  // namespace gantry
