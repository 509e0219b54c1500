// How often somebody may fail to log in: so many failures of one user from one address within a time, then that user waits as long as that from there. Names that
// do not exist count as one user, so that guessing names does not fill the table. A host that runs one client with a wrong secret does not lock out the others.
#pragma once

#include <gantry/draft/auth.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace gantry::acl {

// Belongs to one shard. `user` is empty for all that do not exist.
class LoginLimit {
 public:
  // max_failures 0: no limit.
  LoginLimit(std::uint32_t max_failures, std::int64_t lock_ms);

  [[nodiscard]] bool locked(const gantry_peer &peer, std::string_view user, std::int64_t now_ms) const {
    return now_ms < busy_until_ms_ && is_locked(peer, user, now_ms);
  }
  // True: this failure was the last one allowed.
  bool failed(const gantry_peer &peer, std::string_view user, std::int64_t now_ms);

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::int64_t until_ms = 0;  // of the count, or of the lock
    std::uint32_t failures = 0;
  };
  [[nodiscard]] bool is_locked(const gantry_peer &peer, std::string_view user, std::int64_t now_ms) const;
  [[nodiscard]] std::uint64_t key_of(const gantry_peer &peer, std::string_view user) const;

  const std::uint32_t max_failures_;
  const std::int64_t lock_ms_;
  const std::uint64_t seed_;
  std::int64_t busy_until_ms_ = 0;  // no entry means anything later
  std::vector<Entry> entries_;
};

}  // namespace gantry::acl
