#include "allocators.hpp"

namespace gantry::allocator {

bool average(const gantry_alloc_input &in, std::uint32_t *owner) {
  const std::uint32_t each = in.n_queues / in.n_consumers, more = in.n_queues % in.n_consumers;
  std::uint32_t queue = 0;
  for (std::uint32_t c = 0; c < in.n_consumers; ++c)
    for (std::uint32_t i = 0; i < each + (c < more ? 1 : 0); ++i) owner[queue++] = c;
  return true;
}

bool by_circle(const gantry_alloc_input &in, std::uint32_t *owner) {
  for (std::uint32_t q = 0; q < in.n_queues; ++q) owner[q] = q % in.n_consumers;
  return true;
}

}  // namespace gantry::allocator
