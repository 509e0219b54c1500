// QUERY_MESSAGE 12: stored messages by key or by the producer's id.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

void query_message(ShardContext &ctx, const Request &request);
void complete_query(ShardContext &ctx, const gantry_cqe &cqe);

}  // namespace gantry::remoting
