#include "remoting/admin_requests.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "json/document.hpp"
#include "json/writer.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <map>

namespace gantry::remoting {

namespace {

void reply_body(ShardContext &ctx, const Request &request, std::string_view body) { ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body); }

// A change whose answer waits for its rows; `begin` gets the user data of the completion.
template <typename Begin>
void change(ShardContext &ctx, const Request &request, Begin begin) {
  const std::uint32_t slot = ctx.pendings.take(PendingKind::kAdmin, request.conn, request.to());
  if (slot == kNoSlot) return ctx.output.reply(request.to(), kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  gantry_error error{};
  const std::int32_t status = begin(slot, &error);
  if (status >= 0) return;
  ctx.pendings.give_back(slot);
  ctx.output.reply(request.to(), kSystemError, error.text[0] != '\0' ? std::string_view(error.text) : "the broker does not take this change now");
}

void delete_topic(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("topic");
  if (name.empty()) return ctx.output.reply(request.to(), kSystemError, "The specified topic is blank.");
  change(ctx, request, [&](std::uint64_t slot, gantry_error *error) { return ctx.services.admin->topic_delete(ctx.services.host, str(name), slot, ctx.cq, error); });
}

void delete_group(ShardContext &ctx, const Request &request) {
  const Header &h = request.header;
  const std::string_view name = h.text("groupName");
  if (name.empty()) return ctx.output.reply(request.to(), kSystemError, "field groupName is missing");
  // 4.9 says removeOffset, 5.x cleanOffset.
  const bool offsets = parse_bool(h.text("cleanOffset")) || parse_bool(h.text("removeOffset"));
  change(ctx, request, [&](std::uint64_t slot, gantry_error *error) { return ctx.services.admin->group_delete(ctx.services.host, str(name), offsets ? 1 : 0, slot, ctx.cq, error); });
}

// A SubscriptionGroupConfig; names point into the document.
gantry_group_settings group_of(const json::Value &body) {
  gantry_group_settings s{};
  s.size = sizeof s;
  s.name = str(body.text_or("groupName", ""));
  const auto flag = [&body](std::string_view key, bool otherwise, std::uint32_t bit) { return body.bool_or(key, otherwise) ? bit : 0; };
  s.flags = flag("consumeEnable", true, GANTRY_GROUP_CONSUME) | flag("consumeBroadcastEnable", true, GANTRY_GROUP_BROADCAST) | flag("consumeFromMinEnable", true, GANTRY_GROUP_FROM_MIN) |
            flag("consumeMessageOrderly", false, GANTRY_GROUP_ORDERLY) | flag("notifyConsumerIdsChangedEnable", true, GANTRY_GROUP_NOTIFY);
  const auto count = [&body](std::string_view key, std::int32_t otherwise) { return static_cast<std::uint32_t>(std::max(body.int32_or(key, otherwise), 0)); };
  s.retry_queues = count("retryQueueNums", 1);
  s.retry_max_times = count("retryMaxTimes", 16);
  s.broker_id = body.int64_or("brokerId", 0);
  s.slow_broker_id = body.int64_or("whichBrokerWhenConsumeSlowly", 1);
  s.sys_flag = static_cast<std::uint32_t>(body.int32_or("groupSysFlag", 0));
  s.consume_timeout_min = count("consumeTimeoutMinute", 15);
  return s;
}

void update_group(ShardContext &ctx, const Request &request) {
  json::Document document;
  if (!document.parse(request.body) || !document.root().is_object()) return ctx.output.reply(request.to(), kSystemError, "subscription group: the body is no JSON object");
  const gantry_group_settings s = group_of(document.root());
  change(ctx, request, [&](std::uint64_t slot, gantry_error *error) { return ctx.services.admin->group_upsert(ctx.services.host, &s, slot, ctx.cq, error); });
}

// The array `key` of the body; NULL: there is none, and that was answered.
const json::Value *list_of(ShardContext &ctx, const Request &request, json::Document &document, std::string_view key) {
  const json::Value *const list = document.parse(request.body) && document.root().is_object() ? document.root().find(key) : nullptr;
  if (list != nullptr && list->is_array() && list->size() != 0) return list;
  ctx.output.reply(request.to(), kSystemError, "the body is no JSON object with a list " + std::string(key));
  return nullptr;
}

void update_groups(ShardContext &ctx, const Request &request) {
  json::Document document;
  const json::Value *const list = list_of(ctx, request, document, "groupConfigList");
  if (list == nullptr) return;
  for (const json::Value &each : *list) {
    const gantry_group_settings s = group_of(each);
    gantry_error error{};
    if (ctx.services.admin->group_upsert(ctx.services.host, &s, 0, 0, &error) < 0) return ctx.output.reply(request.to(), kSystemError, error.text);
  }
  reply_when_settled(ctx, request);
}

// A map of changes, {"+key":"value","-key":""}, in the form of the field of request 17.
std::string attribute_changes(const json::Value *map) {
  std::string out;
  if (map == nullptr || !map->is_object()) return out;
  for (const json::Value &each : *map) {
    if (!out.empty()) out += ',';
    out += each.key();
    if (each.is_string() && !each.text().empty()) out.append("=").append(each.text());
  }
  return out;
}

void update_topics(ShardContext &ctx, const Request &request) {
  json::Document document;
  const json::Value *const list = list_of(ctx, request, document, "topicConfigList");
  if (list == nullptr) return;
  for (const json::Value &each : *list) {
    gantry_topic_info info{};
    info.size = sizeof info;
    info.name = str(each.text_or("topicName", ""));
    const std::int32_t read_queues = each.int32_or("readQueueNums", 16), write_queues = each.int32_or("writeQueueNums", 16), perm = each.int32_or("perm", 6);
    if (read_queues < 0 || write_queues < 0 || perm < 0 || perm > 15) return ctx.output.reply(request.to(), kSystemError, "topic " + shown(view(info.name)) + ": perm or a number of queues is out of range");
    info.read_queues = static_cast<std::uint32_t>(read_queues);
    info.write_queues = static_cast<std::uint32_t>(write_queues);
    info.perm = static_cast<std::uint32_t>(perm);
    info.sys_flag = static_cast<std::uint32_t>(each.int32_or("topicSysFlag", 0));
    info.flags = each.bool_or("order", false) ? GANTRY_TOPIC_ORDER : 0;
    const std::string attributes = attribute_changes(each.find("attributes"));
    info.attributes = str(attributes);
    gantry_error error{};
    if (ctx.services.broker->topic_upsert(ctx.services.host, &info, &error) < 0) return ctx.output.reply(request.to(), kSystemError, error.text);
  }
  reply_when_settled(ctx, request);
}

// The keys of 4.9's SubscriptionGroupConfig and of 5.x's.
void put_group(json::Writer &json, const gantry_group_settings &s) {
  const auto has = [&s](std::uint32_t bit) { return (s.flags & bit) != 0; };
  json.begin_object().key("attributes").begin_object().end_object().member("brokerId", s.broker_id).member("consumeBroadcastEnable", has(GANTRY_GROUP_BROADCAST));
  json.member("consumeEnable", has(GANTRY_GROUP_CONSUME)).member("consumeFromMinEnable", has(GANTRY_GROUP_FROM_MIN)).member("consumeMessageOrderly", has(GANTRY_GROUP_ORDERLY));
  json.member("consumeTimeoutMinute", s.consume_timeout_min).member("groupName", view(s.name)).member("groupSysFlag", s.sys_flag);
  json.member("notifyConsumerIdsChangedEnable", has(GANTRY_GROUP_NOTIFY)).member("retryMaxTimes", s.retry_max_times).member("retryQueueNums", s.retry_queues);
  json.member("whichBrokerWhenConsumeSlowly", s.slow_broker_id).end_object();
}

void group_config(ShardContext &ctx, const Request &request) {
  const std::string_view name = request.header.text("group");
  gantry_group_settings s{};
  s.size = sizeof s;
  if (ctx.services.admin->group_settings(ctx.services.host, str(name), &s) != GANTRY_OK)
    return ctx.output.reply(request.to(), kSubscriptionGroupNotExist, "subscription group [" + shown(name) + "] does not exist");
  std::string body;
  json::Writer json(body);
  put_group(json, s);
  reply_body(ctx, request, body);
}

void all_groups(ShardContext &ctx, const Request &request) {
  gantry_topics_version version{};
  ctx.services.admin->groups_version(ctx.services.host, &version);
  std::string body;
  json::Writer json(body);
  json.begin_object().key("dataVersion").begin_object().member("counter", version.counter).member("timestamp", version.timestamp_ms).end_object();
  json.key("subscriptionGroupTable").begin_object();
  const gantry_group_fn add = [](void *arg, const gantry_group_settings *s) noexcept {
    auto &out = *static_cast<json::Writer *>(arg);
    out.key(view(s->name));
    put_group(out, *s);
  };
  ctx.services.admin->group_list(ctx.services.host, add, &json);
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

using Offsets = std::map<std::string, std::map<std::uint32_t, std::int64_t>>;  // by "topic@group"

void all_offsets(ShardContext &ctx, const Request &request) {
  Offsets all;
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    (*static_cast<Offsets *>(arg))[std::string(view(row->topic_name)) + "@" + std::string(view(row->group_name))][row->queue_no] = row->offset;
  };
  ctx.services.broker->offset_list(ctx.services.host, 0, 0, add, &all);
  std::string body;
  json::Writer json(body);
  json.begin_object().key("offsetTable").begin_object();
  for (const auto &[key, queues] : all) {
    json.key(key).begin_object();
    for (const auto &[queue_no, offset] : queues) json.key(static_cast<std::int64_t>(queue_no)).number(offset);
    json.end_object();
  }
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

bool among(std::string_view list, std::string_view name) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (list.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}

// Per queue the lowest offset of any group that is not left out; Long.MAX_VALUE where compareGroup stands below it.
void correction_offset(ShardContext &ctx, const Request &request) {
  const Header &h = request.header;
  const Services &s = ctx.services;
  gantry_topic_info info{};
  info.size = sizeof info;
  if (s.broker->topic_find(s.host, str(h.text("topic")), &info) != GANTRY_OK) return ctx.output.reply(request.to(), kTopicNotExist, "topic[" + shown(h.text("topic")) + "] not exist");
  struct Sink {
    std::string_view left_out, compared;
    std::map<std::uint32_t, std::int64_t> lowest, other;
    ShardContext *ctx;
  } sink{h.text("filterGroups"), h.text("compareGroup"), {}, {}, &ctx};
  const gantry_committed_fn add = [](void *arg, const gantry_committed *row) noexcept {
    auto &k = *static_cast<Sink *>(arg);
    const std::string_view group = view(row->group_name);
    if (group == k.compared) k.other[row->queue_no] = row->offset;
    gantry_queue_stat stat{};
    (void)k.ctx->services.broker->queue_stat(k.ctx->services.host, row->topic, row->queue_no, &stat);
    if (among(k.left_out, group) || row->offset < stat.min_off) return;
    const auto [it, made] = k.lowest.try_emplace(row->queue_no, row->offset);
    if (!made) it->second = std::min(it->second, row->offset);
  };
  s.broker->offset_list(s.host, 0, info.topic, add, &sink);
  for (auto &[queue_no, offset] : sink.lowest)
    if (const auto it = sink.other.find(queue_no); it != sink.other.end() && offset > it->second) offset = INT64_MAX;
  std::string body;
  json::Writer json(body);
  json.begin_object().key("correctionOffsets").begin_object();
  for (const auto &[queue_no, offset] : sink.lowest) json.key(static_cast<std::int64_t>(queue_no)).number(offset);
  json.end_object().end_object();
  reply_body(ctx, request, body);
}

}  // namespace

void reply_when_settled(ShardContext &ctx, const Request &request) {
  change(ctx, request, [&](std::uint64_t slot, gantry_error *) { return ctx.services.admin->settle(ctx.services.host, slot, ctx.cq); });
}

void complete_admin(ShardContext &ctx, const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx.pendings.at(slot).to;
  ctx.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK) return ctx.output.reply(to, kSuccess);
  ctx.output.reply(to, kSystemError, "the change holds now but was not written: the store of the broker failed (code " + std::to_string(cqe.status) + ")");
}

bool handle_admin(ShardContext &ctx, const Request &request) {
  switch (request.header.code) {
    case kDeleteTopicInBroker: delete_topic(ctx, request); return true;
    case kDeleteSubscriptiongroup: delete_group(ctx, request); return true;
    case kUpdateAndCreateSubscriptiongroup: update_group(ctx, request); return true;
    case kUpdateAndCreateSubscriptiongroupList: update_groups(ctx, request); return true;
    case kUpdateAndCreateTopicList: update_topics(ctx, request); return true;
    case kGetAllSubscriptiongroupConfig: all_groups(ctx, request); return true;
    case kGetSubscriptiongroupConfig: group_config(ctx, request); return true;
    case kGetAllConsumerOffset: all_offsets(ctx, request); return true;
    case kQueryCorrectionOffset: correction_offset(ctx, request); return true;
    // There is no index apart from the log, and the store drops what is too old by itself.
    case kCleanExpiredConsumequeue:
    case kCleanUnusedTopic:
    case kDeleteExpiredCommitlog: ctx.output.reply(request.to(), kSuccess); return true;
    default: return tell_runtime(ctx, request);
  }
}

}  // namespace gantry::remoting
