#include "remoting/group_info.hpp"

#include "codec/codes.hpp"
#include "json/writer.hpp"
#include "remoting/members.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace gantry::remoting {

std::vector<std::string_view> tags_of(std::string_view expression) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; expression != "*" && at < expression.size();) {
    const std::size_t end = std::min(expression.find("||", at), expression.size());
    std::string_view tag = expression.substr(at, end - at);
    while (!tag.empty() && tag.front() == ' ') tag.remove_prefix(1);
    while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
    if (!tag.empty()) out.push_back(tag);
    at = end + 2;
  }
  return out;
}

void put_subscription(json::Writer &json, const gantry_subscription &s) {
  const std::string_view expression = view(s.expr);
  const std::string_view type = s.expr_type.n == 0 ? std::string_view("TAG") : view(s.expr_type);
  json.begin_object().member("classFilterMode", false).key("codeSet").begin_array().end_array().member("expressionType", type);
  json.member("subString", expression).member("subVersion", s.version).key("tagsSet").begin_array();
  if (type == "TAG")
    for (const std::string_view tag : tags_of(expression)) json.string(tag);
  json.end_array().member("topic", view(s.topic)).end_object();
}

namespace {

constexpr std::string_view kLanguages[] = {"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST"};

std::string_view language_name(std::uint32_t code) { return code < std::size(kLanguages) ? kLanguages[code] : "OTHER"; }

void reply_body(ShardContext &ctx, const Request &request, std::string_view body) { ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body); }

void put_connections(json::Writer &json, const std::vector<GroupMember> &members) {
  json.key("connectionSet").begin_array();
  for (const GroupMember &m : members) {
    json.begin_object().member("clientAddr", m.peer).member("clientId", m.client_id);
    json.member("language", language_name(m.language)).member("version", m.version).end_object();
  }
  json.end_array();
}

std::string_view consume_from_name(std::uint32_t ordinal) {
  constexpr std::string_view kNames[] = {"CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST", "CONSUME_FROM_MIN_OFFSET",
                                         "CONSUME_FROM_MAX_OFFSET", "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
  return ordinal < std::size(kNames) ? kNames[ordinal] : kNames[0];
}

void consumer_connections(ShardContext &ctx, const Request &request) {
  const std::string_view group = request.header.text("consumerGroup");
  const std::vector<GroupMember> members = consumers_of(ctx.services, group);
  std::string body;
  json::Writer json(body);
  json.begin_object();
  put_connections(json, members);
  const gantry_consumer_fn about = [](void *arg, const gantry_consumer *c) noexcept {
    auto &out = *static_cast<json::Writer *>(arg);
    out.member("consumeFromWhere", consume_from_name(c->consume_from));
    out.member("consumeType", c->consume_type == GANTRY_CONSUME_ACTIVELY ? "CONSUME_ACTIVELY" : "CONSUME_PASSIVELY");
    out.member("messageModel", c->model == GANTRY_MODEL_BROADCASTING ? "BROADCASTING" : "CLUSTERING").key("subscriptionTable").begin_object();
    for (std::uint32_t i = 0; i < c->n_subscriptions; ++i) {
      out.key(view(c->subscriptions[i].topic));
      put_subscription(out, c->subscriptions[i]);
    }
    out.end_object();
  };
  if (members.empty() || ctx.services.session->consumer_group(ctx.services.host, str(group), about, nullptr, &json) != GANTRY_OK)
    return ctx.output.reply(request.to(), kConsumerNotOnline, "the consumer group[" + shown(group) + "] not online");
  json.end_object();
  reply_body(ctx, request, body);
}

void producer_connections(ShardContext &ctx, const Request &request) {
  const std::string_view group = request.header.text("producerGroup");
  const std::vector<GroupMember> members = group.empty() ? std::vector<GroupMember>() : producers_of(ctx.services, group);
  if (members.empty()) return ctx.output.reply(request.to(), kSystemError, "the producer group[" + shown(group) + "] not exist");
  std::string body;
  json::Writer json(body);
  json.begin_object();
  put_connections(json, members);
  json.end_object();
  reply_body(ctx, request, body);
}

void all_producers(ShardContext &ctx, const Request &request) {
  std::string body;
  json::Writer json(body);
  json.begin_object().key("data").begin_object();
  const std::vector<GroupMember> members = producers_of(ctx.services, {});
  for (std::size_t i = 0; i < members.size();) {
    const std::string &group = members[i].group;
    json.key(group).begin_array();
    for (; i < members.size() && members[i].group == group; ++i) {
      const GroupMember &m = members[i];
      json.begin_object().member("clientId", m.client_id).member("language", language_name(m.language)).member("lastUpdateTimestamp", m.seen_ms);
      json.member("remoteIP", "/" + m.peer).member("version", m.version).end_object();
    }
    json.end_array();
  }
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

// Subscriptions of connected groups: those of one group, or of all for an empty name.
struct Subscribed {
  std::string group, topic, expression, type;
  std::int64_t version;
};
std::vector<Subscribed> subscriptions_of(ShardContext &ctx, std::string_view group) {
  std::vector<Subscribed> out;
  const gantry_consumer_fn add = [](void *arg, const gantry_consumer *c) noexcept {
    for (std::uint32_t i = 0; i < c->n_subscriptions; ++i) {
      const gantry_subscription &s = c->subscriptions[i];
      static_cast<std::vector<Subscribed> *>(arg)->push_back(
          {std::string(view(c->group)), std::string(view(s.topic)), std::string(view(s.expr)), std::string(view(s.expr_type)), s.version});
    }
  };
  (void)ctx.services.session->consumer_group(ctx.services.host, str(group), add, nullptr, &out);
  return out;
}

// Names in the committed offsets: topics of a group, or groups of a topic; the other handle is 0.
std::set<std::string> committed_names(ShardContext &ctx, gantry_group group, gantry_topic topic) {
  struct Sink {
    std::set<std::string> names;
    bool topics;
  } sink{{}, group != 0};
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    auto &s = *static_cast<Sink *>(arg);
    s.names.emplace(view(s.topics ? row->topic_name : row->group_name));
  };
  ctx.services.broker->offset_list(ctx.services.host, group, topic, add, &sink);
  return sink.names;
}

void put_names(json::Writer &json, std::string_view key, const std::set<std::string> &names) {
  json.key(key).begin_array();
  for (const std::string &name : names) json.string(name);
  json.end_array();
}

void groups_of_topic(ShardContext &ctx, const Request &request) {
  const std::string_view topic = request.header.text("topic");
  gantry_topic_info info{};
  info.size = sizeof info;
  std::set<std::string> groups;
  if (ctx.services.broker->topic_find(ctx.services.host, str(topic), &info) == GANTRY_OK) groups = committed_names(ctx, 0, info.topic);
  for (const Subscribed &s : subscriptions_of(ctx, {}))
    if (s.topic == topic) groups.insert(s.group);
  std::string body;
  json::Writer json(body);
  json.begin_object();
  put_names(json, "groupList", groups);
  json.end_object();
  reply_body(ctx, request, body);
}

void topics_of_group(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("group");
  const gantry_group group = ctx.services.broker->group_find(ctx.services.host, str(name), 0);
  std::string body;
  json::Writer json(body);
  json.begin_object();
  put_names(json, "topicList", group == 0 ? std::set<std::string>() : committed_names(ctx, group, 0));
  json.end_object();
  reply_body(ctx, request, body);
}

void subscription_of_group(ShardContext &ctx, const Request &request) {
  const std::string_view group = request.header.text("group"), topic = request.header.text("topic");
  std::string body;
  json::Writer json(body);
  json.begin_object().member("group", group);
  for (const Subscribed &s : group.empty() ? std::vector<Subscribed>() : subscriptions_of(ctx, group)) {
    if (s.topic != topic) continue;
    json.key("subscriptionData");
    put_subscription(json, gantry_subscription{str(s.topic), str(s.type), str(s.expression), s.version});
  }
  json.member("topic", topic).end_object();
  reply_body(ctx, request, body);
}

}  // namespace

bool tell_group_info(ShardContext &ctx, const Request &request) {
  switch (request.header.code) {
    case kGetConsumerConnectionList: consumer_connections(ctx, request); return true;
    case kGetProducerConnectionList: producer_connections(ctx, request); return true;
    case kGetAllProducerInfo: all_producers(ctx, request); return true;
    case kQueryTopicConsumeByWho: groups_of_topic(ctx, request); return true;
    case kQueryTopicsByConsumer: topics_of_group(ctx, request); return true;
    case kQuerySubscriptionByConsumer: subscription_of_group(ctx, request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
