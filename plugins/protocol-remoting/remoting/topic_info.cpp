// Settings of topics.
#include "codec/codes.hpp"
#include "json/writer.hpp"
#include "remoting/group_info.hpp"
#include "remoting/queue_json.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

void reply_body(ShardContext &ctx, const Request &request, std::string_view body) { ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body); }

void put_attributes(json::Writer &json, std::string_view attributes) {
  json.begin_object();
  while (!attributes.empty()) {
    const std::size_t end = std::min(attributes.find(','), attributes.size()), middle = attributes.find('=');
    json.member(attributes.substr(0, middle), attributes.substr(middle + 1, end - middle - 1));
    attributes.remove_prefix(std::min(end + 1, attributes.size()));
  }
  json.end_object();
}

void put_topic(json::Writer &json, const gantry_topic_info &info) {
  json.begin_object().key("attributes");
  put_attributes(json, view(info.attributes));
  json.member("order", (info.flags & GANTRY_TOPIC_ORDER) != 0).member("perm", info.perm).member("readQueueNums", info.read_queues);
  json.member("topicFilterType", "SINGLE_TAG").member("topicName", view(info.name)).member("topicSysFlag", info.sys_flag);
  json.member("writeQueueNums", info.write_queues).end_object();
}

void topic_config(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("topic");
  gantry_topic_info info{};
  if (!find_topic_info(ctx, name, info)) return refuse_topic(ctx, request, name);
  std::string body;
  json::Writer json(body);
  put_topic(json, info);
  reply_body(ctx, request, body);
}

void all_topics(ShardContext &ctx, const Request &request) {
  gantry_topics_version version{};
  ctx.services.broker->topics_version(ctx.services.host, &version);
  std::string body;
  json::Writer json(body);
  json.begin_object().key("dataVersion").begin_object().member("counter", version.counter).member("timestamp", version.timestamp_ms).end_object();
  json.key("topicConfigTable").begin_object();
  const gantry_topic_fn add = [](void *arg, const gantry_topic_info *info) noexcept {
    auto &out = *static_cast<json::Writer *>(arg);
    out.key(view(info->name));
    put_topic(out, *info);
  };
  ctx.services.broker->topic_list(ctx.services.host, add, &json);
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

void system_topics(ShardContext &ctx, const Request &request) {
  std::string body;
  json::Writer json(body);
  json.begin_object().key("topicList").begin_array();
  const gantry_topic_fn add = [](void *arg, const gantry_topic_info *info) noexcept {
    if ((info->flags & GANTRY_TOPIC_SYSTEM) != 0) static_cast<json::Writer *>(arg)->string(view(info->name));
  };
  ctx.services.broker->topic_list(ctx.services.host, add, &json);
  json.end_array().end_object();
  reply_body(ctx, request, body);
}

}  // namespace

bool tell_topic_info(ShardContext &ctx, const Request &request) {
  switch (request.header.code) {
    case kGetTopicConfig: topic_config(ctx, request); return true;
    case kGetAllTopicConfig: all_topics(ctx, request); return true;
    case kGetSystemTopicListFromBroker: system_topics(ctx, request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
