// What came and went per topic and group: counters that the data path raises, and samples of them from which tools read speeds.
#pragma once

#include <gantry/draft/admin.h>

#include <atomic>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

// Raised from any shard.
struct Traffic {
  std::atomic<std::uint64_t> messages{0}, bytes{0};

  void add(std::uint64_t n, std::uint64_t size) {
    messages.fetch_add(n, std::memory_order_relaxed);
    bytes.fetch_add(size, std::memory_order_relaxed);
  }
};

// Readings of one counter over the newest minute, hour and day, as RocketMQ's StatsItem takes them.
class Samples {
 public:
  static constexpr std::int64_t kEveryMs = 10'000;

  // Called every kEveryMs, monotonic time.
  void take(std::int64_t now_ms, const Traffic &traffic);
  void fill(gantry_stat *out) const;

 private:
  struct Reading {
    std::int64_t ms = 0, messages = 0, bytes = 0;
  };
  using Window = std::vector<Reading>;
  static void push(Window &window, std::size_t keep, const Reading &reading);
  static gantry_stat_span span_of(const Window &window);

  Window minute_, hour_, day_;
};

// Guarded by the broker's mutex, but for the counters themselves.
class Stats {
 public:
  struct Item {
    Traffic traffic;
    Samples samples;
  };

  // Of what a group gets from a topic; stays where it is until one of them is deleted.
  [[nodiscard]] std::shared_ptr<Item> gets(gantry_group group, gantry_topic topic);
  [[nodiscard]] const Item *find_gets(gantry_group group, gantry_topic topic) const;
  void forget(gantry_group group, gantry_topic topic);  // 0: any

  // Once per Samples::kEveryMs. `wall_ms`: for the totals at midnight.
  void take(std::int64_t now_ms, std::int64_t wall_ms);
  void fill(gantry_broker_runtime *out) const;

  Item put, get;  // of the whole broker

 private:
  struct Key {
    gantry_group group;
    gantry_topic topic;
    bool operator==(const Key &) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key &k) const noexcept { return k.group * 0x9E3779B97F4A7C15ull ^ k.topic * 0xC2B2AE3D27D4EB4Full; }
  };
  struct Reading {
    std::int64_t ms = 0, put = 0, get = 0;
  };
  std::unordered_map<Key, std::shared_ptr<Item>, Hash> gets_;
  std::deque<Reading> readings_;  // of the newest 10 min
  std::int64_t day_ = 0;          // number of the local day that it is
  std::int64_t put_yesterday_ = 0, put_today_ = 0, get_yesterday_ = 0, get_today_ = 0;
};

}  // namespace gantry::broker
