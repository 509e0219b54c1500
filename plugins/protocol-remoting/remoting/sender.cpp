#include "remoting/sender.hpp"

#include "codec/batch.hpp"
#include "codec/codes.hpp"
#include "codec/properties.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kMaxOutstanding = 16384;  // requests of one connection at the broker
constexpr std::int32_t kSysFlagTransaction = 12;  // prepared, commit or rollback
constexpr std::string_view kRetryPrefix = "%RETRY%";
constexpr std::string_view kBusy = "[REJECTREQUEST]system busy, start flow control for a while";

std::string quoted_topic(std::string_view topic) { return "topic[" + shown(topic) + "]"; }

}  // namespace

Sender::Sender(ShardContext &ctx, Scratch &scratch, Recalls &recalls) : ctx_(ctx), scratch_(scratch), recalls_(recalls), collected_(kCollected), begins_(kCollected) {}

Step Sender::take(const Request &request, std::uint32_t &again_at) {
  SendHeader send;
  Verdict verdict;
  if (const char *wrong = decode_send_header(request.header, send)) {
    verdict = {kSystemError, std::string("send request: ") + wrong};
    return refuse(request, verdict, again_at);
  }
  const PropertyFacts facts = scan_properties(send.properties);
  // A message that an old client gives back to its retry topic carries its mark still.
  const bool given_back = send.reconsume_times > 0 && facts.delayed;
  if (facts.transaction && !given_back && (send.batch || facts.delayed || facts.timer)) {
    verdict = {kMessageIllegal, "a transactional message can neither be delayed nor be in a batch; no message was stored"};
    return refuse(request, verdict, again_at);
  }
  if (!facts.transaction && (send.sys_flag & kSysFlagTransaction) != 0) {
    verdict = {kMessageIllegal, "sysFlag says that the message is transactional, but its property TRAN_MSG does not; it was not stored"};
    return refuse(request, verdict, again_at);
  }
  const CachedTopic *topic = admit(request, send, verdict);
  if (topic == nullptr) return refuse(request, verdict, again_at);
  if (request.conn.outstanding >= kMaxOutstanding) return refuse(request, {kSystemBusy, std::string(kBusy)}, again_at);
  if (send.batch) {
    const bool later = facts.delayed || facts.timer;
    if (later) verdict = {kMessageIllegal, "a batch cannot have delayed messages; no message was stored"};
    if (later || !check_batch(request, send, verdict)) return refuse(request, verdict, again_at);
    return take_batch(request, send, *topic, facts.wait_stored, !facts.only_wait, again_at);
  }

  if (count_ == kCollected)
    if (const Step step = flush(again_at); step != Step::kDone) return step;
  const bool timed = facts.timer && !facts.delayed;
  const std::uint32_t slot = ctx_.pendings.take(timed ? PendingKind::kTimedSend : PendingKind::kSend, request.conn, request.to());
  if (slot == kNoSlot) {
    if (flush(again_at) == Step::kDone) again_at = request.begin;
    return Step::kAgain;
  }
  if (timed) recalls_.remember_send(slot, send.topic, send.properties);
  gantry_produce &p = collected_[count_];
  fill(p, request, send, *topic, facts.wait_stored);
  p.user_data = slot;
  p.body = span(request.body);
  p.props = span(send.properties);
  begins_[count_++] = request.begin;
  return Step::kDone;
}

// Checks in the reference's order. NULL: refused by verdict.
const CachedTopic *Sender::admit(const Request &request, const SendHeader &send, Verdict &verdict) {
  const auto refuse = [&verdict](std::int32_t code, std::string remark) {
    verdict = {code, std::move(remark)};
    return nullptr;
  };
  const CachedTopic *topic = find_topic(ctx_, request.conn, send.topic);
  if (send.topic.starts_with(kRetryPrefix)) {
    const std::string_view group = send.topic.substr(kRetryPrefix.size());
    if (ctx_.services.broker->group_find(ctx_.services.host, str(group), 1) == 0)
      return refuse(kSubscriptionGroupNotExist, "subscription group not exist, " + shown(group));
  }
  if (topic == nullptr) {
    topic = ensure_topic(request, send, verdict);
    if (topic == nullptr) return nullptr;
  }
  if (!ctx_.settings.writable && (topic->flags & GANTRY_TOPIC_ORDER) != 0)
    return refuse(kNoPermission, "the broker's permission forbids sending to the ordered " + quoted_topic(send.topic));
  if ((topic->flags & GANTRY_TOPIC_SYSTEM) != 0)
    return refuse(kNoPermission, "sending to the system " + quoted_topic(send.topic) + " is forbidden");
  if (send.queue_id >= 0 && static_cast<std::uint32_t>(send.queue_id) >= topic->queue_limit)
    return refuse(kSystemError, "request queueId[" + std::to_string(send.queue_id) + "] is illegal, " + quoted_topic(send.topic) + " has " +
                                    std::to_string(topic->queue_limit) + " queues");
  if (send.properties.size() > kPropertiesMaxBytes)
    return refuse(kMessageIllegal, "the message properties are " + std::to_string(send.properties.size()) + " bytes, the limit is " +
                                       std::to_string(kPropertiesMaxBytes));
  if (request.body.size() > ctx_.settings.max_message_bytes)
    return refuse(kMessageIllegal, "the message body is " + std::to_string(request.body.size()) + " bytes, the broker's limit is " +
                                       std::to_string(ctx_.settings.max_message_bytes));
  return topic;
}

const CachedTopic *Sender::ensure_topic(const Request &request, const SendHeader &send, Verdict &verdict) {
  gantry_topic_info info{};
  info.size = sizeof info;
  gantry_error error{};
  const std::uint64_t generation = ctx_.topics_generation.load(std::memory_order_acquire);
  const std::uint32_t sys_flag = send.unit_mode ? 1 : 0;
  const std::int32_t status = ctx_.services.broker->topic_ensure(ctx_.services.host, str(send.topic), str(send.default_topic),
                                                                 send.default_topic_queues, sys_flag, &info, &error);
  if (status == GANTRY_OK) return remember_topic(request.conn, send.topic, info, generation);
  const std::int32_t code = status == GANTRY_E_NOT_FOUND ? kTopicNotExist
                            : status == GANTRY_E_DENIED  ? kNoPermission
                            : status == GANTRY_E_NOT_WRITABLE || status == GANTRY_E_NO_SPACE ? kServiceNotAvailable
                                                                                             : kSystemError;
  verdict = {code, error.text[0] != '\0' ? std::string(error.text) : quoted_topic(send.topic) + " not exist, create it first"};
  return nullptr;
}

bool Sender::check_batch(const Request &request, const SendHeader &send, Verdict &verdict) {
  const auto refuse = [&verdict](std::string remark) {
    verdict = {kMessageIllegal, std::move(remark)};
    return false;
  };
  BatchReader in(request.body);
  BatchItem item;
  std::uint32_t n = 0;
  while (!in.at_end()) {
    if (!in.next(item)) return refuse("message " + std::to_string(n) + " of the batch is damaged; no message was stored");
    if (++n > kBatchItemsMax) return refuse("the batch has more than " + std::to_string(kBatchItemsMax) + " messages; split it");
    if (item.properties.size() + 1 + send.properties.size() > kPropertiesMaxBytes)
      return refuse("the properties of message " + std::to_string(n - 1) + " of the batch are too long; no message was stored");
    const PropertyFacts facts = scan_properties(item.properties);
    if (facts.transaction || facts.delayed || facts.timer)
      return refuse("a batch cannot have transactional or delayed messages; no message was stored");
  }
  return n != 0 || refuse("the batch has no message");
}

Step Sender::refuse(const Request &request, const Verdict &verdict, std::uint32_t &again_at) {
  if (const Step step = flush(again_at); step != Step::kDone) return step;
  abandon_batch(request.conn);  // its first part was taken before, and the rest is refused now
  fail(request.to(), verdict.code, verdict.remark);
  return Step::kDone;
}

// Also a failed send carries these two fields: Java looks them up in every reply.
void Sender::fail(const ReplyTo &to, std::int32_t code, std::string_view remark) {
  const ExtField ext[] = {{"MSG_REGION", ctx_.settings.replies.region()}, {"TRACE_ON", ctx_.settings.replies.trace_on()}};
  ctx_.output.reply(to, code, remark, ext, 2);
}

void Sender::fill(gantry_produce &out, const Request &request, const SendHeader &send, const CachedTopic &topic, bool wait_stored) {
  const Connection &conn = request.conn;
  out.topic = topic.topic;
  out.queue_no = send.queue_id;
  out.flags = send.batch ? 0 : GANTRY_PRODUCE_BY_PRIORITY;  // a batch stays in one queue
  out.born_ms = send.born_ms;
  std::memcpy(out.born_host, conn.peer_ip, sizeof out.born_host);
  out.born_host_bytes = conn.peer_ip_bytes;
  out.born_port = conn.peer_port;
  out.msg_flag = static_cast<std::uint32_t>(send.flag);
  out.sys_flags = static_cast<std::uint32_t>(send.sys_flag);
  out.reconsume_times = static_cast<std::uint32_t>(send.reconsume_times);
  out.max_reconsume_times = request.header.version >= kVersionWithRetryLimit ? send.max_reconsume_times : -1;
  out.lead_props = ctx_.settings.mark_all || request.header.version >= kVersion5 ? str(ctx_.settings.trace_marks) : gantry_str{};
  out.durability = wait_stored ? GANTRY_DURABILITY_DEFAULT : ctx_.settings.impatient_durability;
}

// Number taken by the broker, from the front. A permanent refusal of the call is the answer to all of it.
std::uint32_t Sender::submit(std::uint32_t n) {
  const std::int32_t taken = ctx_.services.broker->produce(ctx_.services.host, collected_.data(), n, ctx_.cq);
  if (taken >= 0) return static_cast<std::uint32_t>(taken);
  if (taken == GANTRY_E_AGAIN) return 0;
  gantry_cqe refused{};
  refused.status = taken;
  for (std::uint32_t i = 0; i < n; ++i) {
    refused.user_data = collected_[i].user_data;
    complete(refused);
  }
  return n;
}

Step Sender::flush(std::uint32_t &again_at) {
  if (count_ == 0) return Step::kDone;
  const std::uint32_t n = count_;
  count_ = 0;
  const std::uint32_t taken = submit(n);
  if (taken == n) return Step::kDone;
  for (std::uint32_t i = taken; i < n; ++i) {
    const auto slot = static_cast<std::uint32_t>(collected_[i].user_data);
    if (ctx_.pendings.at(slot).kind == PendingKind::kTimedSend) recalls_.forget_send(slot);
    ctx_.pendings.give_back(slot);
  }
  again_at = begins_[taken];
  return Step::kAgain;
}

void Sender::complete(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  Pending &pending = ctx_.pendings.at(slot);
  if (pending.kind == PendingKind::kBatch) return complete_item(slot, pending, cqe);
  const ReplyTo to = pending.to;
  const bool timed = pending.kind == PendingKind::kTimedSend;
  ctx_.pendings.give_back(slot);
  if (timed) return complete_timed(slot, to, cqe);
  if (to.oneway) return;
  if (cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT) [[likely]] {
    std::uint8_t *const p = ctx_.output.room(to.conn, ctx_.settings.replies.bound());
    if (p == nullptr) return;
    const SendReply reply{.code = cqe.status == GANTRY_OK ? kSuccess : kFlushDiskTimeout,
                          .opaque = to.opaque,
                          .queue_id = static_cast<std::int32_t>(cqe.flags),
                          .queue_offset = cqe.result,
                          .log_position = static_cast<std::int64_t>(cqe.aux)};
    ctx_.output.used(ctx_.settings.replies.write(p, to.type, reply));
    return;
  }
  const Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
  fail(to, refusal.code, refusal.remark);
}

// The answer to a message that waits carries the handle for taking it back.
void Sender::complete_timed(std::uint32_t slot, const ReplyTo &to, const gantry_cqe &cqe) {
  const bool stored = cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT;
  const auto position = static_cast<std::int64_t>(cqe.aux);
  const std::string handle = recalls_.handle_of_send(slot, position);
  if (to.oneway) return;
  if (!stored) {
    const Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
    return fail(to, refusal.code, refusal.remark);
  }
  char id[16], queue[kNumberTextMax], offset[kNumberTextMax];
  (void)put_hex(id, static_cast<std::uint64_t>(position), 8);
  const std::string message_id = std::string(ctx_.settings.replies.id_prefix()) + std::string(id, sizeof id);
  const char *const queue_end = put_number(queue, cqe.flags & ~GANTRY_PRODUCED_TIMED);
  const char *const offset_end = put_number(offset, cqe.result);
  const ExtField ext[] = {{"MSG_REGION", ctx_.settings.replies.region()},
                          {"TRACE_ON", ctx_.settings.replies.trace_on()},
                          {"msgId", message_id},
                          {"queueId", {queue, static_cast<std::size_t>(queue_end - queue)}},
                          {"queueOffset", {offset, static_cast<std::size_t>(offset_end - offset)}},
                          {"recallHandle", handle}};
  ctx_.output.reply(to, cqe.status == GANTRY_OK ? kSuccess : kFlushDiskTimeout, {}, ext, (cqe.flags & GANTRY_PRODUCED_TIMED) != 0 ? 6 : 5);
}

}  // namespace gantry::remoting
