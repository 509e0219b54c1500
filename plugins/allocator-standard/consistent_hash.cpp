#include "allocators.hpp"
#include "md5.hpp"

#include <gantry++/str.hpp>

#include <map>
#include <string>

namespace gantry::allocator {

namespace {

constexpr int kPointsPerConsumer = 10;

// RocketMQ's hash: the first four bytes of the digest, most significant first, never negative.
std::int64_t hash(const std::string &key) {
  const Md5Digest digest = md5(key);
  std::int64_t h = 0;
  for (int i = 0; i < 4; ++i) h = h << 8 | digest[static_cast<std::size_t>(i)];
  return h;
}

}  // namespace

void consistent_hash(const gantry_alloc_input &in, std::uint32_t *owner) {
  std::map<std::int64_t, std::uint32_t> ring;
  for (std::uint32_t c = 0; c < in.n_consumers; ++c)
    for (int i = 0; i < kPointsPerConsumer; ++i) ring[hash(std::string(view(in.consumers[c].client_id)) + "-" + std::to_string(i))] = c;
  for (std::uint32_t q = 0; q < in.n_queues; ++q) {
    // The text of a queue as RocketMQ's Java clients write it, so that both sides of a mixed group agree.
    const std::string name = "MessageQueue [topic=" + std::string(view(in.topic)) + ", brokerName=" + std::string(view(in.queues[q].broker)) + ", queueId=" + std::to_string(in.queues[q].queue_no) + "]";
    const auto it = ring.lower_bound(hash(name));
    owner[q] = (it != ring.end() ? it : ring.begin())->second;
  }
}

}  // namespace gantry::allocator
