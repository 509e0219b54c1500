#include "remoting/retry_requests.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

void send_message_back(ShardContext &ctx, const Request &request) {
  const Header &header = request.header;
  const auto refuse = [&](std::int32_t code, std::string_view remark) { ctx.output.reply(request.to(), code, remark); };
  gantry_send_back back{};
  if (!parse_number(header.text("offset"), back.phys_pos)) return refuse(kSystemError, "field offset is missing or no int64");
  if (!parse_number(header.text("delayLevel"), back.delay_level)) return refuse(kSystemError, "field delayLevel is missing or no int32");
  const std::string_view group = header.text("group");
  if (group.empty()) return refuse(kSystemError, "field group is missing");
  back.max_reconsume_times = -1;
  const std::string_view *limit = header.find("maxReconsumeTimes");
  if (limit != nullptr && header.version >= kVersionWithRetryLimit && !parse_number(*limit, back.max_reconsume_times))
    return refuse(kSystemError, "field maxReconsumeTimes is no int32");
  const gantry_broker_v1 &broker = *ctx.services.broker;
  back.group = broker.group_find(ctx.services.host, str(group), 1);
  if (back.group == 0) return refuse(kSubscriptionGroupNotExist, "subscription group not exist, " + shown(group));
  const std::uint32_t slot = ctx.pendings.take(PendingKind::kSendBack, request.conn, request.to());
  if (slot == kNoSlot) return refuse(kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  ctx.pendings.at(slot).offset = back.phys_pos;
  back.user_data = slot;
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = broker.send_back(ctx.services.host, &back, ctx.cq);
  refused.flags = GANTRY_SUBJECT_GROUP;
  if (refused.status < 0) complete_send_back(ctx, refused);
}

void complete_send_back(ShardContext &ctx, const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t position = pending.offset;
  ctx.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK) return ctx.output.reply(to, kSuccess);
  if (cqe.flags == GANTRY_SUBJECT_BODY) return ctx.output.reply(to, kSystemError, "look message by offset failed, " + std::to_string(position));
  if (cqe.flags == GANTRY_SUBJECT_TOPIC && cqe.status == GANTRY_E_DENIED)
    return ctx.output.reply(to, kNoPermission, "the group's retry topic does not allow writing");
  const Refusal refusal = refusal_of_send(ctx, cqe.status, cqe.flags);
  ctx.output.reply(to, refusal.code == kTopicNotExist ? kSystemError : refusal.code, refusal.remark);
}

}  // namespace gantry::remoting
