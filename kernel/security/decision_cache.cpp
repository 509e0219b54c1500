#include "kernel/security/decision_cache.hpp"

#include <cstring>
#include <random>
#include <string_view>

namespace gantry::security {
namespace {

constexpr std::size_t kPlaces = 2048;  // a power of two

// Mixes well enough to spread names over places; the seed keeps strangers from choosing names that meet.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = mix(seed, text.size());
  while (text.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = mix(hash, word);
    text.remove_prefix(8);
  }
  std::uint64_t last = 0;
  if (!text.empty()) std::memcpy(&last, text.data(), text.size());  // of an empty one data() may be null
  return mix(hash, last);
}

}  // namespace

DecisionCache::DecisionCache() : seed_((static_cast<std::uint64_t>(std::random_device()()) << 32) | std::random_device()()), entries_(kPlaces) {}

std::size_t DecisionCache::place_of(const Question &question) const {
  std::uint64_t ip[2];
  std::memcpy(ip, question.peer.ip, sizeof ip);
  std::uint64_t hash = hash_of({question.item.name.p, question.item.name.n}, seed_);
  hash = mix(hash, question.who);
  hash = mix(hash, ip[0] ^ (ip[1] * 31));
  hash = mix(hash, (static_cast<std::uint64_t>(question.item.resource_type) << 32) | question.item.actions);
  return hash & (kPlaces - 1);
}

const std::uint32_t *DecisionCache::find(const Question &question, std::uint64_t epoch) {
  place_ = place_of(question);
  const Entry &entry = entries_[place_];
  const gantry_authz &item = question.item;
  const bool same = entry.epoch == epoch && entry.who == question.who && entry.type == item.resource_type && entry.actions == item.actions &&
                    entry.ip_bytes == question.peer.ip_bytes && std::memcmp(entry.ip, question.peer.ip, sizeof entry.ip) == 0 &&
                    entry.name == std::string_view(item.name.p, item.name.n);
  return same ? &entry.decision : nullptr;
}

void DecisionCache::put(const Question &question, std::uint64_t epoch, std::uint32_t decision) {
  Entry &entry = entries_[place_];
  entry.epoch = epoch;
  entry.who = question.who;
  std::memcpy(entry.ip, question.peer.ip, sizeof entry.ip);
  entry.ip_bytes = question.peer.ip_bytes;
  entry.type = question.item.resource_type;
  entry.actions = question.item.actions;
  entry.decision = decision;
  entry.name.assign(question.item.name.p, question.item.name.n);
}

}  // namespace gantry::security
