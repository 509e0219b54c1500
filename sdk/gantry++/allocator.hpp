// An allocator plugin made of one class. The class has
//
//   void assign(const gantry_alloc_input &in, std::span<std::uint32_t> owner) const;
//
// which writes for every queue the index of its consumer. It is called on several shards at once and never blocks; both counts are at least 1.
#pragma once

#include <gantry++/component.hpp>
#include <gantry++/str.hpp>
#include <gantry/draft/allocator.h>

#include <span>

namespace gantry {

template <typename Class>
std::int32_t assign_by_class(void *self, const gantry_alloc_input *in, std::uint32_t *owner, gantry_error *err) noexcept {
  if (in->n_consumers == 0 || in->n_queues == 0) return refuse(err, GANTRY_E_INVALID, "allocator: no consumers or no queues");
  return guarded(err, [&] {
    static_cast<const Class *>(self)->assign(*in, std::span(owner, in->n_queues));
    return GANTRY_OK;
  });
}

template <typename Class>
inline constexpr gantry_allocator_v1 kAllocatorTable = {assign_by_class<Class>};

}  // namespace gantry

// Consumers ask for the component by its name in capitals. Texts are literals; license is an SPDX identifier.
#define GANTRY_ALLOCATOR_PLUGIN(plugin_id, plugin_version, license, component_name, Class)   \
  GANTRY_PLUGIN_OF_ONE(plugin_id, plugin_version, license, GANTRY_ALLOCATOR_ID,              \
                       (::gantry::component_of_class<Class>(GANTRY_ALLOCATOR_ID, component_name, component_name, &::gantry::kAllocatorTable<Class>)))
