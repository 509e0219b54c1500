// Users and what they may do, as read from a file: never changed once made, shared by all shards.
#pragma once

#include "address.hpp"
#include "signature.hpp"

#include <gantry++/result.hpp>
#include <gantry/draft/auth.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::acl {

// "Topic:orders", "Group:orders*", "Cluster:*", "*".
struct Resource {
  enum class Match : std::uint8_t { kEverything, kWholeType, kPrefix, kLiteral };  // from the widest to the most specific
  Match match = Match::kEverything;
  std::uint32_t type = 0;  // GANTRY_RESOURCE_*; 0 with kEverything
  std::string name;        // of kPrefix and kLiteral

  // CONFIG names the text and what is wrong with it.
  [[nodiscard]] static Result<Resource> parse(std::string_view text);
  [[nodiscard]] bool covers(std::uint32_t other_type, std::string_view other_name) const;
  [[nodiscard]] std::string text() const;
};

struct Rule {
  Resource resource;
  std::uint32_t actions = 0;  // GANTRY_ACTION_*
  bool allow = true;
  std::shared_ptr<const AddressList> sources;  // NULL: from anywhere
  std::uint32_t line = 0;
};

struct User {
  std::string name, secret;
  bool super = false, enabled = true;
  AddressList unsigned_from;  // logs in from there without a signature
  std::vector<Rule> rules;
  std::uint32_t line = 0;
  SigningKey key{{}};
  gantry_principal principal = 0;
};

struct Verdict {
  std::uint32_t decision;  // GANTRY_DECISION_*
  const Rule *rule;        // that decides; NULL: none, or the user is Super
};

// One of `actions` suffices. For each the most specific rule that fits decides: a literal name, then the longest prefix, then all of a type, then everything; of two
// alike the one that denies.
[[nodiscard]] Verdict decide(const User &user, std::uint32_t type, std::string_view name, std::uint32_t actions, const gantry_peer &peer);

class Rules {
 public:
  explicit Rules(std::string file_name) : file(std::move(file_name)) {}
  Rules(const Rules &) = delete;
  Rules &operator=(const Rules &) = delete;

  // EXISTS: the name is taken, with the line of its owner.
  [[nodiscard]] Result<void> add(std::unique_ptr<User> user);
  [[nodiscard]] User *find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<User>> &users() const { return users_; }

  const std::string file;
  AddressList trusted;  // may do everything, without any login

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<std::unique_ptr<User>> users_;
  std::unordered_map<std::string_view, User *, Hash, std::equal_to<>> by_name_;
};

// Empty when a user may have it, else what is wrong.
[[nodiscard]] std::string name_fault(std::string_view name);
[[nodiscard]] std::string secret_fault(std::string_view secret);
// One bit of "Pub", "Sub", ..., all bits of "All", any case; 0: no action.
[[nodiscard]] std::uint32_t action_of(std::string_view text);
[[nodiscard]] std::string actions_text(std::uint32_t actions);

}  // namespace gantry::acl
