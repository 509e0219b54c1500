// Component `remoting`: RocketMQ's broker protocol, default port 10911 with the VIP channel two ports below.
#pragma once

#include <gantry/draft/protocol.h>

namespace gantry::remoting {

extern const gantry_component kRemotingComponent;

}  // namespace gantry::remoting
