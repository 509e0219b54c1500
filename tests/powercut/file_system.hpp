// The disk as a FUSE file system.
#pragma once

#include "disk.hpp"
#include "faults.hpp"
#include "power.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace gantry::test::powercut {

struct World {
  explicit World(std::uint64_t size) : disk(size), power(disk) {}
  Disk disk;
  Power power;
  Faults faults;
  bool direct_io = false;      // every open is answered with FOPEN_DIRECT_IO
  bool refuse_direct = false;  // open with O_DIRECT fails with EINVAL, as on file systems without
  std::atomic<bool> lies{false};  // flushes do nothing and say that all is well
  std::uint32_t flush_us = 0;  // how long a flush takes, at most; each one a random part of it
  std::atomic<std::uint64_t> writes{0}, flushing_writes{0}, flushes{0}, name_flushes{0}, direct_opens{0};
};

// Mounts at `mount`, calls ready() and serves until unmounted or a signal comes. Returns the exit code; what mounting failed of is on standard error.
// [blocking]
[[nodiscard]] int serve(World &world, const std::string &mount, void (*ready)(void *), void *context);

}  // namespace gantry::test::powercut
