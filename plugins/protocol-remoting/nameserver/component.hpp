// Component `nameserver`: RocketMQ's name server as a protocol of its own, default port 9876. Needs no broker in the process.
#pragma once

#include <gantry/draft/protocol.h>

namespace gantry::remoting {

extern const gantry_component kNameserverComponent;

}  // namespace gantry::remoting
