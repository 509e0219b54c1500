// Opening a data directory: what is there, what of it holds, where the log goes on.
#pragma once

#include "core.hpp"

namespace gantry::commitlog {

// Fills the core (segments, queues, writer) and tells the sink what it found. [thread: control] [blocking: may]
// IO, NO_SPACE, CORRUPT with text naming file and remedy.
[[nodiscard]] Result<void> recover(Core &core, const gantry_recovery_sink &sink);

}  // namespace gantry::commitlog
