// The audit log: one line per refusal, and per change by an administrator where that is wanted. Lines go to the broker's log under the name "audit".
#pragma once

#include <gantry/draft/security.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::security {

enum class AuditLevel : std::uint8_t { kOff, kRefusals, kChanges };

// "Pub", "Sub or Get" of GANTRY_ACTION_* bits.
[[nodiscard]] std::string action_text(std::uint32_t actions);
// "Topic:orders"; strangers' names are cut and made printable.
[[nodiscard]] std::string resource_text(const gantry_authz &item);
// "no access key", "wrong signature or secret", ...
[[nodiscard]] const char *outcome_text(std::uint32_t outcome);

// One per shard. Strangers cause these lines, so a flood of them is cut to so many a second and the rest counted.
class Audit {
 public:
  static constexpr std::uint32_t kLinesPerSecond = 50;

  explicit Audit(AuditLevel level) : level_(level) {}

  void login_refused(std::string_view user, const gantry_peer &peer, std::string_view request, std::uint32_t outcome);
  void access_refused(std::string_view user, const gantry_access &access, const gantry_authz &item, std::uint32_t decision);
  // Whether a request that is allowed has a line: it changes something, and changes are wanted.
  [[nodiscard]] bool wants(const gantry_access &access) const;
  void allowed(std::string_view user, const gantry_access &access);

 private:
  void line(const std::string &text);

  const AuditLevel level_;
  std::int64_t second_ = 0;
  std::uint32_t lines_ = 0;
};

}  // namespace gantry::security
