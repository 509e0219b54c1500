#include "options.hpp"

#include "machine_memory.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

namespace gantry::commitlog {

namespace {

constexpr std::int64_t kMiB = 1ll << 20;
constexpr std::int64_t kForever = 1ll << 62;

constexpr gantry_config_key kKeys[] = {
    {"segment_size", GANTRY_KEY_SIZE, 0, "256 MiB", kMiB, 1024 * kMiB, nullptr, "bytes of one log file, a multiple of 1 MiB; applies to new files"},
    {"hot_cache", GANTRY_KEY_SIZE, 0, "32 MiB", kMiB, 4096 * kMiB, nullptr,
     "newest bytes of the log kept in memory, a power of two; also the buffer for writes"},
    {"read_cache", GANTRY_KEY_SIZE, 0, "0", 0, 65536 * kMiB, nullptr,
     "most memory for reads of older records, given back when nobody reads them; 0 = a sixteenth of the memory that the broker may use, 16 MiB to 256 MiB"},
    {"retention", GANTRY_KEY_DURATION, 0, "72h", 0, kForever, nullptr, "records older than this may be dropped, whole log files at a time; 0 = never"},
    {"retention_bytes", GANTRY_KEY_SIZE, 0, "0", 0, kForever, nullptr, "oldest log files are dropped while the log is bigger than this; 0 = unlimited"},
    {"checkpoint_every", GANTRY_KEY_SIZE, 0, "64 MiB", kMiB, kForever, nullptr, "bytes of log between checkpoints: bounds what a start has to scan"},
    {"reserve", GANTRY_KEY_SIZE, 0, "4 MiB", 0, 256 * kMiB, nullptr,
     "on a full disk: bytes kept for meta rows (consumer offsets, topics) while records are refused"},
    {"topic_retention", GANTRY_KEY_LIST, 0, nullptr, 0, 0, nullptr,
     "topics with a retention of their own, by time, by bytes or both: \"audit 720h\", \"logs-* 1h 2GiB\"; a time of 0s keeps them for ever"},
    {"delete_when", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr,
     "hours of the day, local time, in which log files older than retention are dropped, as RocketMQ's deleteWhen: \"04\" or \"04;16\"; empty = as soon as they are old"},
    {"disk_full", GANTRY_KEY_ENUM, 0, "refuse", 0, 0, "refuse drop_oldest drop_consumed",
     "when the log can grow no more: refuse new records, or drop the oldest log files, all of them or those that every group has consumed"},
    {"keep_free", GANTRY_KEY_SIZE, 0, "256 MiB", 0, kForever, nullptr,
     "bytes of the disk that the log leaves free, for indexes, checkpoints and consumer offsets; at most a sixteenth of the disk"},
    {"scrub_every", GANTRY_KEY_DURATION, 0, "168h", 0, kForever, nullptr,
     "full log files are read and compared with their checksums in the background, all of them once in this time; 0 = never"},
    {"scrub_rate", GANTRY_KEY_SIZE, 0, "16 MiB", 64 << 10, 1024 * kMiB, nullptr, "bytes per second that this reads at most"},
    {"flush_interval", GANTRY_KEY_DURATION, 0, "500ms", 10, 60000, nullptr, "records acknowledged as written are flushed to the disk this often"},
    {"recycle", GANTRY_KEY_INT, 0, "2", 0, 16, nullptr, "dropped log files kept for reuse: overwriting them is cheaper than new ones"},
    {"readers", GANTRY_KEY_INT, 0, "2", 1, 8, nullptr, "threads that read older records from the disk"},
    {"engine", GANTRY_KEY_ENUM, 0, "auto", 0, 0, "auto io_uring pwrite", "how the log is written; auto = io_uring where the kernel allows it"},
    {"direct", GANTRY_KEY_ENUM, 0, "auto", 0, 0, "auto off", "auto = past the page cache (O_DIRECT) where the file system allows it"},
    {"zero_fill", GANTRY_KEY_ENUM, 0, "auto", 0, 0, "auto on off",
     "write zeros into a new log file before its use, for cheaper flushes; auto = when the default durability is durable"},
    {"accept_lost_checkpoint", GANTRY_KEY_BOOL, 0, "false", 0, 0, nullptr,
     "open although both checkpoints are damaged and the log's beginning is gone: rows written only there are lost"},
};

// "04;16" as a bit for each hour. nullopt: it says something else.
std::optional<std::uint32_t> hours_of(const std::string &text) {
  std::uint32_t hours = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string one = text.substr(at, end - at);
    if (one.empty() || one.size() > 2 || !std::all_of(one.begin(), one.end(), [](char c) { return c >= '0' && c <= '9'; }) || std::stoi(one) > 23) return std::nullopt;
    hours |= 1u << std::stoi(one);
    at = end + 1;
  }
  return hours;
}

// A number with one of these units; nullopt: something else.
std::optional<std::int64_t> quantity(const std::string &text, std::span<const std::pair<const char *, std::int64_t>> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 12) return std::nullopt;
  for (const auto &[unit, factor] : units) {
    if (text.substr(digits) == unit) return std::stoll(text.substr(0, digits)) * factor;
  }
  return std::nullopt;
}

constexpr std::pair<const char *, std::int64_t> kTimes[] = {{"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr std::pair<const char *, std::int64_t> kSizes[] = {{"MiB", kMiB}, {"GiB", 1024 * kMiB}, {"TiB", 1024 * 1024 * kMiB}};

// "logs-* 1h 2GiB".
std::optional<TopicRule> topic_rule(const std::string &text) {
  TopicRule rule;
  std::size_t words = 0;
  for (std::size_t at = 0; at < text.size(); ++words) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (words == 0) {
      rule.topic = word;
    } else if (const auto time = quantity(word, kTimes); time && rule.keep_ms < 0) {
      rule.keep_ms = *time;
    } else if (const auto size = quantity(word, kSizes); size && *size > 0 && rule.bytes == 0) {
      rule.bytes = *size;
    } else {
      return std::nullopt;
    }
  }
  if (words < 2 || rule.topic.empty() || rule.topic == "*") return std::nullopt;
  rule.prefix = rule.topic.back() == '*';
  if (rule.prefix) rule.topic.pop_back();
  return rule;
}

std::string text_of(const gantry_config &config, const char *key) {
  const gantry_str text = config.get_text(&config, key);
  return {text.p, text.n};
}

}  // namespace

std::span<const gantry_config_key> config_keys() { return kKeys; }

Result<Options> Options::from(const gantry_config &config) {
  const auto number = [&](const char *key) { return config.get_int(&config, key); };
  Options o;
  o.segment_bytes = number("segment_size");
  o.hot_cache_bytes = number("hot_cache");
  o.read_cache_bytes = number("read_cache");
  if (o.read_cache_bytes == 0) o.read_cache_bytes = std::clamp(usable_memory_bytes() / 16, 16 * kMiB, 256 * kMiB);
  o.retention_ms = number("retention");
  o.retention_bytes = number("retention_bytes");
  o.checkpoint_bytes = number("checkpoint_every");
  o.reserve_bytes = number("reserve");
  o.flush_interval_ms = number("flush_interval");
  o.recycle_segments = number("recycle");
  o.readers = number("readers");
  o.engine = text_of(config, "engine");
  o.direct = text_of(config, "direct") != "off";
  o.zero_fill = text_of(config, "zero_fill");
  o.disk_full = text_of(config, "disk_full");
  o.keep_free_bytes = number("keep_free");
  o.scrub_every_ms = number("scrub_every");
  o.scrub_rate = number("scrub_rate");
  o.accept_lost_checkpoint = number("accept_lost_checkpoint") != 0;
  const std::optional<std::uint32_t> hours = hours_of(text_of(config, "delete_when"));
  if (!hours) return Error{GANTRY_E_CONFIG, "delete_when = \"" + text_of(config, "delete_when") + "\": must be hours from 00 to 23, separated by ';'"};
  o.delete_hours = *hours;
  for (std::uint32_t i = 0; i < config.list_size(&config, "topic_retention"); ++i) {
    const gantry_str item = config.list_at(&config, "topic_retention", i);
    const std::string text(item.p, item.n);
    std::optional<TopicRule> rule = topic_rule(text);
    if (!rule) return Error{GANTRY_E_CONFIG, "topic_retention has \"" + text + "\": must be a topic, or its beginning and *, then a time (s, m, h, d), a size (MiB, GiB, TiB) or both, such as \"logs-* 1h 2GiB\""};
    o.topic_rules.push_back(std::move(*rule));
  }
  if (o.segment_bytes % kMiB != 0 || o.segment_bytes < kMiB) {
    return Error{GANTRY_E_CONFIG, "segment_size = " + std::to_string(o.segment_bytes) + " bytes: must be a multiple of 1 MiB"};
  }
  if (o.hot_cache_bytes < kMiB || !std::has_single_bit(static_cast<std::uint64_t>(o.hot_cache_bytes))) {
    return Error{GANTRY_E_CONFIG, "hot_cache = " + std::to_string(o.hot_cache_bytes) + " bytes: must be a power of two, 1 MiB or more"};
  }
  return o;
}

}  // namespace gantry::commitlog
