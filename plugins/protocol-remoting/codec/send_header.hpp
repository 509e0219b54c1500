// Fields of SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE (and the reply codes, which share them), with either set of names.
#pragma once

#include "codec/header.hpp"

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

struct SendHeader {  // texts are views with the header's lifetime
  std::string_view producer_group, topic, default_topic;
  std::string_view properties;  // key 0x01 value 0x02 ...; may be empty
  std::int64_t born_ms = 0;
  std::int32_t default_topic_queues = 0;
  std::int32_t queue_id = 0;  // < 0: the broker picks
  std::int32_t sys_flag = 0;
  std::int32_t flag = 0;  // the user's
  std::int32_t reconsume_times = 0;
  std::int32_t max_reconsume_times = -1;  // < 0: not given
  bool unit_mode = false;
  bool batch = false;  // the body holds several messages; always true for SEND_BATCH_MESSAGE
};

// One-letter names are taken when the topic has one (field b), long names otherwise: clients mix codes and names. NULL: done;
// otherwise which mandatory field is missing or which number is none.
[[nodiscard]] const char *decode_send_header(const Header &header, SendHeader &out);

}  // namespace gantry::remoting
