// What administrators change and read: topics and groups deleted, groups set, settings, counters, offsets of all groups. 18, 25, 26, 28, 43, 200, 201, 207,
// 215, 225, 306, 308, 315, 316, 329, 352, 900001.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

// False: not one of these requests; nothing was answered.
[[nodiscard]] bool handle_admin(ShardContext &ctx, const Request &request);
// False: as above.
[[nodiscard]] bool tell_runtime(ShardContext &ctx, const Request &request);
void tell_usage(ShardContext &ctx, const Request &request);
// Answers when what was changed so far is written.
void reply_when_settled(ShardContext &ctx, const Request &request);
// Rows of a change are written.
void complete_admin(ShardContext &ctx, const gantry_cqe &cqe);

}  // namespace gantry::remoting
