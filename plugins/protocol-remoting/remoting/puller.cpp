#include "remoting/puller.hpp"

#include "codec/codes.hpp"
#include "codec/pull_header.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kMaxOutstanding = 16384;     // requests of one connection at the broker
constexpr std::int32_t kMaxRecords = 1024;           // of one reply
constexpr std::uint32_t kMaxReplyBytes = 256u << 10; // of messages; the first always fits
constexpr std::int64_t kMaxSuspendMs = 120'000;      // an idle connection lives no longer

std::uint32_t body_bytes(const gantry_fetch_result &result) {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < result.n; ++i) bytes += result.records[i].bytes.n;
  GANTRY_ASSERT(bytes <= kFrameMaxBytes);
  return static_cast<std::uint32_t>(bytes);
}

// Code and RocketMQ's name for what a fetch found at offset `asked`.
PullReply outcome(const gantry_fetch_result &result, std::int64_t asked) {
  PullReply reply;
  reply.next_offset = result.next_off;
  reply.min_offset = result.min_off;
  reply.max_offset = result.max_off;
  switch (result.outcome) {
    case GANTRY_FETCH_FOUND:
      reply.code = kSuccess;
      reply.remark = "FOUND";
      break;
    case GANTRY_FETCH_NO_NEW:
      reply.code = kPullNotFound;
      reply.remark = result.max_off == 0 ? "NO_MESSAGE_IN_QUEUE" : "OFFSET_OVERFLOW_ONE";
      break;
    case GANTRY_FETCH_NO_MATCHED:
      reply.code = kPullRetryImmediately;
      reply.remark = "NO_MATCHED_MESSAGE";
      break;
    default:
      reply.code = kPullOffsetMoved;
      reply.remark = result.max_off == 0 ? "NO_MESSAGE_IN_QUEUE" : asked < result.min_off ? "OFFSET_TOO_SMALL" : "OFFSET_OVERFLOW_BADLY";
  }
  return reply;
}

}  // namespace

Puller::Puller(ShardContext &ctx) : ctx_(ctx), collected_(kCollected), begins_(kCollected) {}

Step Puller::refuse(const Request &request, std::int32_t code, std::string_view remark, std::uint32_t &again_at) {
  if (const Step step = flush(again_at); step != Step::kDone) return step;
  ctx_.output.reply(request.to(), code, remark);
  return Step::kDone;
}

Step Puller::take(const Request &request, std::uint32_t &again_at) {
  PullHeader pull;
  if (const char *wrong = decode_pull_header(request.header, pull))
    return refuse(request, kSystemError, std::string("pull request: ") + wrong, again_at);
  if (!ctx_.settings.readable) return refuse(request, kNoPermission, "the broker's permission forbids pulling messages", again_at);
  const gantry_broker_v1 &broker = *ctx_.services.broker;
  const gantry_group group = broker.group_find(ctx_.services.host, str(pull.consumer_group), 1);
  if (group == 0)
    return refuse(request, kSubscriptionGroupNotExist, "subscription group [" + shown(pull.consumer_group) + "] does not exist", again_at);
  const CachedTopic *topic = find_topic(ctx_, request.conn, pull.topic);
  if (topic == nullptr)
    return refuse(request, kTopicNotExist, "topic[" + shown(pull.topic) + "] not exist, create it first", again_at);
  if (pull.queue_id < 0)
    return refuse(request, kSystemError, "queueId[" + std::to_string(pull.queue_id) + "] is illegal", again_at);
  if (request.conn.outstanding >= kMaxOutstanding)
    return refuse(request, kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while", again_at);

  if (count_ == kCollected)
    if (const Step step = flush(again_at); step != Step::kDone) return step;
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kPull, request.conn, request.to());
  if (slot == kNoSlot) {
    if (flush(again_at) == Step::kDone) again_at = request.begin;
    return Step::kAgain;
  }
  ctx_.pendings.at(slot).offset = pull.queue_offset;
  gantry_fetch &f = collected_[count_];
  f.user_data = slot;
  f.group = group;
  f.topic = topic->topic;
  f.queue_no = static_cast<std::uint32_t>(pull.queue_id);
  f.max_records = static_cast<std::uint32_t>(std::clamp(pull.max_msg_nums, 1, kMaxRecords));
  f.offset = pull.queue_offset;
  f.commit_offset = (pull.sys_flag & kPullCommitOffset) != 0 ? pull.commit_offset : -1;
  f.wait_ms = (pull.sys_flag & kPullSuspend) != 0 ? std::clamp<std::int64_t>(pull.suspend_timeout_ms, 0, kMaxSuspendMs) : 0;
  f.sub_version = pull.sub_version;
  f.expr_type = str(pull.expression_type);
  f.expr = str(pull.subscription);
  f.max_bytes = pull.max_msg_bytes > 0 ? std::min(static_cast<std::uint32_t>(pull.max_msg_bytes), kMaxReplyBytes) : kMaxReplyBytes;
  f.flags = (pull.sys_flag & kPullSubscription) != 0 ? GANTRY_FETCH_OWN_EXPR : 0;
  begins_[count_++] = request.begin;
  return Step::kDone;
}

Step Puller::flush(std::uint32_t &again_at) {
  if (count_ == 0) return Step::kDone;
  const std::uint32_t n = count_;
  count_ = 0;
  const std::int32_t taken = ctx_.services.broker->fetch(ctx_.services.host, collected_.data(), n, ctx_.cq);
  if (taken == static_cast<std::int32_t>(n)) return Step::kDone;
  if (taken < 0 && taken != GANTRY_E_AGAIN) {
    gantry_cqe refused{};
    refused.status = taken;
    for (std::uint32_t i = 0; i < n; ++i) {
      refused.user_data = collected_[i].user_data;
      complete_pull(refused);
    }
    return Step::kDone;
  }
  const std::uint32_t first = taken < 0 ? 0 : static_cast<std::uint32_t>(taken);
  for (std::uint32_t i = first; i < n; ++i) ctx_.pendings.give_back(static_cast<std::uint32_t>(collected_[i].user_data));
  again_at = begins_[first];
  return Step::kAgain;
}

void Puller::complete_pull(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx_.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t asked = pending.offset;
  ctx_.pendings.give_back(slot);
  if (cqe.status != GANTRY_OK) {
    const Refusal refusal = refusal_of_pull(cqe.status, cqe.flags);
    return ctx_.output.reply(to, refusal.code, refusal.remark);
  }
  const auto &result = *reinterpret_cast<const gantry_fetch_result *>(cqe.aux);
  if (!to.oneway) answer(to, asked, result);
  if (result.owner != nullptr) result.owner->release(result.owner);
}

void Puller::answer(const ReplyTo &to, std::int64_t asked, const gantry_fetch_result &result) {
  PullReply reply = outcome(result, asked);
  reply.opaque = to.opaque;
  if (result.n == 0) {
    std::uint8_t *const p = ctx_.output.room(to.conn, kPullReplyMax);
    if (p != nullptr) ctx_.output.used(write_pull_reply(p, to.type, reply, 0));
    return;
  }
  std::uint8_t head[kPullReplyMax];
  send_records(to.conn, head, write_pull_reply(head, to.type, reply, body_bytes(result)), result);
}

// Records that lie behind each other in memory become one span.
void Puller::send_records(gantry_conn conn, const std::uint8_t *head, std::uint32_t head_bytes, const gantry_fetch_result &result) {
  spans_.clear();
  spans_.push_back(span(head, head_bytes));
  for (std::uint32_t i = 0; i < result.n; ++i) {
    const gantry_span &record = result.records[i].bytes;
    if (i != 0 && spans_.back().p + spans_.back().n == record.p) {
      spans_.back().n += record.n;
    } else {
      spans_.push_back(gantry_span{record.p, record.n, 0, result.owner});
    }
  }
  ctx_.output.send(conn, spans_.data(), static_cast<std::uint32_t>(spans_.size()));
}

void Puller::view_message(const Request &request) {
  std::int64_t position = 0;
  if (!parse_number(request.header.text("offset"), position))
    return ctx_.output.reply(request.to(), kSystemError, "field offset is missing or no int64");
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kView, request.conn, request.to());
  if (slot == kNoSlot) return ctx_.output.reply(request.to(), kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  ctx_.pendings.at(slot).offset = position;
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = ctx_.services.broker->message_at(ctx_.services.host, position, slot, ctx_.cq);
  if (refused.status < 0) complete_view(refused);
}

void Puller::complete_view(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx_.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t position = pending.offset;
  ctx_.pendings.give_back(slot);
  const auto *result = cqe.status == GANTRY_OK ? reinterpret_cast<const gantry_fetch_result *>(cqe.aux) : nullptr;
  if (result == nullptr || result->n == 0) {
    ctx_.output.reply(to, kSystemError, "can not find message by the offset, " + std::to_string(position));
  } else if (!to.oneway) {
    OutHeader header;
    header.type = to.type;
    header.opaque = to.opaque;
    std::uint8_t head[256];
    GANTRY_ASSERT(frame_bound(header) <= sizeof head);
    send_records(to.conn, head, write_frame(head, header, body_bytes(*result)), *result);
  }
  if (result != nullptr && result->owner != nullptr) result->owner->release(result->owner);
}

}  // namespace gantry::remoting
