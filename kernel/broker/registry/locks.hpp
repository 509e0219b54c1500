// Queue locks of ordered consumption: one owner per (group, topic, queue), for a lease that the owner renews.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace gantry::broker {

inline constexpr std::int64_t kLockLeaseMs = 60'000;

// Guarded by the broker's mutex. Not persisted: after a restart clients lock again, as with RocketMQ.
class Locks {
 public:
  // True when the client holds the queue now; renews its lease.
  bool lock(std::string_view group, std::string_view topic, std::uint32_t queue_no, std::string_view client_id, std::int64_t now_ms) {
    auto [it, made] = locks_.try_emplace(Key{group, topic, queue_no});
    Lease &lease = it->second;
    if (!made && lease.client_id != client_id && lease.until_ms > now_ms) return false;
    lease.client_id = client_id;
    lease.until_ms = now_ms + kLockLeaseMs;
    return true;
  }
  // Ignores a lock that another client holds.
  void unlock(std::string_view group, std::string_view topic, std::uint32_t queue_no, std::string_view client_id) {
    const auto it = locks_.find(Key{group, topic, queue_no});
    if (it != locks_.end() && it->second.client_id == client_id) locks_.erase(it);
  }
  void expire(std::int64_t now_ms) {
    std::erase_if(locks_, [now_ms](const auto &entry) { return entry.second.until_ms <= now_ms; });
  }
  [[nodiscard]] std::size_t size() const { return locks_.size(); }

 private:
  using Key = std::tuple<std::string, std::string, std::uint32_t>;
  struct Lease {
    std::string client_id;
    std::int64_t until_ms = 0;
  };
  std::map<Key, Lease> locks_;
};

}  // namespace gantry::broker
