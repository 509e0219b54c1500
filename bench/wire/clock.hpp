// Clocks and CPU time of this process.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <ctime>

namespace gantry::bench {

/// CLOCK_MONOTONIC in nanoseconds: comparable with the runner's own readings on the same machine.
inline std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Wall clock in milliseconds since 1970, as messages carry it.
inline std::uint64_t wall_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000u + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000u;
}

/// User and system time of this process so far, in microseconds.
inline std::uint64_t own_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval &time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000u + static_cast<std::uint64_t>(time.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace gantry::bench
