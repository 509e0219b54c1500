// How much memory this process may use at all.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::commitlog {

// Bytes: the machine's memory, or the least limit of the control groups that the process is in (v2 memory.max, v1 memory.limit_in_bytes) when that is less.
// What cannot be read counts as no limit. `membership` is in the format of /proc/self/cgroup, `mount` the folder that control groups are mounted at.
[[nodiscard]] std::int64_t usable_memory_bytes(const std::string &membership = "/proc/self/cgroup", const std::string &mount = "/sys/fs/cgroup");

}  // namespace gantry::commitlog
