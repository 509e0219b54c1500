// What tells a build that it does not know the format of a log.
//
// The first format has no version of its own. So a later one is marked by a folder beside the log files, named by its number like a log file at that
// position: no segment begins there, since they begin at multiples of a block, and builds that know only the first format fail to open it and refuse the log,
// naming it. The folder holds a file that says why.
#pragma once

#include "core.hpp"

namespace gantry::commitlog {

// The number that a folder or file named `base` among the log files stands for; 0: it is no mark.
[[nodiscard]] std::uint32_t format_of_mark(LogPos base);
// Marks the log as one with references; durable when it returns. IO, NO_SPACE. [thread: background] [blocking: may]
[[nodiscard]] Result<void> put_format_mark(Core &core);

}  // namespace gantry::commitlog
