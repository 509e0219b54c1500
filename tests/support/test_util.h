// The kernel's own conformance kit has it; tests of the tree use the same.
#pragma once

#include "kernel/kit/test_util.hpp"
