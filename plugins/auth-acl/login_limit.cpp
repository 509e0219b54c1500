#include "login_limit.hpp"

#include <algorithm>
#include <random>

namespace gantry::acl {
namespace {

constexpr std::size_t kBuckets = 512, kWays = 4;
constexpr std::uint32_t kV6NetworkBytes = 8;  // who has one address of a /64 has them all

}  // namespace

LoginLimit::LoginLimit(std::uint32_t max_failures, std::int64_t lock_ms)
    : max_failures_(max_failures), lock_ms_(lock_ms), seed_((static_cast<std::uint64_t>(std::random_device()()) << 32) | std::random_device()()), entries_(kBuckets * kWays) {}

std::uint64_t LoginLimit::key_of(const gantry_peer &peer, std::string_view user) const {
  std::uint64_t hash = seed_;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001B3u; };
  const std::uint32_t bytes = peer.ip_bytes == 16 ? kV6NetworkBytes : peer.ip_bytes;
  add(static_cast<std::uint8_t>(bytes));
  for (std::uint32_t i = 0; i < bytes; ++i) add(peer.ip[i]);
  for (const char c : user) add(static_cast<std::uint8_t>(c));
  hash ^= hash >> 29;
  return hash | 1;  // 0 is an empty entry
}

bool LoginLimit::is_locked(const gantry_peer &peer, std::string_view user, std::int64_t now_ms) const {
  if (max_failures_ == 0) return false;
  const std::uint64_t key = key_of(peer, user);
  const Entry *bucket = &entries_[(key >> 1) % kBuckets * kWays];
  return std::any_of(bucket, bucket + kWays, [&](const Entry &e) { return e.key == key && e.failures >= max_failures_ && now_ms < e.until_ms; });
}

bool LoginLimit::failed(const gantry_peer &peer, std::string_view user, std::int64_t now_ms) {
  if (max_failures_ == 0) return false;
  const std::uint64_t key = key_of(peer, user);
  Entry *bucket = &entries_[(key >> 1) % kBuckets * kWays];
  Entry *entry = std::find_if(bucket, bucket + kWays, [key](const Entry &e) { return e.key == key; });
  if (entry == bucket + kWays) {
    // The one that says least: over, or with the fewest failures.
    entry = std::min_element(bucket, bucket + kWays, [&](const Entry &a, const Entry &b) {
      return std::pair(a.until_ms > now_ms, a.failures) < std::pair(b.until_ms > now_ms, b.failures);
    });
    *entry = Entry{key, 0, 0};
  }
  if (now_ms >= entry->until_ms) *entry = Entry{key, now_ms + lock_ms_, 0};
  ++entry->failures;
  const bool last = entry->failures == max_failures_;
  if (last) entry->until_ms = now_ms + lock_ms_;
  busy_until_ms_ = std::max(busy_until_ms_, entry->until_ms);
  return last;
}

}  // namespace gantry::acl
