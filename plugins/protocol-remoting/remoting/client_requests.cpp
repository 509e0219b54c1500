#include "remoting/client_requests.hpp"

#include "codec/codes.hpp"
#include "json/writer.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

const json::Value kNothing;

// The member `key` when it is an array, otherwise something without elements: peers leave sets out or write null.
const json::Value &array(const json::Value &object, std::string_view key) {
  const json::Value *found = object.find(key);
  return found != nullptr && found->is_array() ? *found : kNothing;
}

std::uint32_t enum_or(const json::Value &object, std::string_view key, std::initializer_list<std::string_view> names, std::uint32_t fallback) {
  const json::Value *found = object.find(key);
  return found != nullptr ? found->to_enum(names).value_or(fallback) : fallback;
}

gantry_subscription subscription_of(const json::Value &data) {
  return gantry_subscription{str(data.text_or("topic", "")), str(data.text_or("expressionType", "")), str(data.text_or("subString", "")),
                             data.int64_or("subVersion", 0)};
}

}  // namespace

const json::Value *ClientRequests::parse_body(const Request &request, const char *what) {
  if (document_.parse(request.body) && document_.root().is_object()) return &document_.root();
  const std::string why = document_.error().text();
  ctx_.output.reply(request.to(), kSystemError,
                    std::string(what) + ": the body is no JSON object" + (document_.error().what[0] != '\0' ? ": " + why : std::string()));
  return nullptr;
}

void ClientRequests::collect_consumers(const json::Value &list) {
  consumers_.clear();
  subscriptions_.clear();
  std::size_t total = 0;
  for (const json::Value &data : list) total += array(data, "subscriptionDataSet").size();
  subscriptions_.reserve(total);  // consumers point into it
  for (const json::Value &data : list) {
    gantry_consumer consumer{};
    consumer.group = str(data.text_or("groupName", ""));
    consumer.subscriptions = subscriptions_.data() + subscriptions_.size();
    for (const json::Value &subscription : array(data, "subscriptionDataSet")) subscriptions_.push_back(subscription_of(subscription));
    consumer.n_subscriptions = static_cast<std::uint32_t>(array(data, "subscriptionDataSet").size());
    const std::uint32_t type = enum_or(data, "consumeType", {"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"}, 1);
    consumer.consume_type = type == 0 ? GANTRY_CONSUME_ACTIVELY : GANTRY_CONSUME_PASSIVELY;
    consumer.model = enum_or(data, "messageModel", {"BROADCASTING", "CLUSTERING"}, GANTRY_MODEL_CLUSTERING);
    consumer.consume_from = enum_or(data, "consumeFromWhere",
                                    {"CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
                                     "CONSUME_FROM_MIN_OFFSET", "CONSUME_FROM_MAX_OFFSET", "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"},
                                    0);
    consumers_.push_back(consumer);
  }
}

void ClientRequests::heartbeat(const Request &request) {
  const json::Value *body = parse_body(request, "heartbeat");
  if (body == nullptr) return;
  const std::string_view client_id = body->text_or("clientID", "");
  if (client_id.empty()) return ctx_.output.reply(request.to(), kSystemError, "heartbeat: clientID is missing");
  producers_.clear();
  for (const json::Value &producer : array(*body, "producerDataSet")) producers_.push_back(str(producer.text_or("groupName", "")));
  collect_consumers(array(*body, "consumerDataSet"));

  gantry_heartbeat hb{};
  hb.size = sizeof hb;
  hb.language = request.header.language;
  hb.conn = request.conn.id;
  hb.client_id = str(client_id);
  hb.peer = str(request.conn.peer);
  hb.producer_groups = producers_.data();
  hb.n_producer_groups = static_cast<std::uint32_t>(producers_.size());
  hb.consumers = consumers_.data();
  hb.n_consumers = static_cast<std::uint32_t>(consumers_.size());
  hb.version = request.header.version;
  gantry_error error{};
  const std::int32_t status = ctx_.services.session->heartbeat(ctx_.services.host, &hb, &error);
  if (status >= 0) return ctx_.output.reply(request.to(), kSuccess);
  const std::int32_t code = status == GANTRY_E_NOT_FOUND ? kSubscriptionGroupNotExist : status == GANTRY_E_SYNTAX ? kSubscriptionParseFailed : kSystemError;
  ctx_.output.reply(request.to(), code, error.text[0] != '\0' ? std::string_view(error.text) : "heartbeat: the broker refused the registration");
}

void ClientRequests::unregister_client(const Request &request) {
  const Header &h = request.header;
  ctx_.services.session->unregister(ctx_.services.host, request.conn.id, str(h.text("clientID")), str(h.text("producerGroup")),
                                    str(h.text("consumerGroup")));
  ctx_.output.reply(request.to(), kSuccess);
}

void ClientRequests::consumer_list(const Request &request) {
  const std::string_view group = request.header.text("consumerGroup");
  text_.clear();
  json::Writer out(text_);
  out.begin_object().key("consumerIdList").begin_array();
  const gantry_client_fn add = [](void *arg, gantry_str client_id) noexcept { static_cast<json::Writer *>(arg)->string(view(client_id)); };
  const std::int32_t status = ctx_.services.session->consumers(ctx_.services.host, str(group), add, &out);
  if (status < 0) return ctx_.output.reply(request.to(), kSystemError, "no consumer for this group, " + shown(group));
  out.end_array().end_object();
  ctx_.output.reply(request.to(), kSuccess, {}, nullptr, 0, text_);
}

void ClientRequests::check_client_config(const Request &request) {
  const json::Value *body = parse_body(request, "client config");
  if (body == nullptr) return;
  const json::Value *subscription = body->find("subscriptionData");
  if (subscription == nullptr) return ctx_.output.reply(request.to(), kSuccess);
  const std::string_view type = subscription->text_or("expressionType", ""), expression = subscription->text_or("subString", "");
  gantry_error error{};
  const std::int32_t status = ctx_.services.session->check_filter(ctx_.services.host, str(type), str(expression), &error);
  if (status == GANTRY_OK) return ctx_.output.reply(request.to(), kSuccess);
  if (status == GANTRY_E_UNSUPPORTED) return ctx_.output.reply(request.to(), kSystemError, "The broker does not support consumer to filter message by " + shown(type));
  ctx_.output.reply(request.to(), status == GANTRY_E_SYNTAX || status == GANTRY_E_LIMIT ? kSubscriptionParseFailed : kSystemError, error.text);
}

bool ClientRequests::lock_body(const Request &request, const char *what, LockBody &out) {
  const json::Value *body = parse_body(request, what);
  if (body == nullptr) return false;
  out.client_id = body->text_or("clientId", "");
  out.group = body->text_or("consumerGroup", "");
  out.queues = &array(*body, "mqSet");
  if (out.client_id.empty() || out.group.empty()) {
    ctx_.output.reply(request.to(), kSystemError, std::string(what) + ": clientId or consumerGroup is missing");
    return false;
  }
  locks_.clear();
  for (const json::Value &queue : *out.queues) {
    const std::int32_t number = queue.int32_or("queueId", -1);
    // An illegal queue keeps its place in the list, so that the answers match, and is never held.
    locks_.push_back(gantry_lock_item{str(queue.text_or("topic", "")), number < 0 ? UINT32_MAX : static_cast<std::uint32_t>(number), 0});
  }
  return true;
}

void ClientRequests::lock_batch(const Request &request) {
  LockBody body;
  if (!lock_body(request, "lock", body)) return;
  const std::int32_t status = ctx_.services.broker->queue_lock(ctx_.services.host, str(body.group), str(body.client_id), locks_.data(),
                                                               static_cast<std::uint32_t>(locks_.size()));
  if (status < 0) return ctx_.output.reply(request.to(), kSystemError, "lock: the broker refused to lock the queues");
  text_.clear();
  json::Writer out(text_);
  out.begin_object().key("lockOKMQSet").begin_array();
  std::size_t i = 0;
  for (const json::Value &queue : *body.queues) {
    const gantry_lock_item &item = locks_[i++];
    if (item.held == 0 || item.queue_no == UINT32_MAX) continue;
    out.begin_object().member("brokerName", queue.text_or("brokerName", "")).member("queueId", item.queue_no);
    out.member("topic", view(item.topic)).end_object();
  }
  out.end_array().end_object();
  ctx_.output.reply(request.to(), kSuccess, {}, nullptr, 0, text_);
}

void ClientRequests::unlock_batch(const Request &request) {
  LockBody body;
  if (!lock_body(request, "unlock", body)) return;
  (void)ctx_.services.broker->queue_unlock(ctx_.services.host, str(body.group), str(body.client_id), locks_.data(),
                                           static_cast<std::uint32_t>(locks_.size()));
  ctx_.output.reply(request.to(), kSuccess);
}

}  // namespace gantry::remoting
