// What plugins cost: calls into them, what they were called for, time, failures. Counted once per call, and calls are made per batch.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace gantry {

// The processor's counter of time, where reading it costs a fifth of asking the clock; it runs evenly on every machine that Gantry is made for.
inline std::uint64_t read_ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// How long a tick is, measured from when it was made.
class TickRate {
 public:
  [[nodiscard]] double ns_per_tick() const {
    const auto ticks = static_cast<double>(read_ticks() - ticks_);
    const auto ns = static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - time_).count());
    return ticks > 0 ? ns / ticks : 1.0;
  }

 private:
  const std::uint64_t ticks_ = read_ticks();
  const std::chrono::steady_clock::time_point time_ = std::chrono::steady_clock::now();
};

struct CallTotals {
  std::uint64_t calls = 0, items = 0, errors = 0, ticks = 0, longest_ticks = 0;
};

// Of one function of a plugin, or of one expression. [thread: any]
class CallMeter {
 public:
  // `cells`: how many threads shall count without getting into each other's way.
  explicit CallMeter(std::uint32_t cells = 1) : n_(cells), cells_(std::make_unique<Cell[]>(cells)) {}
  CallMeter(const CallMeter &) = delete;
  CallMeter &operator=(const CallMeter &) = delete;

  void note(std::uint32_t shard, std::uint64_t items, std::uint64_t errors, std::uint64_t ticks) {
    Cell &cell = cells_[shard % n_];
    cell.calls.fetch_add(1, std::memory_order_relaxed);
    cell.items.fetch_add(items, std::memory_order_relaxed);
    if (errors != 0) cell.errors.fetch_add(errors, std::memory_order_relaxed);
    cell.ticks.fetch_add(ticks, std::memory_order_relaxed);
    // Two threads of one cell may lose the longer one: it is shown, nothing hangs on it.
    if (ticks > cell.longest.load(std::memory_order_relaxed)) cell.longest.store(ticks, std::memory_order_relaxed);
  }
  [[nodiscard]] CallTotals totals() const {
    CallTotals out;
    for (std::uint32_t i = 0; i < n_; ++i) {
      const Cell &cell = cells_[i];
      out.calls += cell.calls.load(std::memory_order_relaxed);
      out.items += cell.items.load(std::memory_order_relaxed);
      out.errors += cell.errors.load(std::memory_order_relaxed);
      out.ticks += cell.ticks.load(std::memory_order_relaxed);
      out.longest_ticks = std::max(out.longest_ticks, cell.longest.load(std::memory_order_relaxed));
    }
    return out;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> calls{0}, items{0}, errors{0}, ticks{0}, longest{0};
  };
  const std::uint32_t n_;
  const std::unique_ptr<Cell[]> cells_;
};

// Every function of a plugin that is measured. Filled while the process starts, its rows are read-only afterwards.
class PluginMeters {
 public:
  struct Row {
    std::string plugin, kind, function;  // "filter-lua", "filter", "eval"
    std::unique_ptr<CallMeter> meter;
  };

  // One cell per shard, so that shards count apart. [thread: control, before the shards run]
  CallMeter &add(std::string plugin, std::string kind, std::string function, std::uint32_t shards) {
    rows_.push_back({std::move(plugin), std::move(kind), std::move(function), std::make_unique<CallMeter>(shards)});
    return *rows_.back().meter;
  }
  [[nodiscard]] const std::vector<Row> &rows() const { return rows_; }
  [[nodiscard]] double ns_per_tick() const { return rate_.ns_per_tick(); }

 private:
  TickRate rate_;
  std::vector<Row> rows_;
};

}  // namespace gantry
