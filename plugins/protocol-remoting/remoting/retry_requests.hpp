// CONSUMER_SEND_MSG_BACK: a consumer gives a message back.
#pragma once

#include "remoting/request.hpp"

namespace gantry::remoting {

void send_message_back(ShardContext &ctx, const Request &request);
// The message is stored again, or could not be.
void complete_send_back(ShardContext &ctx, const gantry_cqe &cqe);

}  // namespace gantry::remoting
