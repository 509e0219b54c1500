// Symbol and tables of the plugin. A component has no state and no keys.
#include "allocators.hpp"

#include <gantry++/result.hpp>
#include <gantry/abi.h>

namespace {

using gantry::Error;

template <bool (*strategy)(const gantry_alloc_input &, std::uint32_t *)>
std::int32_t assign(void *, const gantry_alloc_input *in, std::uint32_t *owner, gantry_error *err) noexcept {
  if (in->n_consumers == 0 || in->n_queues == 0) return gantry::report(Error{GANTRY_E_INVALID, "allocator: no consumers or no queues"}, err);
  if (!strategy(*in, owner)) return gantry::report(Error{GANTRY_E_UNSUPPORTED, "allocator: no MD5 in this machine's OpenSSL; choose another strategy"}, err);
  return GANTRY_OK;
}

template <bool (*strategy)(const gantry_alloc_input &, std::uint32_t *)>
constexpr gantry_allocator_v1 kTable = {assign<strategy>};

std::int32_t create(const gantry_host *, const gantry_config *, void **self, gantry_error *) noexcept {
  static char stateless;
  *self = &stateless;
  return GANTRY_OK;
}
std::int32_t start(void *, gantry_error *) noexcept { return GANTRY_OK; }
void stop(void *) noexcept {}
void destroy(void *) noexcept {}

constexpr gantry_component component(const char *name, const char *doc, const gantry_allocator_v1 *table) {
  return {sizeof(gantry_component), 0, GANTRY_ALLOCATOR_ID, name, doc, table, nullptr, 0, 0, create, start, stop, destroy, nullptr};
}

constexpr gantry_component kAverage = component("avg", "runs of neighbouring queues", &kTable<gantry::allocator::average>);
constexpr gantry_component kCircle = component("avg_by_circle", "one queue each in turn", &kTable<gantry::allocator::by_circle>);
constexpr gantry_component kHash = component("consistent_hash", "a ring of hashes; uneven, few queues move", &kTable<gantry::allocator::consistent_hash>);
constexpr gantry_component kSticky = component("sticky", "even, and queues stay where they were", &kTable<gantry::allocator::sticky>);
const gantry_component *const kComponents[] = {&kAverage, &kCircle, &kHash, &kSticky};

}  // namespace

GANTRY_MANIFEST("gantry.allocator-standard", "0.1.0", GANTRY_ALLOCATOR_ID)

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    sizeof(gantry_plugin), GANTRY_ABI_MINOR, "gantry.allocator-standard", "0.1.0", "Apache-2.0", "", kComponents, 4, 0,
};
