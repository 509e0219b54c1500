// The texts by which pop clients name messages: handles (extraInfo, POP_CK) and the lists of offsets in a pop's reply; and records of a retry topic
// as if they came from the topic itself.
#pragma once

#include <gantry/draft/pop.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::remoting {

// "ckOffset popTime invisibleTime reviveQid retry brokerName queueId [msgOffset]"; what follows the fourth part is not needed.
struct PopHandleText {
  std::int64_t ck_offset = 0, pop_ms = 0, invisible_ms = 0;
  std::int32_t revive_queue = 0;
};
// False: not of that shape.
[[nodiscard]] bool parse_pop_handle(std::string_view text, PopHandleText *out);

// "retry queueId startOffset;..."
[[nodiscard]] std::string start_offset_info(const gantry_pop_result &result);
// "retry queueId off,off,...;..."
[[nodiscard]] std::string message_offset_info(const gantry_pop_result &result);
// In order: "0 qo<queueId>%<offset> deliveries;..." for each message delivered before, and "0 queueId least" for each queue.
[[nodiscard]] std::string order_count_info(const gantry_pop_result &result);

// The record with `topic` in place of its own, and its handle as property POP_CK unless it has one. Empty: it is no record of version 1.
[[nodiscard]] std::string record_as_popped(std::string_view record, std::string_view topic, const gantry_pop_result &result, const gantry_pop_part &part, std::int64_t offset, std::string_view broker_name);

// Little-endian bits, as Java's BitSet.toByteArray in Base64: offsets relative to the start. False: no Base64.
[[nodiscard]] bool parse_bit_set(std::string_view base64, std::vector<std::uint32_t> *bits);

}  // namespace gantry::remoting
