// Plugin protocol-remoting: what it offers, no logic.
#include "nameserver/component.hpp"
#include "remoting/component.hpp"

#define GANTRY_REMOTING_VERSION "0.1.0"

GANTRY_MANIFEST("gantry.protocol-remoting", GANTRY_REMOTING_VERSION, GANTRY_PROTOCOL_ID)

namespace {

const gantry_component *const kComponents[] = {&gantry::remoting::kRemotingComponent, &gantry::remoting::kNameserverComponent};

}  // namespace

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    .size = sizeof(gantry_plugin),
    .abi_minor = GANTRY_ABI_MINOR,
    .id = "gantry.protocol-remoting",
    .version = GANTRY_REMOTING_VERSION,
    .license = "Apache-2.0",
    .homepage = "",
    .components = kComponents,
    .n_components = sizeof kComponents / sizeof kComponents[0],
    .flags = 0,
};
