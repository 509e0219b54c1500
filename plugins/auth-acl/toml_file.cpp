// acl.toml.
#include "files.hpp"

#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts preconditions that a file can break and then reports them as errors all the same.
#define TOML_ASSERT(expr) static_assert(true)
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <initializer_list>

namespace gantry::acl {
namespace {

class Reader {
 public:
  explicit Reader(const std::string &path) : path_(path), rules_(std::make_unique<Rules>(path)) {}

  Result<std::unique_ptr<Rules>> read(const toml::table &root) {
    GANTRY_TRY(known(root, {"trusted_addresses", "user"}, "of the file"));
    GANTRY_TRY(texts(root, "trusted_addresses", [this](std::string_view text) { return rules_->trusted.add(text); }));
    if (const toml::node *users = root.get("user")) {
      if (!users->is_array_of_tables()) return at(*users, "user: wanted sections [[user]]");
      for (const toml::node &user : *users->as_array()) GANTRY_TRY(read_user(*user.as_table()));
    }
    return std::move(rules_);
  }

 private:
  [[nodiscard]] Error at(const toml::node &node, std::string what) const { return at_line(path_, node.source().begin.line, std::move(what)); }

  Result<void> known(const toml::table &table, std::initializer_list<std::string_view> keys, const char *where) const {
    for (const auto &[key, node] : table) {
      bool found = false;
      std::string all;
      for (const std::string_view one : keys) {
        found = found || key.str() == one;
        all += (all.empty() ? "" : ", ") + std::string(one);
      }
      if (!found) return at_line(path_, key.source().begin.line, "unknown key \"" + std::string(key.str()) + "\"; keys " + where + ": " + all);
    }
    return {};
  }

  Result<std::string> text(const toml::table &table, std::string_view key, const char *fallback) const {
    const toml::node *node = table.get(key);
    if (node == nullptr && fallback != nullptr) return std::string(fallback);
    if (node == nullptr) return at(table, "the key \"" + std::string(key) + "\" is missing");
    if (const auto *value = node->as_string()) return value->get();
    return at(*node, std::string(key) + ": wanted a text in quotes");
  }

  template <typename Take>
  Result<void> texts(const toml::table &table, std::string_view key, const Take &take) const {
    const toml::node *node = table.get(key);
    if (node == nullptr) return {};
    const toml::array *list = node->as_array();
    if (list == nullptr) return at(*node, std::string(key) + ": wanted a list of texts");
    for (const toml::node &item : *list) {
      const auto *value = item.as_string();
      if (value == nullptr) return at(item, std::string(key) + ": wanted a list of texts");
      if (Result<void> taken = take(value->get()); !taken) return at(item, std::string(key) + ": " + taken.error().text);
    }
    return {};
  }

  Result<void> read_user(const toml::table &table) {
    GANTRY_TRY(known(table, {"name", "secret", "type", "status", "unsigned_from", "policy"}, "of [[user]]"));
    auto user = std::make_unique<User>();
    user->line = static_cast<std::uint32_t>(table.source().begin.line);
    Result<std::string> name = text(table, "name", nullptr), secret = text(table, "secret", nullptr), type = text(table, "type", "Normal"), status = text(table, "status", "enable");
    for (Result<std::string> *each : {&name, &secret, &type, &status})
      if (!*each) return std::move(each->error());
    if (const std::string fault = name_fault(*name); !fault.empty()) return at(*table.get("name"), "name: " + fault);
    if (const std::string fault = secret_fault(*secret); !fault.empty()) return at(*table.get("secret"), "secret of user \"" + *name + "\": " + fault);
    user->name = std::move(*name);
    user->secret = std::move(*secret);
    if (*type != "Super" && *type != "Normal") return at(*table.get("type"), R"(type: wanted "Super" or "Normal")");
    if (*status != "enable" && *status != "disable") return at(*table.get("status"), R"(status: wanted "enable" or "disable")");
    user->super = *type == "Super";
    user->enabled = *status == "enable";
    GANTRY_TRY(texts(table, "unsigned_from", [&user](std::string_view one) { return user->unsigned_from.add(one); }));
    if (const toml::node *policies = table.get("policy")) {
      if (!policies->is_array_of_tables()) return at(*policies, "policy: wanted sections [[user.policy]]");
      for (const toml::node &policy : *policies->as_array()) GANTRY_TRY(read_policy(*policy.as_table(), *user));
    }
    const std::uint32_t line = user->line;
    if (Result<void> added = rules_->add(std::move(user)); !added) return at_line(path_, line, added.error().text);
    return {};
  }

  Result<void> read_policy(const toml::table &table, User &user) const {
    GANTRY_TRY(known(table, {"resources", "actions", "sources", "decision"}, "of [[user.policy]]"));
    for (const char *key : {"resources", "actions"})
      if (const toml::array *list = table[key].as_array(); list == nullptr || list->empty()) return at(table, std::string("the policy needs a list \"") + key + "\" with at least one text");
    Rule rule;
    rule.line = static_cast<std::uint32_t>(table.source().begin.line);
    Result<std::string> decision = text(table, "decision", "Allow");
    if (!decision) return std::move(decision.error());
    if (*decision != "Allow" && *decision != "Deny") return at(*table.get("decision"), R"(decision: wanted "Allow" or "Deny")");
    rule.allow = *decision == "Allow";
    GANTRY_TRY(texts(table, "actions", [&rule](std::string_view one) -> Result<void> {
      const std::uint32_t action = action_of(one);
      if (action == 0) return Error{GANTRY_E_CONFIG, "\"" + std::string(one.substr(0, 40)) + "\" is no action; there are Pub, Sub, Create, Update, Delete, Get, List and All"};
      rule.actions |= action;
      return {};
    }));
    auto sources = std::make_shared<AddressList>();
    GANTRY_TRY(texts(table, "sources", [&sources](std::string_view one) { return sources->add(one); }));
    if (table.get("sources") != nullptr && sources->empty()) return at(*table.get("sources"), "sources: the list is empty, so that the policy would never hold; leave the key out for all addresses");
    if (!sources->empty()) rule.sources = sources;
    return texts(table, "resources", [&](std::string_view one) -> Result<void> {
      Result<Resource> resource = Resource::parse(one);
      if (!resource) return std::move(resource.error());
      rule.resource = std::move(*resource);
      user.rules.push_back(rule);
      return {};
    });
  }

  const std::string &path_;
  std::unique_ptr<Rules> rules_;
};

}  // namespace

Result<std::unique_ptr<Rules>> parse_toml(std::string_view text, const std::string &path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return at_line(path, parsed.error().source().begin.line, "not valid TOML: " + std::string(parsed.error().description()));
  return Reader(path).read(parsed.table());
}

}  // namespace gantry::acl
