// Puts -D and environment values into the tree. Internal to kernel/config.
#pragma once

#include "kernel/config/document.hpp"
#include "kernel/config/tree.hpp"

namespace gantry::config {

// Gives [broker], [store] and [[protocol]] the shapes they must have, reporting others, and drops what is no section of ours.
void normalize_sections(Tree &tree, Problems &problems);

// The section, or null. For "protocol" all tables are in ->sections.
[[nodiscard]] TopLevel *find_top(Tree &tree, std::string_view key);

// What people call a [[protocol]]: its component, else its plugin without "protocol-".
[[nodiscard]] std::string protocol_name(const Section &section);

void apply_overrides(Tree &tree, const std::vector<Override> &overrides, Problems &problems);

}  // namespace gantry::config
