#include "remoting/assignment_requests.hpp"

#include "codec/codes.hpp"
#include "json/document.hpp"
#include "json/writer.hpp"

#include <gantry++/str.hpp>

#include <memory>
#include <string>
#include <vector>

namespace gantry::remoting {

namespace {

constexpr std::string_view kRetryPrefix = "%RETRY%";

bool parse_body(ShardContext &ctx, const Request &request, const char *what, json::Document &document) {
  if (document.parse(request.body) && document.root().is_object()) return true;
  ctx.output.reply(request.to(), kSystemError, std::string(what) + ": the body is no JSON object");
  return false;
}

// A QUERY_ASSIGNMENT that may have to wait for a name server.
struct AssignmentQuery {
  ReplyTo to;
  std::string topic, group, client_id, strategy;
  bool broadcasting = false;
};

void answer_assignment(ShardContext &ctx, const AssignmentQuery &query, const std::vector<BrokerQueues> *others) {
  struct Assigned {
    std::string broker;
    std::int32_t queue_no;
  };
  std::vector<gantry_broker_queues> brokers;
  if (others != nullptr)
    for (const BrokerQueues &each : *others) brokers.push_back({str(each.broker), each.read_queues, 0});
  gantry_assign req{};
  req.topic = str(query.topic);
  req.group = str(query.group);
  req.client_id = str(query.client_id);
  req.strategy = str(query.strategy);
  req.brokers = brokers.data();
  req.n_brokers = static_cast<std::uint32_t>(brokers.size());
  req.broadcasting = query.broadcasting ? 1 : 0;
  std::vector<Assigned> queues;
  gantry_request_mode mode{};
  gantry_error err{};
  const gantry_assigned_fn add = [](void *list, gantry_str broker, std::int32_t queue_no) noexcept {
    static_cast<std::vector<Assigned> *>(list)->push_back({std::string(view(broker)), queue_no});
  };
  std::string text;
  json::Writer out(text);
  out.begin_object();
  if (others != nullptr && ctx.services.assignment->assign(ctx.services.host, &req, &mode, add, &queues, &err) == GANTRY_OK) {
    out.key("messageQueueAssignments").begin_array();
    for (const Assigned &each : queues) {
      out.begin_object().key("messageQueue").begin_object().member("brokerName", each.broker).member("queueId", each.queue_no).member("topic", query.topic).end_object();
      out.member("mode", mode.mode == GANTRY_MODE_POP ? "POP" : "PULL").end_object();
    }
    out.end_array();
  } else {
    // Without the list the client keeps what it has.
    ctx.services.write_log(GANTRY_LOG_DEBUG, std::string("remoting: no assignment: ") + (others != nullptr ? err.text : "no name server tells where topic '" + query.topic + "' is"));
  }
  out.end_object();
  ctx.output.reply(query.to, kSuccess, {}, nullptr, 0, text);
}

void query_assignment(ShardContext &ctx, const Request &request) {
  json::Document document;
  if (!parse_body(ctx, request, "assignment", document)) return;
  const json::Value &body = document.root();
  const auto query = std::make_shared<AssignmentQuery>();
  query->to = request.to();
  query->topic = body.text_or("topic", "");
  query->group = body.text_or("consumerGroup", "");
  query->client_id = body.text_or("clientId", "");
  query->strategy = body.text_or("strategyName", "");
  query->broadcasting = body.text_or("messageModel", "CLUSTERING") == "BROADCASTING";
  static const std::vector<BrokerQueues> kAlone;
  gantry_topic_info info{};
  info.size = sizeof info;
  // A topic that is not here is refused before anybody is asked, or strangers could make the broker ask for anything.
  if (ctx.routes == nullptr || ctx.services.broker->topic_find(ctx.services.host, str(query->topic), &info) != GANTRY_OK)
    return answer_assignment(ctx, *query, &kAlone);
  const auto late = std::make_shared<bool>(false);
  const bool taken = ctx.routes->find(query->topic, [&ctx, query, late](const TopicRoute &route) {
    answer_assignment(ctx, *query, route.get());
    if (*late) ctx.output.flush();
  });
  *late = true;
  if (!taken) ctx.output.reply(request.to(), kSystemBusy, "too many requests wait for a name server");
}

void set_request_mode(ShardContext &ctx, const Request &request) {
  json::Document document;
  if (!parse_body(ctx, request, "request mode", document)) return;
  const json::Value &body = document.root();
  const std::string_view topic = body.text_or("topic", ""), group = body.text_or("consumerGroup", ""), name = body.text_or("mode", "PULL");
  if (topic.starts_with(kRetryPrefix)) return ctx.output.reply(request.to(), kNoPermission, "retry topic is not allowed to set mode");
  gantry_topic_info info{};
  info.size = sizeof info;
  if (ctx.services.broker->topic_find(ctx.services.host, str(topic), &info) != GANTRY_OK) return ctx.output.reply(request.to(), kTopicNotExist, "topic[" + shown(topic) + "] not exist");
  if (ctx.services.broker->group_find(ctx.services.host, str(group), 1) == 0) return ctx.output.reply(request.to(), kSubscriptionGroupNotExist, "subscription group does not exist");
  const gantry_request_mode mode{name == "POP" ? GANTRY_MODE_POP : name == "PULL" ? GANTRY_MODE_PULL : GANTRY_MODE_UNSET, body.int32_or("popShareQueueNum", 0)};
  const std::int32_t status = ctx.services.assignment->set_request_mode(ctx.services.host, str(topic), str(group), &mode);
  if (status == GANTRY_E_INVALID) return ctx.output.reply(request.to(), kSystemError, "request mode '" + shown(name) + "' is neither PULL nor POP");
  if (status != GANTRY_OK) {
    const Refusal refusal = refusal_of_send(ctx, status, GANTRY_SUBJECT_STORE);
    return ctx.output.reply(request.to(), refusal.code, refusal.remark);
  }
  ctx.output.reply(request.to(), kSuccess);
}

}  // namespace

bool handle_assignment(ShardContext &ctx, const Request &request) {
  if (ctx.services.assignment == nullptr) return false;
  switch (request.header.code) {
    case kQueryAssignment: query_assignment(ctx, request); return true;
    case kSetMessageRequestMode: set_request_mode(ctx, request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
