// Outbound connections: look the name up elsewhere, try its addresses one after the other, without blocking the shard.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/io/address.hpp"
#include "kernel/io/connection.hpp"

namespace gantry::io {

class Shard;

// One net.connect from the call until the connection is open or has failed.
struct Dial {
  Shard *shard = nullptr;
  Origin *origin = nullptr;
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
  std::uint64_t user_data = 0;
  std::vector<SocketAddress> addresses;
  std::size_t next = 0;
  std::string failure;  // of the last attempt

  // Tells the protocol. [thread: the shard]
  void report_failure(std::uint32_t shard_index, std::int32_t code, int error_number) const;
};

// Numeric addresses at once, names by the system's resolver. May block.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const std::string &host, std::uint16_t port);

}  // namespace gantry::io
