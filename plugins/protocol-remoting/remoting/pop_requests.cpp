#include "remoting/pop_requests.hpp"

#include "codec/codes.hpp"
#include "codec/pop_text.hpp"
#include "codec/text.hpp"
#include "codec/writer.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kMaxOutstanding = 16384;  // requests of one connection at the broker
constexpr std::int64_t kMaxSuspendMs = 120'000;   // an idle connection lives no longer
constexpr std::int64_t kTooLateMs = 500;          // RocketMQ's PopMessageRequestHeader.isTimeoutTooMuch
constexpr std::string_view kBusy = "[REJECTREQUEST]system busy, start flow control for a while";

// What the real broker does for POP_MESSAGE's inline refusals.
std::int32_t code_of(std::int32_t status, const gantry_error &err) {
  switch (status) {
    case GANTRY_E_NOT_FOUND: return err.detail == GANTRY_SUBJECT_GROUP ? kSubscriptionGroupNotExist : kTopicNotExist;
    case GANTRY_E_DENIED: return kNoPermission;
    case GANTRY_E_INVALID: return kInvalidParameter;
    case GANTRY_E_LIMIT: return err.detail == GANTRY_SUBJECT_SUBSCRIPTION ? kSubscriptionParseFailed : kInvalidParameter;
    case GANTRY_E_SYNTAX:
    case GANTRY_E_UNSUPPORTED: return kSubscriptionParseFailed;
    case GANTRY_E_CLOSED: return kServiceNotAvailable;
    default: return kSystemError;
  }
}

// A number as an ext field's value; the texts live as long as this.
class Number {
 public:
  explicit Number(std::int64_t value) : end_(put_number(text_, value)) {}
  Number(const Number &) = delete;
  Number &operator=(const Number &) = delete;
  operator std::string_view() const { return {text_, static_cast<std::size_t>(end_ - text_)}; }

 private:
  char text_[kNumberTextMax];
  char *end_;
};

// Absent counts as `fallback`; false: there, but no number.
template <typename T>
bool number_or(const Header &header, std::string_view key, T fallback, T *out) {
  const std::string_view *text = header.find(key);
  *out = fallback;
  return text == nullptr || text->empty() || parse_number(*text, *out);
}

}  // namespace

bool PopRequests::handle(const Request &request) {
  if (ctx_.services.pop == nullptr) return false;
  switch (request.header.code) {
    case kPopMessage: pop(request, false); return true;
    case kNotification: pop(request, true); return true;
    case kAckMessage: ack(request); return true;
    case kBatchAckMessage: batch_ack(request); return true;
    case kChangeMessageInvisibleTime: change(request); return true;
    case kPollingInfo: polling_info(request); return true;
    default: return false;
  }
}

void PopRequests::conn_closed(const Connection &conn) {
  if (ctx_.services.pop != nullptr && conn.outstanding != 0) ctx_.services.pop->cancel(ctx_.services.host, conn.id);
}

void PopRequests::pop(const Request &request, bool looks) {
  const Header &h = request.header;
  const auto refuse = [&](std::int32_t code, std::string_view remark) { ctx_.output.reply(request.to(), code, remark); };
  const std::string_view group = h.text("consumerGroup"), topic_name = h.text("topic");
  gantry_pop req{};
  std::int32_t max = 0, init_mode = 0;
  std::int64_t poll_ms = 0, born_ms = 0;
  if (group.empty() || topic_name.empty()) return refuse(kSystemError, "pop: field consumerGroup or topic is missing");
  if (!parse_number(h.text("queueId"), req.queue_no) || !parse_number(h.text("pollTime"), poll_ms) || !number_or<std::int64_t>(h, "bornTime", 0, &born_ms))
    return refuse(kSystemError, "pop: field queueId, pollTime or bornTime is missing or no number");
  if (!looks && (!parse_number(h.text("maxMsgNums"), max) || !parse_number(h.text("invisibleTime"), req.invisible_ms) || !number_or(h, "initMode", 0, &init_mode)))
    return refuse(kSystemError, "pop: field maxMsgNums, invisibleTime or initMode is missing or no number");
  const std::int64_t now_ms = ctx_.services.clock->coarse_ms(ctx_.services.host);
  if (born_ms == 0) born_ms = now_ms;
  if (!looks && now_ms - born_ms - poll_ms > kTooLateMs) return send_empty(request.to(), kPollingTimeout, "the broker[" + ctx_.settings.broker_name + "] pop message is timeout too much", gantry_pop_result{});
  if (!ctx_.settings.readable) return refuse(kNoPermission, "the broker[" + ctx_.settings.broker_name + "] pop message is forbidden");
  if (max > static_cast<std::int32_t>(GANTRY_POP_MAX_RECORDS)) return refuse(kInvalidParameter, "the broker[" + ctx_.settings.broker_name + "] pop message's num is greater than 32");
  const CachedTopic *topic = find_topic(ctx_, request.conn, topic_name);
  if (topic == nullptr) return refuse(kTopicNotExist, "topic[" + shown(topic_name) + "] not exist, apply first please!");
  req.group = ctx_.services.broker->group_find(ctx_.services.host, str(group), 1);
  if (req.group == 0) return refuse(kSubscriptionGroupNotExist, "subscription group [" + shown(group) + "] does not exist");
  if (request.conn.outstanding >= kMaxOutstanding) return refuse(kSystemBusy, kBusy);
  if (!looks && max < 1) return send_empty(request.to(), kPollingTimeout, "NO_MESSAGE_IN_QUEUE", gantry_pop_result{});
  const std::uint32_t slot = ctx_.pendings.take(looks ? PendingKind::kNotify : PendingKind::kPop, request.conn, request.to());
  if (slot == kNoSlot) return refuse(kSystemBusy, kBusy);
  kept(slot).topic = topic_name;
  req.user_data = slot;
  req.topic = topic->topic;
  req.max_records = looks ? 1 : static_cast<std::uint32_t>(max);
  req.wait_ms = std::clamp<std::int64_t>(born_ms + poll_ms - now_ms, 0, std::min(std::max<std::int64_t>(poll_ms, 0), kMaxSuspendMs));
  req.expr_type = str(h.text("expType"));
  req.expr = str(h.text("exp"));
  req.attempt = str(h.text("attemptId"));
  req.flags = (looks ? GANTRY_POP_LOOK : 0) | (parse_bool(h.text("order")) ? GANTRY_POP_ORDER : 0) | (init_mode != 0 ? GANTRY_POP_FROM_END : 0);
  req.conn = request.conn.id;
  gantry_error err{};
  const std::int32_t status = ctx_.services.pop->pop(ctx_.services.host, &req, ctx_.cq, &err);
  if (status == GANTRY_OK) return;
  ctx_.pendings.give_back(slot);
  refuse(code_of(status, err), err.text);
}

void PopRequests::complete_pop(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx_.pendings.at(slot).to;
  ctx_.pendings.give_back(slot);
  if (cqe.status != GANTRY_OK) {
    const Refusal refusal = refusal_of_pull(cqe.status, cqe.flags);
    return ctx_.output.reply(to, refusal.code, refusal.remark);
  }
  const auto &result = *reinterpret_cast<const gantry_pop_result *>(cqe.aux);
  if (to.oneway) {
    // Nobody takes the messages; they come again.
  } else if (result.outcome == GANTRY_POP_FOUND) {
    send_found(to, kept(slot).topic, result);
  } else {
    send_empty(to, result.outcome == GANTRY_POP_FULL ? kPollingFull : kPollingTimeout, "NO_MESSAGE_IN_QUEUE", result);
  }
  result.owner->release(result.owner);
}

void PopRequests::send_empty(const ReplyTo &to, std::int32_t code, std::string_view remark, const gantry_pop_result &result) {
  const Number pop_ms(result.pop_ms), invisible_ms(result.invisible_ms), revive(result.revive_queue), rest(result.rest);
  const ExtField ext[] = {{"popTime", pop_ms}, {"invisibleTime", invisible_ms}, {"reviveQid", revive}, {"restNum", rest}, {"startOffsetInfo", {}}, {"msgOffsetInfo", {}}};
  ctx_.output.reply(to, code, remark, ext, 6);
}

void PopRequests::send_found(const ReplyTo &to, const std::string &topic, const gantry_pop_result &result) {
  const Number pop_ms(result.pop_ms), invisible_ms(result.invisible_ms), revive(result.revive_queue), rest(result.rest);
  const std::string starts = start_offset_info(result), offsets = message_offset_info(result), counts = order_count_info(result);
  const ExtField ext[] = {{"popTime", pop_ms}, {"invisibleTime", invisible_ms}, {"reviveQid", revive}, {"restNum", rest}, {"startOffsetInfo", starts}, {"msgOffsetInfo", offsets}, {"orderCountInfo", counts}};
  OutHeader header;
  header.type = to.type;
  header.opaque = to.opaque;
  header.remark = "FOUND";
  header.ext = ext;
  header.n_ext = counts.empty() ? 6 : 7;
  spans_.assign(1, gantry_span{});
  rewritten_.clear();
  rewritten_.reserve(result.n);  // spans point into it
  for (std::uint32_t p = 0; p < result.n_parts; ++p) {
    const gantry_pop_part &part = result.parts[p];
    for (std::uint32_t i = part.first; i < part.first + part.n; ++i) {
      const gantry_record &record = result.records[i];
      std::string popped = part.retry != 0 ? record_as_popped(view(record.bytes), topic, result, part, record.queue_off, ctx_.settings.broker_name) : std::string();
      if (!popped.empty()) {
        rewritten_.push_back(std::move(popped));
        spans_.push_back(span(rewritten_.back()));
      } else if (part.retry == 0 && spans_.size() > 1 && spans_.back().owner != nullptr && spans_.back().p + spans_.back().n == record.bytes.p) {
        spans_.back().n += record.bytes.n;
      } else {
        spans_.push_back(gantry_span{record.bytes.p, record.bytes.n, 0, result.owner});
      }
    }
  }
  std::uint32_t bytes = 0;
  for (std::size_t i = 1; i < spans_.size(); ++i) bytes += spans_[i].n;
  std::vector<std::uint8_t> head(frame_bound(header));
  spans_[0] = span(head.data(), write_frame(head.data(), header, bytes));
  ctx_.output.send(to.conn, spans_.data(), static_cast<std::uint32_t>(spans_.size()));
}

void PopRequests::complete_notification(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx_.pendings.at(slot).to;
  ctx_.pendings.give_back(slot);
  if (cqe.status != GANTRY_OK) {
    const Refusal refusal = refusal_of_pull(cqe.status, cqe.flags);
    return ctx_.output.reply(to, refusal.code, refusal.remark);
  }
  const auto &result = *reinterpret_cast<const gantry_pop_result *>(cqe.aux);
  const ExtField ext[] = {{"hasMsg", result.outcome == GANTRY_POP_FOUND ? "true" : "false"}, {"pollingFull", result.outcome == GANTRY_POP_FULL ? "true" : "false"}};
  ctx_.output.reply(to, kSuccess, {}, ext, 2);
  result.owner->release(result.owner);
}

const char *PopRequests::handle_of(const Request &request, bool end_counts, gantry_pop_handle *out, PopHandleText *text, std::int32_t *code, std::string *remark) {
  const Header &h = request.header;
  const auto refuse = [&](std::int32_t c, std::string why) {
    *code = c;
    *remark = std::move(why);
    return static_cast<const char *>(nullptr);
  };
  const std::string_view group = h.text("consumerGroup"), name = h.text("topic");
  std::int32_t queue_no = 0;
  if (group.empty() || name.empty() || !parse_number(h.text("queueId"), queue_no) || !parse_number(h.text("offset"), out->offset))
    return refuse(kSystemError, "field consumerGroup, topic, queueId or offset is missing or no number");
  if (!parse_pop_handle(h.text("extraInfo"), text)) return refuse(kSystemError, "field extraInfo is missing or no handle of a popped message");
  gantry_topic_info topic{};
  topic.size = sizeof topic;
  const gantry_broker_v1 &broker = *ctx_.services.broker;
  if (broker.topic_find(ctx_.services.host, str(name), &topic) != GANTRY_OK) return refuse(kTopicNotExist, "topic[" + shown(name) + "] not exist, apply first please!");
  if (queue_no < 0 || static_cast<std::uint32_t>(queue_no) >= topic.read_queues)
    return refuse(kMessageIllegal, "queueId[" + std::to_string(queue_no) + "] is illegal, topic:[" + shown(name) + "] topicConfig.readQueueNums:[" + std::to_string(topic.read_queues) + "]");
  gantry_queue_stat stat{};
  (void)broker.queue_stat(ctx_.services.host, topic.topic, static_cast<std::uint32_t>(queue_no), &stat);
  if (out->offset < stat.min_off || out->offset > stat.max_off || (out->offset == stat.max_off && !end_counts))
    return refuse(kNoMessage, "offset is illegal, key:" + shown(name) + "@" + std::to_string(queue_no) + ", commit:" + std::to_string(out->offset) + ", store:" + std::to_string(stat.min_off) + "~" + std::to_string(stat.max_off));
  out->group = broker.group_find(ctx_.services.host, str(group), 0);
  out->topic = topic.topic;
  out->queue_no = static_cast<std::uint32_t>(queue_no);
  out->flags = text->revive_queue == GANTRY_POP_ORDERED_QUEUE ? GANTRY_POP_ORDER : 0;
  out->pop_ms = text->pop_ms;
  return "";
}

void PopRequests::ack(const Request &request) {
  std::vector<gantry_pop_handle> handles(1);
  PopHandleText text;
  std::int32_t code = 0;
  std::string remark;
  if (handle_of(request, true, &handles[0], &text, &code, &remark) == nullptr) return ctx_.output.reply(request.to(), code, remark);
  finish_ack(request, handles);
}

void PopRequests::batch_ack(const Request &request) {
  const json::Value *acks = document_.parse(request.body) && document_.root().is_object() ? document_.root().find("acks") : nullptr;
  if (acks == nullptr || !acks->is_array() || acks->size() == 0) return ctx_.output.reply(request.to(), kNoMessage);
  std::vector<gantry_pop_handle> handles;
  for (const json::Value &one : *acks) {
    // Short names as the client writes them, long ones as older ones do.
    const auto text_of = [&one](const char *brief, const char *full) { return one.text_or(brief, one.text_or(full, "")); };
    const auto number_of = [&one](const char *brief, const char *full) { return one.int64_or(brief, one.int64_or(full, 0)); };
    const std::string_view group = text_of("c", "consumerGroup"), retry = text_of("r", "retry");
    std::string topic(text_of("t", "topic"));
    if (retry == "1" || retry == "2") topic = "%RETRY%" + std::string(group) + (retry == "1" ? "_" : "+") + topic;
    if (!parse_bit_set(text_of("b", "bitSet"), &bits_)) return ctx_.output.reply(request.to(), kSystemError, "batch ack: the bit set is no Base64");
    gantry_topic_info info{};
    info.size = sizeof info;
    if (ctx_.services.broker->topic_find(ctx_.services.host, str(topic), &info) != GANTRY_OK) continue;  // as RocketMQ does
    gantry_pop_handle handle{};
    handle.group = ctx_.services.broker->group_find(ctx_.services.host, str(group), 0);
    handle.topic = info.topic;
    handle.queue_no = static_cast<std::uint32_t>(number_of("q", "queueId"));
    handle.flags = number_of("rq", "reviveQueueId") == GANTRY_POP_ORDERED_QUEUE ? GANTRY_POP_ORDER : 0;
    handle.pop_ms = number_of("pt", "popTime");
    const std::int64_t start = number_of("so", "startOffset");
    for (const std::uint32_t bit : bits_) {
      handle.offset = start + bit;
      handles.push_back(handle);
    }
  }
  finish_ack(request, handles);
}

void PopRequests::finish_ack(const Request &request, std::vector<gantry_pop_handle> &handles) {
  if (handles.empty()) return ctx_.output.reply(request.to(), kSuccess);
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kAck, request.conn, request.to());
  if (slot == kNoSlot) return ctx_.output.reply(request.to(), kSystemBusy, kBusy);
  ctx_.pendings.at(slot).offset = 0;
  const std::int32_t status = ctx_.services.pop->ack(ctx_.services.host, handles.data(), static_cast<std::uint32_t>(handles.size()), slot, ctx_.cq);
  const auto illegal = std::find_if(handles.begin(), handles.end(), [](const gantry_pop_handle &h) { return h.status == GANTRY_E_INVALID; });
  if (illegal != handles.end()) ctx_.pendings.at(slot).offset = -1 - illegal->offset;
  if (status == GANTRY_PENDING) return;
  gantry_cqe done{};
  done.user_data = slot;
  done.status = status;
  complete_ack(done);
}

void PopRequests::complete_ack(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx_.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t illegal = pending.offset;  // -1 - the offset, or 0
  ctx_.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK && illegal == 0) return ctx_.output.reply(to, kSuccess);
  if (cqe.status == GANTRY_OK) return ctx_.output.reply(to, kMessageIllegal, "offset is illegal, commit:" + std::to_string(-1 - illegal) + ": it is not among the messages popped last");
  const Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
  ctx_.output.reply(to, refusal.code, refusal.remark);
}

void PopRequests::change(const Request &request) {
  gantry_pop_change change{};
  PopHandleText text;
  std::int32_t code = 0;
  std::string remark;
  if (handle_of(request, false, &change.handle, &text, &code, &remark) == nullptr) return ctx_.output.reply(request.to(), code, remark);
  if (!parse_number(request.header.text("invisibleTime"), change.invisible_ms) || change.invisible_ms < 0 || change.invisible_ms > INT32_MAX)
    return ctx_.output.reply(request.to(), kSystemError, "field invisibleTime is missing or no number of milliseconds");
  change.flags = parse_bool(request.header.text("suspend")) ? GANTRY_POP_KEEP_COUNT : 0;
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kChangeInvisible, request.conn, request.to());
  if (slot == kNoSlot) return ctx_.output.reply(request.to(), kSystemBusy, kBusy);
  change.user_data = slot;
  gantry_cqe done{};
  done.user_data = slot;
  done.status = ctx_.services.pop->change_invisible(ctx_.services.host, &change, ctx_.cq);
  Kept &answer = kept(slot);
  answer.pop_ms = change.handle.pop_ms;
  answer.invisible_ms = change.handle.status == GANTRY_OK ? change.invisible_ms : -1;
  answer.revive_queue = text.revive_queue;
  if (done.status != GANTRY_PENDING) complete_change(done);
}

void PopRequests::complete_change(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx_.pendings.at(slot).to;
  ctx_.pendings.give_back(slot);
  if (cqe.status != GANTRY_OK) {
    const Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
    return ctx_.output.reply(to, refusal.code, refusal.remark);
  }
  const Kept &answer = kept(slot);
  if (answer.invisible_ms < 0) return ctx_.output.reply(to, kNoMessage, "the handle is void: the message was acknowledged or is visible again");
  const Number pop_ms(answer.pop_ms), invisible_ms(answer.invisible_ms), revive(answer.revive_queue);
  const ExtField ext[] = {{"popTime", pop_ms}, {"invisibleTime", invisible_ms}, {"reviveQid", revive}};
  ctx_.output.reply(to, kSuccess, {}, ext, 3);
}

void PopRequests::polling_info(const Request &request) {
  const Header &h = request.header;
  std::int32_t queue_no = -1;
  if (!number_or(h, "queueId", -1, &queue_no)) return ctx_.output.reply(request.to(), kSystemError, "field queueId is no int32");
  gantry_topic_info topic{};
  topic.size = sizeof topic;
  if (ctx_.services.broker->topic_find(ctx_.services.host, str(h.text("topic")), &topic) != GANTRY_OK)
    return ctx_.output.reply(request.to(), kTopicNotExist, "topic[" + shown(h.text("topic")) + "] not exist, apply first please!");
  const gantry_group group = ctx_.services.broker->group_find(ctx_.services.host, str(h.text("consumerGroup")), 0);
  if (group == 0) return ctx_.output.reply(request.to(), kSubscriptionGroupNotExist, "subscription group [" + shown(h.text("consumerGroup")) + "] does not exist");
  const Number waiting(ctx_.services.pop->waiting(ctx_.services.host, group, topic.topic, queue_no));
  const ExtField ext[] = {{"pollingNum", waiting}};
  ctx_.output.reply(request.to(), kSuccess, {}, ext, 1);
}

}  // namespace gantry::remoting
