// Puts -D and environment values into the tree. Internal to kernel/config.
#pragma once

#include "kernel/config/document.hpp"
#include "kernel/config/tree.hpp"

namespace gantry::config {

// Gives [broker], [store], [[protocol]] and [[filter]] the shapes they must have, reporting others, and drops what is no section of ours.
void normalize_sections(Tree &tree, Problems &problems);

// The section, or null. For "protocol" and "filter" all tables are in ->sections.
[[nodiscard]] TopLevel *find_top(Tree &tree, std::string_view key);

// What people call one of a list ("protocol", "filter"): its component, else its plugin without "protocol-".
[[nodiscard]] std::string section_name(const Section &section, std::string_view list);

void apply_overrides(Tree &tree, const std::vector<Override> &overrides, Problems &problems);

}  // namespace gantry::config
