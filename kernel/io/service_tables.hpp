// The service tables of io. Each finds its ShardSet through HostContext::io.
#pragma once

#include <gantry/draft/net.h>

namespace gantry::io {

[[nodiscard]] const gantry_clock_v1 &clock_table();
[[nodiscard]] const gantry_exec_v1 &exec_table();
[[nodiscard]] const gantry_cq_v1 &cq_table();
[[nodiscard]] const gantry_net_v1 &net_table();

}  // namespace gantry::io
