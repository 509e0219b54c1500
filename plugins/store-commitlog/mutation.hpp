// Build switches for the test of the tests: a build with -DGANTRY_MUTATION=NAME leaves out the one flush, check or rule of order that is called so here, and
// the tests must notice (./test mutations). No other build has any of it: the names are compared while compiling.
#pragma once

#include <string_view>

namespace gantry::commitlog {

#ifdef GANTRY_MUTATION
static consteval bool mutated(std::string_view name) { return name == GANTRY_MUTATION; }
#else
static consteval bool mutated(std::string_view) { return false; }
#endif

}  // namespace gantry::commitlog
