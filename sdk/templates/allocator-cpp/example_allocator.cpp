#include <gantry++/allocator.hpp>

// Queue q goes to consumer q, and from the first one again when there are more queues than consumers.
struct ExampleAllocator {
  void assign(const gantry_alloc_input &in, std::span<std::uint32_t> owner) const {
    for (std::uint32_t q = 0; q < in.n_queues; ++q) owner[q] = q % in.n_consumers;
  }
};
GANTRY_ALLOCATOR_PLUGIN("org.example.example-allocator", "0.1.0", "Apache-2.0", "example_allocator", ExampleAllocator)
