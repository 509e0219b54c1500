// Settings and offsets of topics, and how far groups have come in them.
#include "codec/codes.hpp"
#include "json/writer.hpp"
#include "remoting/group_info.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace gantry::remoting {

namespace {

void reply_body(ShardContext &ctx, const Request &request, std::string_view body) { ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body); }

bool find(ShardContext &ctx, std::string_view name, gantry_topic_info &out) {
  out = gantry_topic_info{};
  out.size = sizeof out;
  return ctx.services.broker->topic_find(ctx.services.host, str(name), &out) == GANTRY_OK;
}

void refuse_topic(ShardContext &ctx, const Request &request, std::string_view name) {
  ctx.output.reply(request.to(), kTopicNotExist, "topic[" + shown(name) + "] not exist");
}

// A MessageQueue, the key of the maps that Java reads.
std::string queue_key(ShardContext &ctx, std::string_view topic, std::uint32_t queue_no) {
  std::string out;
  json::Writer(out).begin_object().member("brokerName", ctx.settings.broker_name).member("queueId", queue_no).member("topic", topic).end_object();
  return out;
}

gantry_queue_stat stat_of(ShardContext &ctx, gantry_topic topic, std::uint32_t queue_no) {
  gantry_queue_stat stat{};
  (void)ctx.services.broker->queue_stat(ctx.services.host, topic, queue_no, &stat);
  return stat;
}

void topic_stats(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("topic");
  gantry_topic_info info{};
  if (!find(ctx, name, info)) return refuse_topic(ctx, request, name);
  std::string body;
  json::Writer json(body);
  json.begin_object().key("offsetTable").begin_object();
  for (std::uint32_t i = 0; i < info.write_queues; ++i) {
    const gantry_queue_stat stat = stat_of(ctx, info.topic, i);
    // The store does not say when the newest message came; 0 is shown as "never".
    json.raw_key(queue_key(ctx, name, i)).begin_object().member("lastUpdateTimestamp", 0);
    json.member("maxOffset", stat.max_off).member("minOffset", stat.min_off).end_object();
  }
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

void put_topic(json::Writer &json, const gantry_topic_info &info) {
  json.begin_object().member("order", (info.flags & GANTRY_TOPIC_ORDER) != 0).member("perm", info.perm).member("readQueueNums", info.read_queues);
  json.member("topicFilterType", "SINGLE_TAG").member("topicName", view(info.name)).member("topicSysFlag", info.sys_flag);
  json.member("writeQueueNums", info.write_queues).end_object();
}

void topic_config(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("topic");
  gantry_topic_info info{};
  if (!find(ctx, name, info)) return refuse_topic(ctx, request, name);
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

// Committed offsets of a group by topic and queue.
struct Progress {
  std::map<std::string, std::map<std::uint32_t, std::int64_t>> topics;
};

void consume_stats(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("consumerGroup"), only = request.header.text("topic");
  const gantry_broker_v1 &broker = *ctx.services.broker;
  Progress progress;
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    static_cast<Progress *>(arg)->topics[std::string(view(row->topic_name))][row->queue_no] = row->offset;
  };
  if (const gantry_group group = broker.group_find(ctx.services.host, str(name), 0); group != 0) broker.offset_list(ctx.services.host, group, 0, add, &progress);
  if (!only.empty()) std::erase_if(progress.topics, [only](const auto &entry) { return entry.first != only; });
  if (!only.empty() && progress.topics.empty()) progress.topics[std::string(only)];
  std::string body;
  json::Writer json(body);
  json.begin_object().key("consumeTps").raw("0.0").key("offsetTable").begin_object();
  for (const auto &[topic, queues] : progress.topics) {
    gantry_topic_info info{};
    if (!find(ctx, topic, info)) continue;
    for (std::uint32_t i = 0; i < info.read_queues; ++i) {
      const auto committed = queues.find(i);
      json.raw_key(queue_key(ctx, topic, i)).begin_object().member("brokerOffset", stat_of(ctx, info.topic, i).max_off);
      json.member("consumerOffset", committed == queues.end() ? 0 : committed->second).member("lastTimestamp", 0).end_object();
    }
  }
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

}  // namespace

bool tell_topic_info(ShardContext &ctx, const Request &request) {
  switch (request.header.code) {
    case kGetTopicStatsInfo: topic_stats(ctx, request); return true;
    case kGetTopicConfig: topic_config(ctx, request); return true;
    case kGetAllTopicConfig: all_topics(ctx, request); return true;
    case kGetSystemTopicListFromBroker: system_topics(ctx, request); return true;
    case kGetConsumeStats: consume_stats(ctx, request); return true;
    default: return false;
  }
}

}  // namespace gantry::remoting
