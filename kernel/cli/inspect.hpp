// `gantry config check|default`: what needs no running server.
#pragma once

#include "kernel/cli/command_line.hpp"
#include "kernel/config/document.hpp"

namespace gantry::cli {

// The document of -c and -D and the environment; prints the reason to stderr when the file cannot be read.
[[nodiscard]] Result<config::Document> load_document(const RunOptions &options);

[[nodiscard]] int check_config(const RunOptions &options);
[[nodiscard]] int print_default_config();

}  // namespace gantry::cli
