#include "access/needed.hpp"

#include "access/access_rules.hpp"
#include "codec/codes.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {
namespace {

constexpr std::string_view kRetryPrefix = "%RETRY%";
// Every user may write traces, as in RocketMQ, and ask where new topics are made.
constexpr std::string_view kTraceTopic = "RMQ_SYS_TRACE_TOPIC", kTemplateTopic = "TBW102";
constexpr std::uint32_t kRoute = GANTRY_ACTION_PUB | GANTRY_ACTION_SUB | GANTRY_ACTION_GET;

const json::Value kNothing;

const json::Value &array(const json::Value &object, std::string_view key) {
  const json::Value *found = object.find(key);
  return found != nullptr && found->is_array() ? *found : kNothing;
}

bool needs_body(const AccessRule &rule) {
  switch (rule.source) {
    case NameSource::kBody:
    case NameSource::kBodyList:
    case NameSource::kHeartbeat:
    case NameSource::kLock:
    case NameSource::kAcks: return true;
    default: return false;
  }
}

// As decode_send_header takes it.
std::string_view send_topic(const Header &header) {
  constexpr std::uint32_t kLetterB = 1u << ('b' - 'a');
  return (header.letters_set & kLetterB) != 0 ? header.letters['b' - 'a'] : header.text("topic");
}

}  // namespace

void Needed::add(std::uint32_t type, std::string_view name, std::uint32_t actions) {
  if (type == GANTRY_RESOURCE_TOPIC) {
    if (name == kTraceTopic && (actions & GANTRY_ACTION_PUB) != 0) return;
    if (name == kTemplateTopic && actions == kRoute) return;
    if (name.starts_with(kRetryPrefix)) {
      type = GANTRY_RESOURCE_GROUP;
      name.remove_prefix(kRetryPrefix.size());
      if ((actions & GANTRY_ACTION_PUB) != 0) actions = (actions & ~GANTRY_ACTION_PUB) | GANTRY_ACTION_SUB;
    }
  }
  items_.push_back(gantry_authz{type, actions, str(name), 0});
}

// The retry topic of a pop is %RETRY%group_topic or %RETRY%group+topic: it is the group's that acknowledges.
void Needed::add_ack_topic(std::string_view topic, std::string_view group, std::uint32_t actions) {
  if (!group.empty() && topic.starts_with(kRetryPrefix)) {
    const std::string_view rest = topic.substr(kRetryPrefix.size());
    if (rest.starts_with(group) && rest.size() > group.size() && (rest[group.size()] == '_' || rest[group.size()] == '+')) return add(GANTRY_RESOURCE_GROUP, group, actions);
  }
  add(GANTRY_RESOURCE_TOPIC, topic, actions);
}

void Needed::add_heartbeat(const json::Value &root) {
  for (const json::Value &consumer : array(root, "consumerDataSet")) {
    add(GANTRY_RESOURCE_GROUP, consumer.text_or("groupName", ""), GANTRY_ACTION_SUB);
    for (const json::Value &subscription : array(consumer, "subscriptionDataSet")) add(GANTRY_RESOURCE_TOPIC, subscription.text_or("topic", ""), GANTRY_ACTION_SUB);
  }
}

void Needed::add_lock(const json::Value &root) {
  add(GANTRY_RESOURCE_GROUP, root.text_or("consumerGroup", ""), GANTRY_ACTION_SUB);
  for (const json::Value &queue : array(root, "mqSet")) add(GANTRY_RESOURCE_TOPIC, queue.text_or("topic", ""), GANTRY_ACTION_SUB);
}

void Needed::add_acks(const json::Value &root) {
  for (const json::Value &one : array(root, "acks")) {
    const std::string_view group = one.text_or("c", one.text_or("consumerGroup", "")), topic = one.text_or("t", one.text_or("topic", ""));
    add(GANTRY_RESOURCE_GROUP, group, GANTRY_ACTION_SUB);
    add_ack_topic(topic, group, GANTRY_ACTION_SUB);
  }
}

const std::vector<gantry_authz> &Needed::of(const Header &header, std::string_view body) {
  items_.clear();
  const std::span<const AccessRule> rules = access_rules(header.code);
  bool readable = !rules.empty();
  if (readable && needs_body(rules.front())) readable = document_.parse(body) && document_.root().is_object();
  if (!readable) {
    add(GANTRY_RESOURCE_CLUSTER, {}, GANTRY_ACTION_UPDATE);
    return items_;
  }
  for (const AccessRule &rule : rules) {
    switch (rule.source) {
      case NameSource::kSigned: break;
      case NameSource::kField: add(rule.resource_type, header.text(rule.field), rule.actions); break;
      case NameSource::kFieldIfGiven:
        if (const std::string_view name = header.text(rule.field); !name.empty()) add(rule.resource_type, name, rule.actions);
        break;
      case NameSource::kAckTopic: add_ack_topic(header.text(rule.field), header.text("consumerGroup"), rule.actions); break;
      case NameSource::kSendTopic: add(rule.resource_type, send_topic(header), rule.actions); break;
      case NameSource::kWhole: add(rule.resource_type, rule.resource_type == GANTRY_RESOURCE_CLUSTER ? std::string_view() : "*", rule.actions); break;
      case NameSource::kBody: add(rule.resource_type, document_.root().text_or(rule.field, ""), rule.actions); break;
      case NameSource::kBodyList: {
        const std::string_view path = rule.field;
        const std::size_t dot = path.find('.');
        for (const json::Value &each : array(document_.root(), path.substr(0, dot))) add(rule.resource_type, each.text_or(path.substr(dot + 1), ""), rule.actions);
        break;
      }
      case NameSource::kHeartbeat: add_heartbeat(document_.root()); break;
      case NameSource::kLock: add_lock(document_.root()); break;
      case NameSource::kAcks: add_acks(document_.root()); break;
    }
  }
  return items_;
}

}  // namespace gantry::remoting
