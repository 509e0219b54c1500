#include "rules.hpp"

#include <strings.h>

#include <algorithm>
#include <tuple>

namespace gantry::acl {
namespace {

constexpr const char *kTypes[] = {"", "Topic", "Group", "Cluster"};
constexpr const char *kActions[] = {"Pub", "Sub", "Create", "Update", "Delete", "Get", "List"};
constexpr std::size_t kNameMaxBytes = 255, kSecretMinBytes = 7;

bool same_word(std::string_view a, const char *b) { return a.size() == std::char_traits<char>::length(b) && ::strncasecmp(a.data(), b, a.size()) == 0; }

// The better rule decides.
bool better(const Rule &a, const Rule &b) {
  const auto rank = [](const Rule &rule) { return std::tuple(rule.resource.match, rule.resource.name.size(), !rule.allow); };
  return rank(a) > rank(b);
}

}  // namespace

Result<Resource> Resource::parse(std::string_view text) {
  const auto wrong = [text](const std::string &what) {
    return Error{GANTRY_E_CONFIG, "resource \"" + std::string(text.substr(0, 80)) + "\": " + what + R"(; write "Topic:orders", "Topic:orders*", "Group:*", "Cluster:*" or "*")"};
  };
  Resource out;
  if (text == "*") return out;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return wrong("it names no type");
  for (std::uint32_t type = GANTRY_RESOURCE_TOPIC; type <= GANTRY_RESOURCE_CLUSTER; ++type)
    if (same_word(text.substr(0, colon), kTypes[type])) out.type = type;
  if (out.type == 0) return wrong("the type is not Topic, Group or Cluster");
  std::string_view name = text.substr(colon + 1);
  if (name.empty()) return wrong("the name is empty");
  if (name.size() > kNameMaxBytes) return wrong("the name is over 255 bytes");
  if (const std::size_t star = name.find('*'); star != std::string_view::npos && star + 1 != name.size()) return wrong("a \"*\" may only stand at the end");
  out.match = name == "*" ? Match::kWholeType : name.ends_with('*') ? Match::kPrefix : Match::kLiteral;
  if (out.match == Match::kPrefix) name.remove_suffix(1);
  if (out.match != Match::kWholeType) out.name = name;
  return out;
}

bool Resource::covers(std::uint32_t other_type, std::string_view other_name) const {
  switch (match) {
    case Match::kEverything: return true;
    case Match::kWholeType: return type == other_type;
    case Match::kPrefix: return type == other_type && other_name.starts_with(name);
    case Match::kLiteral: return type == other_type && other_name == name;
  }
  return false;
}

std::string Resource::text() const {
  if (match == Match::kEverything) return "*";
  return std::string(kTypes[type]) + ":" + name + (match == Match::kLiteral ? "" : "*");
}

Verdict decide(const User &user, std::uint32_t type, std::string_view name, std::uint32_t actions, const gantry_peer &peer) {
  if (user.super) return {GANTRY_DECISION_ALLOW, nullptr};
  Verdict out{GANTRY_DECISION_NO_RULE, nullptr};
  for (std::uint32_t left = actions & GANTRY_ACTION_ALL; left != 0; left &= left - 1) {
    const std::uint32_t action = left & -left;
    const Rule *best = nullptr;
    for (const Rule &rule : user.rules)
      if ((rule.actions & action) != 0 && rule.resource.covers(type, name) && (rule.sources == nullptr || rule.sources->matches(peer)) && (best == nullptr || better(rule, *best))) best = &rule;
    if (best == nullptr) continue;
    if (best->allow) return {GANTRY_DECISION_ALLOW, best};
    out = {GANTRY_DECISION_DENY, best};
  }
  return out;
}

Result<void> Rules::add(std::unique_ptr<User> user) {
  if (const User *other = find(user->name)) return Error{GANTRY_E_EXISTS, "user \"" + user->name + "\" is there twice, first in line " + std::to_string(other->line)};
  user->key = SigningKey(user->secret);
  by_name_.emplace(user->name, user.get());
  users_.push_back(std::move(user));
  return {};
}

User *Rules::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : nullptr;
}

std::string name_fault(std::string_view name) {
  if (name.empty()) return "the name is empty";
  if (name.size() > kNameMaxBytes) return "the name is over 255 bytes";
  if (name[0] == '$') return "names that begin with \"$\" are the broker's own";
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '"'; });
  return plain ? "" : "the name has blanks, quotes or control characters";
}

std::string secret_fault(std::string_view secret) {
  constexpr std::string_view kKnown[] = {"12345678", "1234567", "123456789", "1234567890", "rocketmq", "password", "changeme", "change-me"};
  if (secret.size() < kSecretMinBytes) return "the secret has fewer than 7 characters";
  if (secret.size() > kNameMaxBytes) return "the secret is over 255 bytes";
  if (std::find(std::begin(kKnown), std::end(kKnown), secret) != std::end(kKnown)) return "the secret is one that everybody knows; make one with: openssl rand -base64 24";
  return "";
}

std::uint32_t action_of(std::string_view text) {
  if (same_word(text, "All")) return GANTRY_ACTION_ALL;
  for (std::uint32_t i = 0; i < std::size(kActions); ++i)
    if (same_word(text, kActions[i])) return 1u << i;
  return 0;
}

std::string actions_text(std::uint32_t actions) {
  if (actions == GANTRY_ACTION_ALL) return "All";
  std::string out;
  for (std::uint32_t i = 0; i < std::size(kActions); ++i)
    if ((actions >> i & 1u) != 0) out += (out.empty() ? "" : ", ") + std::string(kActions[i]);
  return out;
}

}  // namespace gantry::acl
