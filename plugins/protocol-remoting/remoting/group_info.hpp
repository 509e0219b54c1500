// What tools ask about groups and topics: 202, 203, 204, 208, 300, 328, 343, 345 and 21, 305, 351. Answered at once from what the broker knows.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

// Connections, subscriptions and progress of groups. False: not one of these requests; nothing was answered.
[[nodiscard]] bool tell_group_info(ShardContext &ctx, const Request &request);
// Settings and offsets of topics. False: as above.
[[nodiscard]] bool tell_topic_info(ShardContext &ctx, const Request &request);

}  // namespace gantry::remoting
