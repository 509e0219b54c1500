// The part of broker.toml that belongs to the kernel, checked. Keys, units, defaults and ranges: docs/operations/configuration.md.
#pragma once

#include "kernel/config/delay_levels.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::config {

struct BrokerSettings {
  std::string cluster, name;
  std::int64_t id = 0;  // 0 = master
  std::string data_dir;
  bool auto_create_topics = true, auto_create_groups = true;
  std::uint32_t default_topic_queues = 0;
  std::uint32_t max_message_bytes = 0;
  DelayLevels delay_levels;
  std::int64_t max_timer_delay_ms = 0;
  std::string allocator;  // plugin; empty: the built-in average alone
  std::vector<std::string> filters;  // plugins, beside those that have a [[filter]]
  std::int64_t transaction_timeout_ms = 0, transaction_check_interval_ms = 0;
  std::uint32_t transaction_check_max = 0;
  std::uint32_t shards = 0;  // resolved: never 0
  std::int64_t drain_timeout_ms = 0;
  std::string log_level;  // "debug", "info", "warn", "error"
  std::vector<std::string> plugin_dirs;
};

struct FilterSettings {
  std::string plugin;         // its name, or the path of its file
  std::int32_t section = -1;  // its [[filter]], counted from 0; -1: it has none, and all its keys their defaults
};

struct StoreSettings {
  std::string plugin;
  std::uint32_t ack = 0;  // GANTRY_DURABILITY_MEMORY, _WRITTEN or _DURABLE
  std::string ack_text;   // the same as written in the file
};

struct AuthSettings {
  std::string plugin;
  std::string audit;  // "off", "refusals", "changes"
};

enum class TlsMode : std::uint8_t { kOff, kOptional, kRequired };

struct ProtocolSettings {
  std::string plugin;
  std::string component;  // empty: the plugin's first protocol component
  std::string name;       // for people and -D: the component, or the plugin's name without "protocol-"
  std::string listen;     // "host:port", "[v6]:port", ":port" = all addresses; checked, port 0 = any free one
  TlsMode tls = TlsMode::kOff;
  std::string tls_cert, tls_key;  // PEM files; empty = none
  bool open = false;  // auth = "none": whoever reaches it may do everything
  std::uint32_t max_connections = 0;  // UINT32_MAX = no limit ("0" in the file)
  std::int64_t idle_timeout_ms = 0;   // 0 = never
};

}  // namespace gantry::config
