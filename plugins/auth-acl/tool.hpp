// `gantry acl`: what the rules in a file mean.
#pragma once

#include <gantry/draft/auth.h>

namespace gantry::acl {

extern const gantry_auth_tool_v1 kToolTable;

}  // namespace gantry::acl
