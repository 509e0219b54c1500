// RocketMQ's plain_acl.yml (ACL 1.0) as rules:
//  - an explicit permission of a topic or group replaces the default, so what it does not grant is denied by name;
//  - "others need a signature only" becomes Get and List on everything;
//  - an administrator without permissions of his own is Super, one with them is checked like anybody and may change things.
#include "files.hpp"

#include <yaml.h>

#include <strings.h>

#include <functional>

namespace gantry::acl {
namespace {

constexpr std::uint32_t kPubSub = GANTRY_ACTION_PUB | GANTRY_ACTION_SUB;

class Document {
 public:
  ~Document() {
    if (loaded_) yaml_document_delete(&document_);
  }
  Document() = default;
  Document(const Document &) = delete;
  Document &operator=(const Document &) = delete;

  Result<void> load(std::string_view text, const std::string &path) {
    GANTRY_TRY(check_depth(text, path));
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) return Error{GANTRY_E_NOMEM, "out of memory"};
    yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char *>(text.data()), text.size());
    loaded_ = yaml_parser_load(&parser, &document_) != 0;
    const std::string problem = parser.problem != nullptr ? parser.problem : "it cannot be read";
    const std::uint64_t line = parser.problem_mark.line + 1;
    yaml_parser_delete(&parser);
    if (loaded_) return {};
    return at_line(path, line, "not valid YAML: " + problem);
  }
  [[nodiscard]] yaml_node_t *root() { return yaml_document_get_root_node(&document_); }
  [[nodiscard]] yaml_node_t *node(int index) { return yaml_document_get_node(&document_, index); }

 private:
  // The library takes time by the square of the depth, so that deep nesting is refused before it is read.
  static Result<void> check_depth(std::string_view text, const std::string &path) {
    constexpr int kMaxDepth = 16;
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) return Error{GANTRY_E_NOMEM, "out of memory"};
    yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char *>(text.data()), text.size());
    int depth = 0;
    std::uint64_t line = 0;
    for (bool more = true; more && depth <= kMaxDepth;) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser, &event) == 0) break;  // what is wrong is said when it is read
      if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT) ++depth;
      if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) --depth;
      more = event.type != YAML_STREAM_END_EVENT;
      line = event.start_mark.line + 1;
      yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (depth > kMaxDepth) return at_line(path, line, "lists and keys are nested deeper than 16");
    return {};
  }

  yaml_document_t document_{};
  bool loaded_ = false;
};

std::string_view scalar(const yaml_node_t &node) { return {reinterpret_cast<const char *>(node.data.scalar.value), node.data.scalar.length}; }

// RocketMQ's Permission.parsePermFromString: anything else is DENY.
std::uint32_t permission(std::string_view text) {
  const auto trim = [](std::string_view one) {
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    return one;
  };
  text = trim(text);
  if (text == "PUB") return GANTRY_ACTION_PUB;
  if (text == "SUB") return GANTRY_ACTION_SUB;
  return text == "PUB|SUB" || text == "SUB|PUB" ? kPubSub : 0;
}

class Reader {
 public:
  Reader(Document &document, const std::string &path) : document_(document), path_(path), rules_(std::make_unique<Rules>(path)) {}

  Result<std::unique_ptr<Rules>> read() {
    yaml_node_t *root = document_.root();
    if (root == nullptr) return at_line(path_, 1, "the file is empty");
    GANTRY_TRY(each_pair(*root, [this](std::string_view key, yaml_node_t &value) -> Result<void> {
      if (key == "globalWhiteRemoteAddresses") return each_text(value, [this](std::string_view one, yaml_node_t &) { return rules_->trusted.add(one); });
      if (key == "accounts") return each_item(value, [this](yaml_node_t &account) { return read_account(account); });
      if (key == "dataVersion") return {};
      return at(value, "unknown key \"" + std::string(key) + "\"; there are globalWhiteRemoteAddresses and accounts");
    }));
    return std::move(rules_);
  }

 private:
  using OnPair = std::function<Result<void>(std::string_view, yaml_node_t &)>;
  using OnItem = std::function<Result<void>(yaml_node_t &)>;

  [[nodiscard]] Error at(const yaml_node_t &node, std::string what) const { return at_line(path_, node.start_mark.line + 1, std::move(what)); }
  [[nodiscard]] static bool is_null(const yaml_node_t &node) { return node.type == YAML_SCALAR_NODE && (node.data.scalar.length == 0 || scalar(node) == "null" || scalar(node) == "~"); }

  Result<void> each_pair(yaml_node_t &node, const OnPair &fn) {
    if (node.type != YAML_MAPPING_NODE) return at(node, "wanted keys and values");
    for (const yaml_node_pair_t *pair = node.data.mapping.pairs.start; pair < node.data.mapping.pairs.top; ++pair) {
      yaml_node_t *key = document_.node(pair->key), *value = document_.node(pair->value);
      if (key->type != YAML_SCALAR_NODE) return at(*key, "a key is no text");
      GANTRY_TRY(fn(scalar(*key), *value));
    }
    return {};
  }

  Result<void> each_item(yaml_node_t &node, const OnItem &fn) {
    if (is_null(node)) return {};
    if (node.type != YAML_SEQUENCE_NODE) return at(node, "wanted a list");
    for (const yaml_node_item_t *item = node.data.sequence.items.start; item < node.data.sequence.items.top; ++item) GANTRY_TRY(fn(*document_.node(*item)));
    return {};
  }

  Result<void> each_text(yaml_node_t &node, const OnPair &fn) {
    return each_item(node, [&](yaml_node_t &item) -> Result<void> {
      if (item.type != YAML_SCALAR_NODE) return at(item, "wanted a text");
      if (Result<void> taken = fn(scalar(item), item); !taken) return taken.error().text.starts_with(path_ + ":") ? std::move(taken) : at(item, taken.error().text);
      return {};
    });
  }

  void add_rule(User &user, Resource resource, std::uint32_t actions, bool allow, std::uint64_t line) const {
    if (actions == 0) return;
    Rule rule;
    rule.resource = std::move(resource);
    rule.actions = actions;
    rule.allow = allow;
    rule.line = static_cast<std::uint32_t>(line);
    user.rules.push_back(std::move(rule));
  }

  void add_default(User &user, std::uint32_t type, std::uint32_t permissions, const yaml_node_t &node) const {
    Resource resource;
    resource.match = Resource::Match::kWholeType;
    resource.type = type;
    add_rule(user, std::move(resource), permissions, true, node.start_mark.line + 1);
  }

  Result<void> read_perm(User &user, std::uint32_t type, std::string_view text, yaml_node_t &node) {
    const std::size_t sign = text.find('=');
    if (sign == std::string_view::npos || sign == 0) return at(node, "\"" + std::string(text.substr(0, 80)) + "\": wanted NAME=PUB, NAME=SUB, NAME=PUB|SUB or NAME=DENY");
    Resource resource;
    resource.match = Resource::Match::kLiteral;
    resource.type = type;
    resource.name = text.substr(0, sign);
    const std::uint32_t permissions = permission(text.substr(sign + 1));
    add_rule(user, resource, permissions, true, node.start_mark.line + 1);
    add_rule(user, resource, kPubSub & ~permissions, false, node.start_mark.line + 1);
    return {};
  }

  Result<void> read_account(yaml_node_t &account) {
    auto user = std::make_unique<User>();
    user->line = static_cast<std::uint32_t>(account.start_mark.line + 1);
    bool admin = false, own_permissions = false;
    const yaml_node_t *secret = &account;
    GANTRY_TRY(each_pair(account, [&](std::string_view key, yaml_node_t &value) -> Result<void> {
      const auto list = [&](std::uint32_t type) {
        return each_text(value, [&, type](std::string_view one, yaml_node_t &item) {
          own_permissions = true;
          return read_perm(*user, type, one, item);
        });
      };
      if (key == "topicPerms") return list(GANTRY_RESOURCE_TOPIC);
      if (key == "groupPerms") return list(GANTRY_RESOURCE_GROUP);
      if (value.type != YAML_SCALAR_NODE) return at(value, std::string(key) + ": wanted a text");
      const std::string_view text = is_null(value) ? std::string_view() : scalar(value);
      if (key == "accessKey") {
        user->name = text;
      } else if (key == "secretKey") {
        user->secret = text;
        secret = &value;
      } else if (key == "whiteRemoteAddress") {
        if (Result<void> taken = user->unsigned_from.add(text); !taken) return at(value, taken.error().text);
      } else if (key == "admin") {
        admin = text.size() == 4 && ::strncasecmp(text.data(), "true", 4) == 0;
      } else if (key == "defaultTopicPerm") {
        add_default(*user, GANTRY_RESOURCE_TOPIC, permission(text), value);
      } else if (key == "defaultGroupPerm") {
        add_default(*user, GANTRY_RESOURCE_GROUP, permission(text), value);
      } else {
        return at(value, "unknown key \"" + std::string(key) + "\" of an account");
      }
      return {};
    }));
    if (const std::string fault = name_fault(user->name); !fault.empty()) return at(account, "accessKey: " + fault);
    if (const std::string fault = secret_fault(user->secret); !fault.empty()) return at(*secret, "secretKey of \"" + user->name + "\": " + fault);
    user->super = admin && !own_permissions;
    const std::uint32_t for_all = GANTRY_ACTION_GET | GANTRY_ACTION_LIST | (admin ? GANTRY_ACTION_CREATE | GANTRY_ACTION_UPDATE | GANTRY_ACTION_DELETE : 0);
    add_rule(*user, Resource{}, for_all, true, user->line);
    if (user->super) user->rules.clear();
    const std::uint32_t line = user->line;
    if (Result<void> added = rules_->add(std::move(user)); !added) return at_line(path_, line, added.error().text);
    return {};
  }

  Document &document_;
  const std::string &path_;
  std::unique_ptr<Rules> rules_;
};

}  // namespace

Result<std::unique_ptr<Rules>> parse_plain_acl(std::string_view text, const std::string &path) {
  Document document;
  GANTRY_TRY(document.load(text, path));
  return Reader(document, path).read();
}

}  // namespace gantry::acl
