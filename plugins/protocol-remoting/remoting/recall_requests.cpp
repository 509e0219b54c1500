#include "remoting/recall_requests.hpp"

#include "codec/codes.hpp"
#include "codec/properties.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

constexpr std::int64_t kDelayMsMax = std::int64_t{1} << 52;  // more than any broker allows

}  // namespace

// The time in the handle is for people and other tools: the broker goes by the position.
void Recalls::remember_send(std::uint32_t slot, std::string_view topic, std::string_view properties) {
  RecallHandle handle;
  handle.topic = topic;
  handle.broker_name = ctx_.settings.broker_name;
  PropertyReader in(properties);
  std::string_view key, value, entry;
  while (in.next(key, value, entry)) {
    std::int64_t number = 0;
    if (is(key, "UNIQ_KEY")) handle.uniq_key = value;
    else if ((is(key, "TIMER_DELIVER_MS") || is(key, "__STARTDELIVERTIME")) && handle.due_ms == 0 && parse_number(value, number)) handle.due_ms = number;
    else if (is(key, "TIMER_DELAY_MS") && parse_number(value, number) && number < kDelayMsMax) handle.due_ms = ctx_.services.now_ms() + number;
    else if (is(key, "TIMER_DELAY_SEC") && parse_number(value, number) && number < kDelayMsMax / 1000) handle.due_ms = ctx_.services.now_ms() + number * 1000;
  }
  sends_.insert_or_assign(slot, std::move(handle));
}

std::string Recalls::handle_of_send(std::uint32_t slot, std::int64_t position) {
  const auto it = sends_.find(slot);
  if (it == sends_.end()) return {};
  it->second.position = position;
  std::string text = encode_recall_handle(it->second);
  sends_.erase(it);
  return text;
}

// Checks and words of RocketMQ's RecallMessageProcessor.
void Recalls::recall(const Request &request) {
  const Header &header = request.header;
  const auto refuse = [&](std::int32_t code, std::string_view remark) { ctx_.output.reply(request.to(), code, remark); };
  const std::string_view topic = header.text("topic");
  if (topic.empty()) return refuse(kSystemError, "field topic is missing");
  if (!ctx_.settings.writable) return refuse(kServiceNotAvailable, "recall failed, broker service not available");
  if (find_topic(ctx_, request.conn, topic) == nullptr) return refuse(kTopicNotExist, "recall failed, the topic[" + shown(topic) + "] not exist");
  RecallHandle handle;
  if (!decode_recall_handle(header.text("recallHandle"), handle)) return refuse(kIllegalOperation, "recall handle is invalid");
  if (handle.topic != topic) return refuse(kIllegalOperation, "recall failed, topic not match");
  if (handle.broker_name != ctx_.settings.broker_name) return refuse(kIllegalOperation, "recall failed, broker service not available");
  if (handle.position < 0) return refuse(kIllegalOperation, "recall failed, the handle is not of this broker");
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kRecall, request.conn, request.to());
  if (slot == kNoSlot) return refuse(kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  gantry_recall recall{};
  recall.user_data = slot;
  recall.topic = str(handle.topic);
  recall.uniq_key = str(handle.uniq_key);
  recall.phys_pos = handle.position;
  asked_.insert_or_assign(slot, handle.uniq_key);
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = ctx_.services.broker->recall(ctx_.services.host, &recall, ctx_.cq);
  if (refused.status < 0) complete(refused);
}

void Recalls::complete(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx_.pendings.at(slot).to;
  ctx_.pendings.give_back(slot);
  const auto asked = asked_.extract(slot);
  if (cqe.status == GANTRY_OK) {
    const ExtField ext[] = {{"msgId", asked.mapped()}};
    return ctx_.output.reply(to, kSuccess, {}, ext, 1);
  }
  if (cqe.status == GANTRY_E_NOT_FOUND) return ctx_.output.reply(to, kIllegalOperation, "recall failed, no such message waits");
  if (cqe.status == GANTRY_E_STALE) return ctx_.output.reply(to, kIllegalOperation, "recall failed, the message is delivered already");
  const Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
  ctx_.output.reply(to, refusal.code, refusal.remark);
}

}  // namespace gantry::remoting
