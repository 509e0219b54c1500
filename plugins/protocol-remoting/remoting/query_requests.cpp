#include "remoting/query_requests.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "codec/writer.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kUniqueMax = 32;     // RocketMQ's defaultQueryMaxNum, for a look-up by the producer's id
constexpr std::uint32_t kMessagesMax = 256;
constexpr std::uint32_t kReplyBytesMax = 4u << 20;  // the first message always fits

// The newest ones that the limits allow, oldest first.
void answer(ShardContext &ctx, const ReplyTo &to, const gantry_fetch_result &result) {
  std::vector<gantry_span> spans(1);
  std::uint32_t bytes = 0;
  for (std::uint32_t i = 0; i < result.n; ++i) {
    const gantry_span &record = result.records[i].bytes;
    if (i != 0 && bytes + record.n > kReplyBytesMax) break;
    bytes += record.n;
    spans.push_back(gantry_span{record.p, record.n, 0, result.owner});
  }
  std::reverse(spans.begin() + 1, spans.end());
  char time[kNumberTextMax], position[kNumberTextMax];
  const char *const time_end = put_number(time, result.records[0].store_ms);
  const char *const position_end = put_number(position, result.records[0].phys_pos);
  const ExtField ext[] = {{"indexLastUpdateTimestamp", {time, static_cast<std::size_t>(time_end - time)}},
                          {"indexLastUpdatePhyoffset", {position, static_cast<std::size_t>(position_end - position)}}};
  OutHeader header;
  header.type = to.type;
  header.opaque = to.opaque;
  header.ext = ext;
  header.n_ext = 2;
  std::vector<std::uint8_t> head(frame_bound(header));
  spans[0] = span(head.data(), write_frame(head.data(), header, bytes));
  ctx.output.send(to.conn, spans.data(), static_cast<std::uint32_t>(spans.size()));
}

}  // namespace

void query_message(ShardContext &ctx, const Request &request) {
  const Header &h = request.header;
  gantry_message_query query{};
  query.topic = str(h.text("topic"));
  query.key = str(h.text("key"));
  std::int32_t max = 0;
  if (!parse_number(h.text("maxNum"), max) || !parse_number(h.text("beginTimestamp"), query.begin_ms) || !parse_number(h.text("endTimestamp"), query.end_ms))
    return ctx.output.reply(request.to(), kSystemError, "query: maxNum, beginTimestamp or endTimestamp is missing or no number");
  if (query.topic.n == 0 || query.key.n == 0) return ctx.output.reply(request.to(), kSystemError, "query: topic or key is missing");
  const bool unique = parse_bool(h.text("_UNIQUE_KEY_QUERY"));
  if (!unique && max < 1) return ctx.output.reply(request.to(), kQueryNotFound, "can not find message: maxNum asks for none");
  query.max_messages = unique ? kUniqueMax : std::min(static_cast<std::uint32_t>(max), kMessagesMax);
  const std::uint32_t slot = ctx.pendings.take(PendingKind::kQuery, request.conn, request.to());
  if (slot == kNoSlot) return ctx.output.reply(request.to(), kSystemBusy, "[REJECTREQUEST]system busy, start flow control for a while");
  query.user_data = slot;
  const std::int32_t status = ctx.services.broker->message_query(ctx.services.host, &query, ctx.cq);
  if (status >= 0) return;
  ctx.pendings.give_back(slot);
  ctx.output.reply(request.to(), kSystemError, status == GANTRY_E_UNSUPPORTED ? "the store of this broker does not find messages by key" : "the broker cannot look for messages now");
}

void complete_query(ShardContext &ctx, const gantry_cqe &cqe) {
  const auto slot = static_cast<std::uint32_t>(cqe.user_data);
  const ReplyTo to = ctx.pendings.at(slot).to;
  ctx.pendings.give_back(slot);
  if (cqe.status != GANTRY_OK) return ctx.output.reply(to, kSystemError, "the store of the broker failed to read");
  const auto &result = *reinterpret_cast<const gantry_fetch_result *>(cqe.aux);
  if (result.n == 0)
    ctx.output.reply(to, kQueryNotFound, "can not find message, maybe time range not correct");
  else if (!to.oneway)
    answer(ctx, to, result);
  if (result.owner != nullptr) result.owner->release(result.owner);
}

}  // namespace gantry::remoting
