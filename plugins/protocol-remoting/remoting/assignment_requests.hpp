// QUERY_ASSIGNMENT and SET_MESSAGE_REQUEST_MODE.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

// False: neither of them, or the kernel does not assign.
[[nodiscard]] bool handle_assignment(ShardContext &ctx, const Request &request);

}  // namespace gantry::remoting
