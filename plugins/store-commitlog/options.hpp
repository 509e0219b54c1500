// Configuration keys of the component and their values.
#pragma once

#include "types.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gantry::commitlog {

// Retention of some topics of their own.
struct TopicRule {
  std::string topic;    // its name, or what it begins with
  bool prefix = false;
  std::int64_t keep_ms = -1;  // 0 = for ever, -1 = as all others
  std::int64_t bytes = 0;     // 0 = unlimited
};

struct Options {
  std::int64_t segment_bytes = 256ll << 20;
  std::int64_t hot_cache_bytes = 32ll << 20;
  std::int64_t read_cache_bytes = 16ll << 20;
  std::int64_t retention_ms = 72ll * 3600 * 1000;  // 0 = for ever
  std::int64_t retention_bytes = 0;                // 0 = unlimited
  std::int64_t checkpoint_bytes = 64ll << 20;
  std::int64_t reserve_bytes = 4ll << 20;
  std::int64_t flush_interval_ms = 500;
  std::int64_t recycle_segments = 2;
  std::int64_t readers = 2;
  std::string engine = "auto";     // auto, io_uring, pwrite
  bool direct = true;              // try O_DIRECT
  std::string zero_fill = "auto";  // auto, on, off
  bool accept_lost_checkpoint = false;
  std::vector<TopicRule> topic_rules;  // the first that fits counts
  std::uint32_t delete_hours = 0;  // bit h: old log files may go in hour h, local time; 0 = at any time
  std::string disk_full = "refuse";  // refuse, drop_oldest, drop_consumed
  std::int64_t keep_free_bytes = 256ll << 20;
  std::int64_t scrub_every_ms = 7ll * 24 * 3600 * 1000;  // 0 = never
  std::int64_t scrub_rate = 16ll << 20;                  // bytes per second at most

  // CONFIG with the key and what is allowed.
  static Result<Options> from(const gantry_config &config);
};

[[nodiscard]] std::span<const gantry_config_key> config_keys();

}  // namespace gantry::commitlog
