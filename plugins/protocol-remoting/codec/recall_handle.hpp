// The handle by which a sender takes a message back that waits for its due time: RocketMQ's "v1 topic brokerName timestamp messageId" in Base64 (URL
// alphabet), with the log position as one more item, so that the message is found without a search.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting {

struct RecallHandle {
  std::string topic, broker_name;
  std::int64_t due_ms = 0;
  std::string uniq_key;       // may be empty
  std::int64_t position = -1;  // -1: the handle has none
};

[[nodiscard]] std::string encode_recall_handle(const RecallHandle &handle);
// False: no handle of version 1.
[[nodiscard]] bool decode_recall_handle(std::string_view text, RecallHandle &out);

}  // namespace gantry::remoting
