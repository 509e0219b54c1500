// Big-endian integers in byte buffers: RocketMQ's remoting frames and stored messages use nothing else.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gantry::bench {

/// Reads an unsigned 32-bit big-endian integer; `at` has at least 4 readable bytes.
inline std::uint32_t load_be32(const char *at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

/// Reads an unsigned 64-bit big-endian integer; `at` has at least 8 readable bytes.
inline std::uint64_t load_be64(const char *at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}

/// Reads an unsigned 16-bit big-endian integer; `at` has at least 2 readable bytes.
inline std::uint16_t load_be16(const char *at) {
  std::uint16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}

/// Writes 4 big-endian bytes at `at`.
inline void store_be32(char *at, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

/// Writes 8 big-endian bytes at `at`.
inline void store_be64(char *at, std::uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}

inline void append_be16(std::string &out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

inline void append_be32(std::string &out, std::uint32_t value) {
  char bytes[4];
  store_be32(bytes, value);
  out.append(bytes, sizeof bytes);
}

}  // namespace gantry::bench
