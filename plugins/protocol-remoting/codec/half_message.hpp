// A half message as its producer is asked about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::remoting {

struct HalfMessage {
  std::string record;            // the stored message with the topic and queue it was sent to, and TRANSACTION_CHECK_TIMES
  std::string topic, unique_key; // unique_key: empty when it has none
};

// `record`: a whole stored message of format 1. False: it is none, or lacks REAL_TOPIC or REAL_QID.
[[nodiscard]] bool as_sent(std::string_view record, std::uint64_t check_number, HalfMessage &out);

}  // namespace gantry::remoting
