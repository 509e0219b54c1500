#include "machine_memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace gantry::commitlog {

namespace {

std::int64_t limit_in(const std::filesystem::path &file, std::int64_t most) {
  std::ifstream in(file);
  std::int64_t bytes = 0;
  return in >> bytes && bytes > 0 ? std::min(bytes, most) : most;  // "max" is no number
}

// The least of the group and those that it lies in.
std::int64_t limit_of(const std::filesystem::path &mount, std::filesystem::path group, const char *file, std::int64_t most) {
  for (;;) {
    most = limit_in(mount / group.relative_path() / file, most);
    if (group.relative_path().empty()) return most;
    group = group.parent_path();
  }
}

}  // namespace

std::int64_t usable_memory_bytes(const std::string &membership, const std::string &mount) {
  std::int64_t bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "0::/path", "5:cpu,memory:/path": cgroups(7)
    const std::size_t controllers = line.find(':');
    const std::size_t path = controllers == std::string::npos ? controllers : line.find(':', controllers + 1);
    if (path == std::string::npos) continue;
    const std::string names = "," + line.substr(controllers + 1, path - controllers - 1) + ",";
    if (names == ",,") bytes = limit_of(mount, line.substr(path + 1), "memory.max", bytes);
    if (names.find(",memory,") != std::string::npos) bytes = limit_of(std::filesystem::path(mount) / "memory", line.substr(path + 1), "memory.limit_in_bytes", bytes);
  }
  return bytes;
}

}  // namespace gantry::commitlog
