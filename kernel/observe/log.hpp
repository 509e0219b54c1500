// Log lines of the whole process on stderr, one line each: `2026-01-31T12:00:00.123+0100 info component text`.
//
// All functions: any thread, never throw; a call waits at most for the write to stderr. Text may come from strangers: control
// characters are written escaped, so one call is always one line.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

struct gantry_log_v1;

namespace gantry {

enum class LogLevel : int { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };  // the numbers of GANTRY_LOG_*

// "debug", "info", "warn", "error"; nothing else.
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);
[[nodiscard]] std::string_view to_text(LogLevel level);

void set_log_level(LogLevel lowest);  // info until set
[[nodiscard]] bool log_enabled(LogLevel level);
void log_write(LogLevel level, std::string_view component, std::string_view text);

// Service table GANTRY_LOG_ID; lines carry the label of the instance as component.
[[nodiscard]] const gantry_log_v1 &log_table();

namespace detail {
inline void append_part(std::string &line, std::string_view part) { line += part; }
template <std::same_as<bool> T>  // a template, so that no pointer converts to it
void append_part(std::string &line, T part) {
  line += part ? "true" : "false";
}
template <std::integral T>
  requires(!std::same_as<T, bool>)
void append_part(std::string &line, T part) {
  char digits[24];
  line.append(digits, std::to_chars(digits, digits + sizeof digits, part).ptr);
}
}  // namespace detail

// The parts (texts and integers) are put together only when the level is on: log_info("io", "listening on ", address, ", shard ", n).
template <typename... Parts>
void log_parts(LogLevel level, std::string_view component, const Parts &...parts) {
  if (!log_enabled(level)) return;
  std::string line;
  (detail::append_part(line, parts), ...);
  log_write(level, component, line);
}
template <typename... Parts>
void log_debug(std::string_view component, const Parts &...parts) {
  log_parts(LogLevel::kDebug, component, parts...);
}
template <typename... Parts>
void log_info(std::string_view component, const Parts &...parts) {
  log_parts(LogLevel::kInfo, component, parts...);
}
template <typename... Parts>
void log_warn(std::string_view component, const Parts &...parts) {
  log_parts(LogLevel::kWarn, component, parts...);
}
template <typename... Parts>
void log_error(std::string_view component, const Parts &...parts) {
  log_parts(LogLevel::kError, component, parts...);
}

}  // namespace gantry
