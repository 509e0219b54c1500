#include "kernel/security/audit.hpp"

#include "kernel/observe/log.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <ctime>

namespace gantry::security {
namespace {

constexpr std::size_t kShownBytes = 255;
constexpr std::uint32_t kChanging = GANTRY_ACTION_CREATE | GANTRY_ACTION_UPDATE | GANTRY_ACTION_DELETE;

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShownBytes)) out += c >= 0x20 && c < 0x7F && c != '"' ? c : '?';
  return text.size() > kShownBytes ? out + "..." : out;
}

// "Sub or Update" is a consumer's daily work.
bool changes_something(const gantry_authz &item) { return item.actions != 0 && (item.actions & ~kChanging) == 0; }

std::string who_text(std::string_view user) { return user.empty() ? "nobody" : "\"" + shown(user) + "\""; }

}  // namespace

std::string action_text(std::uint32_t actions) {
  constexpr const char *kNames[] = {"Pub", "Sub", "Create", "Update", "Delete", "Get", "List"};
  std::string out;
  for (std::uint32_t i = 0; i < std::size(kNames); ++i)
    if ((actions >> i & 1u) != 0) out += (out.empty() ? "" : " or ") + std::string(kNames[i]);
  return out;
}

std::string resource_text(const gantry_authz &item) {
  constexpr const char *kNames[] = {"?", "Topic", "Group", "Cluster"};
  return std::string(kNames[item.resource_type <= GANTRY_RESOURCE_CLUSTER ? item.resource_type : 0]) + ":" + shown(view(item.name));
}

const char *outcome_text(std::uint32_t outcome) {
  switch (outcome) {
    case GANTRY_LOGIN_OK: return "fine";
    case GANTRY_LOGIN_MISSING: return "no access key";
    case GANTRY_LOGIN_UNKNOWN: return "no such user";
    case GANTRY_LOGIN_WRONG: return "wrong signature or secret";
    case GANTRY_LOGIN_DISABLED: return "the user is disabled";
    case GANTRY_LOGIN_LOCKED: return "too many failures from this address";
    default: return "refused";
  }
}

void Audit::line(const std::string &text) {
  const std::int64_t second = std::time(nullptr);
  if (second != second_) {
    if (lines_ > kLinesPerSecond) log_warn("audit", lines_ - kLinesPerSecond, " more lines within a second were left out");
    second_ = second;
    lines_ = 0;
  }
  if (++lines_ <= kLinesPerSecond) log_warn("audit", text);
}

void Audit::login_refused(std::string_view user, const gantry_peer &peer, std::string_view request, std::uint32_t outcome) {
  if (level_ == AuditLevel::kOff) return;
  line("refused: " + who_text(user) + " from " + shown(view(peer.text)) + ", " + shown(request) + ": " + outcome_text(outcome));
}

void Audit::access_refused(std::string_view user, const gantry_access &access, const gantry_authz &item, std::uint32_t decision) {
  if (level_ == AuditLevel::kOff) return;
  line("refused: " + who_text(user) + " from " + shown(view(access.peer->text)) + ", " + shown(view(access.request)) + ": " + action_text(item.actions) + " on " + resource_text(item) +
       (decision == GANTRY_DECISION_DENY ? ": a rule denies it" : ": no rule allows it"));
}

bool Audit::wants(const gantry_access &access) const { return level_ == AuditLevel::kChanges && std::any_of(access.items, access.items + access.n_items, changes_something); }

void Audit::allowed(std::string_view user, const gantry_access &access) {
  for (std::uint32_t i = 0; i < access.n_items; ++i) {
    const gantry_authz &item = access.items[i];
    if (!changes_something(item)) continue;
    log_info("audit", "allowed: ", who_text(user), " from ", shown(view(access.peer->text)), ", ", shown(view(access.request)), ": ", action_text(item.actions), " on ", resource_text(item));
  }
}

}  // namespace gantry::security
