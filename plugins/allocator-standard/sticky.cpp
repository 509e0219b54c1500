#include "allocators.hpp"

#include <vector>

namespace gantry::allocator {

// Two rounds: every queue stays where it was while its consumer has no more than a fair share; what is left goes to those that have least.
bool sticky(const gantry_alloc_input &in, std::uint32_t *owner) {
  const std::uint32_t each = in.n_queues / in.n_consumers;
  std::uint32_t more = in.n_queues % in.n_consumers;  // so many may have one more
  std::vector<std::uint32_t> count(in.n_consumers);
  for (std::uint32_t q = 0; q < in.n_queues; ++q) {
    owner[q] = GANTRY_NO_CONSUMER;
    const std::uint32_t before = in.queues[q].previous;
    if (before >= in.n_consumers || count[before] > each || (count[before] == each && more == 0)) continue;
    if (count[before] == each) --more;
    ++count[before];
    owner[q] = before;
  }
  std::uint32_t next = 0;
  for (std::uint32_t q = 0; q < in.n_queues; ++q) {
    if (owner[q] != GANTRY_NO_CONSUMER) continue;
    while (next < in.n_consumers && count[next] >= each) ++next;
    std::uint32_t taker = next;
    if (next == in.n_consumers) {
      taker = 0;  // all have their share: the first without one more
      while (count[taker] > each) ++taker;
    }
    ++count[taker];
    owner[q] = taker;
  }
  return true;
}

}  // namespace gantry::allocator
