// `gantry send` and `gantry consume`: a first message without writing a program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::cli {

struct SendOptions {
  std::string nameserver = "127.0.0.1:9876";
  std::string topic, tag, keys;
  std::vector<std::string> bodies;  // one message each; "-" reads lines from stdin
  bool json = false;
};
// Prints one line per message. Exit code 0, or 1 with the reason on stderr.
[[nodiscard]] int send_messages(const SendOptions &options);

struct ConsumeOptions {
  std::string nameserver = "127.0.0.1:9876";
  std::string topic, group = "gantry-cli", tags = "*";
  std::string from = "committed";  // or "first", "last"
  std::uint64_t count = 0;         // stop after so many; 0 = go on until Ctrl-C
  std::int64_t wait_ms = 0;        // stop when nothing came for so long; 0 = never
  bool json = false;
};
// Prints messages as they arrive and commits the group's offsets. Exit code 0, or 1 with the reason on stderr.
[[nodiscard]] int consume_messages(const ConsumeOptions &options);

}  // namespace gantry::cli
