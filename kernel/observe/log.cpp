#include "kernel/observe/log.hpp"

#include "kernel/base/host_context.hpp"

#include <gantry/draft/host.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace gantry {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};
constexpr spdlog::level::level_enum kSpdlogLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                       spdlog::level::err};
static_assert(GANTRY_LOG_DEBUG == 0 && GANTRY_LOG_INFO == 1 && GANTRY_LOG_WARN == 2 && GANTRY_LOG_ERROR == 3);

// Kept beside spdlog's own level: the check sits on paths that must not touch the logger.
std::atomic<int> lowest_level{static_cast<int>(LogLevel::kInfo)};

spdlog::logger &logger() {
  // Never deleted: threads of plugins may still log while the process exits.
  static spdlog::logger *const instance = [] {
    auto *made = new spdlog::logger("gantry", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    // Our own level word, because spdlog says "warning".
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");
    made->set_level(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string escaped(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += ' ';
    } else if (is_control(c)) {
      out += "\\x";
      out += kHex[(c >> 4) & 0xf];
      out += kHex[c & 0xf];
    } else {
      out += c;
    }
  }
  return out;
}

LogLevel level_of(std::int32_t number) { return static_cast<LogLevel>(std::clamp(number, 0, 3)); }

std::int32_t table_enabled(const gantry_host *, std::int32_t level) noexcept { return log_enabled(level_of(level)) ? 1 : 0; }

void table_write(const gantry_host *host, std::int32_t level, const char *text, std::uint32_t n) noexcept {
  if (!log_enabled(level_of(level))) return;
  log_write(level_of(level), HostContext::of(host)->label, n == 0 ? std::string_view() : std::string_view(text, n));
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (int i = 0; i < 4; ++i)
    if (text == kLevelNames[i]) return static_cast<LogLevel>(i);
  return std::nullopt;
}

std::string_view to_text(LogLevel level) { return kLevelNames[static_cast<int>(level)]; }

void set_log_level(LogLevel lowest) { lowest_level.store(static_cast<int>(lowest), std::memory_order_relaxed); }

bool log_enabled(LogLevel level) { return static_cast<int>(level) >= lowest_level.load(std::memory_order_relaxed); }

void log_write(LogLevel level, std::string_view component, std::string_view text) {
  if (!log_enabled(level)) return;
  const auto spdlog_level = kSpdlogLevels[static_cast<int>(level)];
  if (std::any_of(text.begin(), text.end(), is_control))
    logger().log(spdlog_level, "{} {} {}", to_text(level), component, escaped(text));
  else
    logger().log(spdlog_level, "{} {} {}", to_text(level), component, text);
}

const gantry_log_v1 &log_table() {
  static constexpr gantry_log_v1 kTable{table_enabled, table_write};
  return kTable;
}

}  // namespace gantry
