// The C side of FakeHost: fills a gantry_host whose tables lead back to it.
#pragma once

#include <gantry/abi.h>

namespace gantry::test {

class FakeHost;
[[nodiscard]] gantry_host make_host_abi(FakeHost *host);

}  // namespace gantry::test
