#include "allocators.hpp"

#include <gantry++/str.hpp>

#include <openssl/evp.h>

#include <map>
#include <string>

namespace gantry::allocator {

namespace {

constexpr int kPointsPerConsumer = 10;

// RocketMQ's hash: the first four bytes of the digest, most significant first, never negative.
// False: this machine's OpenSSL has no MD5.
bool hash(const std::string &key, std::int64_t *out) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::size_t bytes = 0;
  // No secret depends on it, so a rule against weak digests need not keep it away.
  if (EVP_Q_digest(nullptr, "MD5", "-fips", key.data(), key.size(), digest, &bytes) != 1) return false;
  std::int64_t h = 0;
  for (int i = 0; i < 4; ++i) h = h << 8 | digest[i];
  *out = h;
  return true;
}

}  // namespace

bool consistent_hash(const gantry_alloc_input &in, std::uint32_t *owner) {
  std::int64_t at = 0;
  std::map<std::int64_t, std::uint32_t> ring;
  for (std::uint32_t c = 0; c < in.n_consumers; ++c)
    for (int i = 0; i < kPointsPerConsumer; ++i) {
      if (!hash(std::string(view(in.consumers[c].client_id)) + "-" + std::to_string(i), &at)) return false;
      ring[at] = c;
    }
  for (std::uint32_t q = 0; q < in.n_queues; ++q) {
    // The text of a queue as RocketMQ's Java clients write it, so that both sides of a mixed group agree.
    const std::string name = "MessageQueue [topic=" + std::string(view(in.topic)) + ", brokerName=" + std::string(view(in.queues[q].broker)) + ", queueId=" + std::to_string(in.queues[q].queue_no) + "]";
    if (!hash(name, &at)) return false;
    const auto it = ring.lower_bound(at);
    owner[q] = (it != ring.end() ? it : ring.begin())->second;
  }
  return true;
}

}  // namespace gantry::allocator
