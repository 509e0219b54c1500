#include "remoting/request.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

const CachedTopic *remember_topic(Connection &conn, std::string_view name, const gantry_topic_info &info, std::uint64_t generation) {
  CachedTopic &cache = conn.topic;
  GANTRY_ASSERT(name.size() <= sizeof cache.name);
  cache.generation = generation;
  cache.topic = info.topic;
  cache.flags = info.flags;
  cache.perm = info.perm;
  cache.queue_limit = std::max(info.read_queues, info.write_queues);
  cache.write_queues = info.write_queues;
  cache.name_bytes = static_cast<std::uint32_t>(name.size());
  (void)put_text(cache.name, name);
  return &cache;
}

const CachedTopic *find_topic(ShardContext &ctx, Connection &conn, std::string_view name) {
  CachedTopic &cache = conn.topic;
  // Read before the look-up: a change during the look-up makes what it found stale.
  const std::uint64_t generation = ctx.topics_generation.load(std::memory_order_acquire);
  if (cache.topic != 0 && name == std::string_view(cache.name, cache.name_bytes) &&
      cache.generation == generation) [[likely]]
    return &cache;
  if (name.size() > sizeof cache.name) return nullptr;
  gantry_topic_info info{};
  info.size = sizeof info;
  if (ctx.services.broker->topic_find(ctx.services.host, str(name), &info) != GANTRY_OK) return nullptr;
  return remember_topic(conn, name, info, generation);
}

namespace {
// RocketMQ's code and its first words; what it goes on with lists every reason there may be.
Refusal disk_is_full(ShardContext &ctx) {
  char text[1024];
  const std::uint32_t n = ctx.services.admin->refusal(ctx.services.host, text, sizeof text);
  ctx.refusal_text = "service not available now: ";
  if (n == 0)
    ctx.refusal_text += "the broker's disk is full";
  else
    ctx.refusal_text.append(text, n);
  return {kServiceNotAvailable, ctx.refusal_text};
}
}  // namespace

Refusal refusal_of_send(ShardContext &ctx, std::int32_t status, std::uint32_t subject) {
  switch (status) {
    case GANTRY_E_NOT_FOUND:
      return {kTopicNotExist, "the topic was deleted meanwhile; create it first"};
    case GANTRY_E_LIMIT:
    case GANTRY_E_INVALID:
      if (subject == GANTRY_SUBJECT_QUEUE) return {kSystemError, "request queueId is illegal: the topic has fewer queues"};
      if (subject == GANTRY_SUBJECT_PROPERTIES) return {kMessageIllegal, "the message properties are too long or damaged, or a delay or due time in them is no number"};
      return {kMessageIllegal, "the message body size is illegal"};
    case GANTRY_E_RANGE:
      return {kMessageIllegal, "timer message illegal, the due time is further ahead than this broker allows ([broker] max_timer_delay)"};
    case GANTRY_E_DENIED:
      return {kNoPermission, "the broker or the topic does not allow sending"};
    case GANTRY_E_UNSUPPORTED:
      return {kMessageIllegal, "the message asks for something that this broker does not support yet"};
    case GANTRY_E_NO_SPACE:
      return disk_is_full(ctx);
    case GANTRY_E_IO:
      return {kServiceNotAvailable, "service not available now: the store of the broker failed to write"};
    case GANTRY_E_NOT_WRITABLE:
    case GANTRY_E_CLOSED:
    case GANTRY_E_CANCELLED:
      return {kServiceNotAvailable, "service not available now: the broker takes no messages, it may be shutting down"};
    case GANTRY_E_AGAIN:
      return {kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while"};
    default:
      return {kSystemError, "UNKNOWN_ERROR"};
  }
}

Refusal refusal_of_pull(std::int32_t status, std::uint32_t subject) {
  switch (status) {
    case GANTRY_E_NOT_FOUND:
      if (subject == GANTRY_SUBJECT_GROUP) return {kSubscriptionGroupNotExist, "the subscription group does not exist"};
      if (subject == GANTRY_SUBJECT_TOPIC) return {kTopicNotExist, "the topic was deleted meanwhile; create it first"};
      if (subject == GANTRY_SUBJECT_FILTER) return {kFilterDataNotExist, "The broker's consumer filter data is not exist!Your expression may be wrong!"};
      return {kSubscriptionNotExist, "the consumer's subscription not exist"};
    case GANTRY_E_DENIED:
      return {kNoPermission, "the broker, the topic or the subscription group does not allow consuming"};
    case GANTRY_E_INVALID:
      return {kSystemError, "queueId is illegal: the topic has fewer queues"};
    case GANTRY_E_STALE:
      return {kSubscriptionNotLatest, "the consumer's subscription not latest"};
    case GANTRY_E_UNSUPPORTED:
      return {kSystemError, "The broker does not support consumer to filter message by this expression type"};
    case GANTRY_E_SYNTAX:
      return {kSubscriptionParseFailed, "parse the consumer's subscription failed"};
    case GANTRY_E_LIMIT:
      return {kSubscriptionParseFailed, "the consumer's filter is too large, or the broker holds as many filters as it may"};
    case GANTRY_E_BUDGET:
      return {kSystemError, "the consumer's filter is suspended: it took more than its budget on this broker; `gantry plugin top` says where. Nothing is lost, consuming goes on with a filter that keeps to it"};
    case GANTRY_E_AGAIN:
      return {kFlowControl, "the broker is busy; pull again a little later"};
    case GANTRY_E_CLOSED:
    case GANTRY_E_CANCELLED:
      return {kServiceNotAvailable, "the broker is shutting down"};
    case GANTRY_E_IO:
    case GANTRY_E_CORRUPT:
      return {kSystemError, "the store of the broker failed to read"};
    default:
      return {kSystemError, "UNKNOWN_ERROR"};
  }
}

}  // namespace gantry::remoting
