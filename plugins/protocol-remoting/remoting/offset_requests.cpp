#include "remoting/offset_requests.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "remoting/admin_requests.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

void refuse(ShardContext &ctx, const Request &request, std::int32_t code, std::string_view remark) {
  ctx.output.reply(request.to(), code, remark);
}

void reply_number(ShardContext &ctx, const ReplyTo &to, std::string_view key, std::int64_t value) {
  char text[kNumberTextMax];
  const char *const end = put_number(text, value);
  const ExtField ext[] = {{key, {text, static_cast<std::size_t>(end - text)}}};
  ctx.output.reply(to, kSuccess, {}, ext, 1);
}

// False: answered already, because a field is no number.
template <typename T>
bool number_field(ShardContext &ctx, const Request &request, std::string_view key, T &out) {
  if (parse_number(request.header.text(key), out)) return true;
  refuse(ctx, request, kSystemError, "field " + std::string(key) + " is missing or no number");
  return false;
}

struct Queue {
  const CachedTopic *topic = nullptr;  // NULL: unknown topic
  std::int32_t number = 0;
  bool exists = false;
};

// The queue that the fields topic and queueId name. False: answered already.
bool queue_fields(ShardContext &ctx, const Request &request, Queue &out) {
  if (!number_field(ctx, request, "queueId", out.number)) return false;
  out.topic = find_topic(ctx, request.conn, request.header.text("topic"));
  out.exists = out.topic != nullptr && out.number >= 0 && static_cast<std::uint32_t>(out.number) < out.topic->queue_limit;
  return true;
}

// Zeros for a queue that nobody used yet.
gantry_queue_stat stat_of(ShardContext &ctx, const Queue &queue) {
  gantry_queue_stat stat{};
  if (ctx.services.broker->queue_stat(ctx.services.host, queue.topic->topic, static_cast<std::uint32_t>(queue.number), &stat) != GANTRY_OK)
    stat = gantry_queue_stat{};
  return stat;
}

std::string unknown_group(const Request &request) {
  return "subscription group [" + shown(request.header.text("consumerGroup")) + "] does not exist";
}

}  // namespace

void query_consumer_offset(ShardContext &ctx, const Request &request) {
  Queue queue;
  if (!queue_fields(ctx, request, queue)) return;
  const gantry_broker_v1 &broker = *ctx.services.broker;
  const std::string_view *set_zero = request.header.find("setZeroIfNotFound");
  const bool exact = set_zero != nullptr && !parse_bool(*set_zero);
  const gantry_group group = broker.group_find(ctx.services.host, str(request.header.text("consumerGroup")), exact ? 0 : 1);
  if (group == 0) return refuse(ctx, request, kQueryNotFound, unknown_group(request));
  std::int64_t offset = 0;
  std::int32_t status = GANTRY_OK;  // a queue that does not exist has nothing old, so a new group begins at 0
  if (queue.exists || exact)
    status = !queue.exists ? GANTRY_E_NOT_FOUND
                           : broker.offset_query(ctx.services.host, group, queue.topic->topic, static_cast<std::uint32_t>(queue.number),
                                                 exact ? GANTRY_OFFSET_EXACT : 0, &offset);
  if (status == GANTRY_OK) return reply_number(ctx, request.to(), "offset", offset);
  refuse(ctx, request, kQueryNotFound, "the group has committed no offset for this queue yet");
}

void update_consumer_offset(ShardContext &ctx, const Request &request) {
  Queue queue;
  std::int64_t offset = 0;
  if (!queue_fields(ctx, request, queue) || !number_field(ctx, request, "commitOffset", offset)) return;
  const gantry_broker_v1 &broker = *ctx.services.broker;
  const gantry_group group = broker.group_find(ctx.services.host, str(request.header.text("consumerGroup")), 1);
  if (group == 0) return refuse(ctx, request, kSubscriptionGroupNotExist, unknown_group(request));
  if (queue.topic == nullptr)
    return refuse(ctx, request, kTopicNotExist, "topic[" + shown(request.header.text("topic")) + "] not exist, create it first");
  // A reply promises that the offset survives a crash, so it waits for the row; a oneway commit is written a little later.
  const std::uint32_t slot = request.to().oneway ? kNoSlot : ctx.pendings.take(PendingKind::kCommit, request.conn, request.to());
  if (slot == kNoSlot && !request.to().oneway) return refuse(ctx, request, kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  const std::int32_t status = queue.exists ? broker.offset_commit(ctx.services.host, group, queue.topic->topic,
                                                                  static_cast<std::uint32_t>(queue.number), offset, slot, slot == kNoSlot ? 0 : ctx.cq)
                                           : GANTRY_E_INVALID;
  if (status >= 0) return;
  if (slot != kNoSlot) ctx.pendings.give_back(slot);
  if (status == GANTRY_E_NOT_FOUND) return refuse(ctx, request, kTopicNotExist, "the topic or the group was deleted meanwhile");
  refuse(ctx, request, kSystemError, "queueId or commitOffset is illegal");
}

void complete_commit(ShardContext &ctx, const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx.pendings.at(slot).to;
  ctx.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK) return ctx.output.reply(to, kSuccess);
  ctx.output.reply(to, kSystemError, "the store of the broker did not take the offset; it is kept in memory and written later");
}

void search_offset(ShardContext &ctx, const Request &request) {
  Queue queue;
  std::int64_t time_ms = 0;
  if (!queue_fields(ctx, request, queue) || !number_field(ctx, request, "timestamp", time_ms)) return;
  if (!queue.exists) return reply_number(ctx, request.to(), "offset", 0);
  const std::uint32_t slot = ctx.pendings.take(PendingKind::kSeek, request.conn, request.to());
  if (slot == kNoSlot) return refuse(ctx, request, kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  Pending &pending = ctx.pendings.at(slot);
  // LOWER: the first message at or after the time. UPPER: the last one at or before it, which is next to the first one after it.
  const std::string_view boundary = request.header.text("boundaryType");
  pending.upper = boundary == "UPPER" || boundary == "upper";
  pending.offset = stat_of(ctx, queue).min_off;
  if (pending.upper && time_ms < INT64_MAX) ++time_ms;
  const std::int32_t status = ctx.services.broker->seek_time(ctx.services.host, queue.topic->topic,
                                                             static_cast<std::uint32_t>(queue.number), time_ms, slot, ctx.cq);
  if (status >= 0) return;
  ctx.pendings.give_back(slot);
  if (status == GANTRY_E_NOT_FOUND) return reply_number(ctx, request.to(), "offset", 0);
  refuse(ctx, request, kSystemError, "the store of the broker failed to search");
}

void complete_search(ShardContext &ctx, const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t offset = pending.upper ? std::max(cqe.result - 1, pending.offset) : cqe.result;
  ctx.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK) return reply_number(ctx, to, "offset", offset);
  ctx.output.reply(to, kSystemError, "the store of the broker failed to search");
}

void get_max_offset(ShardContext &ctx, const Request &request) {
  Queue queue;
  if (!queue_fields(ctx, request, queue)) return;
  reply_number(ctx, request.to(), "offset", queue.exists ? stat_of(ctx, queue).max_off : 0);
}

void get_min_offset(ShardContext &ctx, const Request &request) {
  Queue queue;
  if (!queue_fields(ctx, request, queue)) return;
  reply_number(ctx, request.to(), "offset", queue.exists ? stat_of(ctx, queue).min_off : 0);
}

void get_earliest_store_time(ShardContext &ctx, const Request &request) {
  Queue queue;
  if (!queue_fields(ctx, request, queue)) return;
  const std::int64_t store_ms = queue.exists ? stat_of(ctx, queue).first_store_ms : 0;
  reply_number(ctx, request.to(), "timestamp", store_ms > 0 ? store_ms : -1);
}

void update_and_create_topic(ShardContext &ctx, const Request &request) {
  gantry_topic_info info{};
  info.size = sizeof info;
  info.name = str(request.header.text("topic"));
  std::int32_t read_queues = 0, write_queues = 0, perm = 0, sys_flag = 0;
  if (!number_field(ctx, request, "readQueueNums", read_queues) || !number_field(ctx, request, "writeQueueNums", write_queues) ||
      !number_field(ctx, request, "perm", perm))
    return;
  if (request.header.find("topicSysFlag") != nullptr && !number_field(ctx, request, "topicSysFlag", sys_flag)) return;
  if (read_queues < 0 || write_queues < 0) return refuse(ctx, request, kSystemError, "the numbers of queues must not be negative");
  if (perm < 0 || perm > 15) return refuse(ctx, request, kSystemError, "perm must be a sum of 1 (inherit), 2 (write), 4 (read)");
  info.perm = static_cast<std::uint32_t>(perm);
  info.read_queues = static_cast<std::uint32_t>(read_queues);
  info.write_queues = static_cast<std::uint32_t>(write_queues);
  info.sys_flag = static_cast<std::uint32_t>(sys_flag);
  info.flags = parse_bool(request.header.text("order")) ? GANTRY_TOPIC_ORDER : 0;
  info.attributes = str(request.header.text("attributes"));
  gantry_error error{};
  const std::int32_t status = ctx.services.broker->topic_upsert(ctx.services.host, &info, &error);
  if (status >= 0) return reply_when_settled(ctx, request);
  refuse(ctx, request, kSystemError, error.text[0] != '\0' ? std::string_view(error.text) : "the topic cannot be created");
}

}  // namespace gantry::remoting
