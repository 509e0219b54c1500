#include "remoting/transaction_requests.hpp"

#include "codec/codes.hpp"
#include "codec/half_message.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

constexpr std::int32_t kUndecided = 0;

}  // namespace

void TransactionRequests::end(const Request &request) {
  const Header &header = request.header;
  const auto refuse = [&](std::int32_t code, std::string_view remark) { ctx_.output.reply(request.to(), code, remark); };
  gantry_end_transaction end{};
  std::int32_t state = 0;
  if (!parse_number(header.text("tranStateTableOffset"), end.queue_off)) return refuse(kSystemError, "field tranStateTableOffset is missing or no int64");
  if (!parse_number(header.text("commitLogOffset"), end.phys_pos)) return refuse(kSystemError, "field commitLogOffset is missing or no int64");
  if (!parse_number(header.text("commitOrRollback"), state)) return refuse(kSystemError, "field commitOrRollback is missing or no int32");
  if (state == kUndecided) return refuse(kSuccess, "");
  if (state != GANTRY_END_COMMIT && state != GANTRY_END_ROLLBACK) return refuse(kSystemError, "commitOrRollback is neither 0, 8 nor 12");
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kEnd, request.conn, request.to());
  if (slot == kNoSlot) return refuse(kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  ctx_.pendings.at(slot).offset = end.queue_off;
  end.user_data = slot;
  end.group = str(header.text("producerGroup"));
  end.end = static_cast<std::uint32_t>(state);
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = ctx_.services.broker->end_transaction(ctx_.services.host, &end, ctx_.cq);
  if (refused.status < 0) complete_end(refused);
}

// Clients send it one way and do not learn what is refused; the log does.
void TransactionRequests::complete_end(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const Pending &pending = ctx_.pendings.at(slot);
  const ReplyTo to = pending.to;
  const std::int64_t queue_off = pending.offset;
  ctx_.pendings.give_back(slot);
  if (cqe.status == GANTRY_OK) return ctx_.output.reply(to, kSuccess);
  Refusal refusal = refusal_of_send(ctx_, cqe.status, cqe.flags);
  if (cqe.status == GANTRY_E_NOT_FOUND && cqe.flags == GANTRY_SUBJECT_BODY) refusal = {kSystemError, "Find prepared transaction message failed"};
  if (cqe.status == GANTRY_E_NOT_FOUND && cqe.flags == GANTRY_SUBJECT_TOPIC) refusal = {kSystemError, "the topic or queue of the half message does not exist any more"};
  if (cqe.status == GANTRY_E_INVALID && cqe.flags == GANTRY_SUBJECT_GROUP) refusal = {kSystemError, "The producer group wrong"};
  if (cqe.status == GANTRY_E_INVALID && cqe.flags == GANTRY_SUBJECT_QUEUE) refusal = {kSystemError, "The transaction state table offset wrong"};
  if (to.oneway) ctx_.services.write_log(GANTRY_LOG_WARN, "remoting: end of the transaction at half queue offset " + std::to_string(queue_off) + " refused: " + std::string(refusal.remark));
  ctx_.output.reply(to, refusal.code, refusal.remark);
}

void TransactionRequests::check(const gantry_event &event) {
  const std::uint32_t slot = ctx_.pendings.take(PendingKind::kCheck, nobody_, ReplyTo{});
  if (slot == kNoSlot) return;  // asked again with the next round
  checks_.insert_or_assign(slot, Check{event.conn, event.a, event.b, event.object});
  gantry_cqe refused{};
  refused.user_data = slot;
  refused.status = ctx_.services.broker->message_at(ctx_.services.host, event.b, slot, ctx_.cq);
  if (refused.status < 0) complete_check(refused);
}

void TransactionRequests::complete_check(const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  ctx_.pendings.give_back(slot);
  const auto node = checks_.extract(slot);
  GANTRY_ASSERT(!node.empty());
  const Check &check = node.mapped();
  const auto *result = cqe.status == GANTRY_OK ? reinterpret_cast<const gantry_fetch_result *>(cqe.aux) : nullptr;
  HalfMessage half;
  if (result != nullptr && result->n == 1 && as_sent(view(result->records[0].bytes), check.number, half)) {
    char hex[16];
    (void)put_hex(hex, static_cast<std::uint64_t>(check.phys_pos), 8);
    ClientCall call;
    call.code = kCheckTransactionState;
    call.ext = {{"tranStateTableOffset", std::to_string(check.queue_off)},
                {"commitLogOffset", std::to_string(check.phys_pos)},
                {"offsetMsgId", std::string(ctx_.settings.replies.id_prefix()) + std::string(hex, sizeof hex)},
                {"bname", ctx_.settings.broker_name},
                {"topic", half.topic}};
    if (!half.unique_key.empty()) {
      call.ext.emplace_back("msgId", half.unique_key);
      call.ext.emplace_back("transactionId", half.unique_key);
    }
    call.body = std::move(half.record);
    calls_.tell(ClientAddress{check.conn, calls_.shard()}, std::move(call));
  } else {
    ctx_.services.write_log(GANTRY_LOG_WARN, "remoting: the half message at log position " + std::to_string(check.phys_pos) + " cannot be read; its producer was not asked");
  }
  if (result != nullptr && result->owner != nullptr) result->owner->release(result->owner);
}

}  // namespace gantry::remoting
