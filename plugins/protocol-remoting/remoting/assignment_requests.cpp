#include "remoting/assignment_requests.hpp"

#include "codec/codes.hpp"
#include "json/document.hpp"
#include "json/writer.hpp"

#include <gantry++/str.hpp>

#include <vector>

namespace gantry::remoting {

namespace {

constexpr std::string_view kRetryPrefix = "%RETRY%";

bool parse_body(ShardContext &ctx, const Request &request, const char *what, json::Document &document) {
  if (document.parse(request.body) && document.root().is_object()) return true;
  ctx.output.reply(request.to(), kSystemError, std::string(what) + ": the body is no JSON object");
  return false;
}

void query_assignment(ShardContext &ctx, const Request &request) {
  json::Document document;
  if (!parse_body(ctx, request, "assignment", document)) return;
  const json::Value &body = document.root();
  gantry_assign req{};
  req.topic = str(body.text_or("topic", ""));
  req.group = str(body.text_or("consumerGroup", ""));
  req.client_id = str(body.text_or("clientId", ""));
  req.strategy = str(body.text_or("strategyName", ""));
  req.broadcasting = body.text_or("messageModel", "CLUSTERING") == "BROADCASTING" ? 1 : 0;
  std::vector<std::int32_t> queues;
  gantry_request_mode mode{};
  gantry_error err{};
  const gantry_assigned_fn add = [](void *list, std::int32_t queue_no) noexcept { static_cast<std::vector<std::int32_t> *>(list)->push_back(queue_no); };
  std::string text;
  json::Writer out(text);
  out.begin_object();
  if (ctx.services.assignment->assign(ctx.services.host, &req, &mode, add, &queues, &err) == GANTRY_OK) {
    out.key("messageQueueAssignments").begin_array();
    for (const std::int32_t queue_no : queues) {
      out.begin_object().key("messageQueue").begin_object().member("brokerName", ctx.settings.broker_name).member("queueId", queue_no).member("topic", view(req.topic)).end_object();
      out.member("mode", mode.mode == GANTRY_MODE_POP ? "POP" : "PULL").end_object();
    }
    out.end_array();
  } else {
    // Without the list the client keeps what it has.
    ctx.services.write_log(GANTRY_LOG_DEBUG, std::string("remoting: no assignment: ") + err.text);
  }
  out.end_object();
  ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, text);
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
    const Refusal refusal = refusal_of_send(status, GANTRY_SUBJECT_STORE);
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
