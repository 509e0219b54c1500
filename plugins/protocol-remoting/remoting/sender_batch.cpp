// SEND_BATCH_MESSAGE: each sub message is a message of its own at the broker; one reply when all of them completed.
#include "remoting/sender.hpp"

#include "codec/batch.hpp"
#include "codec/codes.hpp"
#include "codec/text.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

// Properties of an item with those of the whole batch behind them, in the scratch.
std::string_view joined(std::string_view item, std::string_view batch, Scratch &scratch) {
  if (item.empty()) return batch;
  char *const out = scratch.here();
  char *end = put_text(out, item);
  if (item.back() != '\2') *end++ = '\2';
  end = put_text(end, batch);
  scratch.take(static_cast<std::uint32_t>(end - out));
  return {out, static_cast<std::size_t>(end - out)};
}

// Past items of a batch that was checked before.
void skip(BatchReader &in, std::uint32_t items) {
  BatchItem item;
  for (; items > 0; --items) {
    const bool whole = in.next(item);
    GANTRY_ASSERT(whole);
  }
}

}  // namespace

Step Sender::take_batch(const Request &request, const SendHeader &send, const CachedTopic &topic, bool wait_stored, bool own_properties,
                        std::uint32_t &again_at) {
  if (const Step step = flush(again_at); step != Step::kDone) return step;
  again_at = request.begin;
  Connection &conn = request.conn;
  std::uint32_t done = 0;
  if (conn.batch_slot != kNoSlot) {
    done = conn.batch_taken;
    GANTRY_ASSERT(ctx_.pendings.at(conn.batch_slot).to.opaque == request.header.opaque);
  } else {
    conn.batch_slot = ctx_.pendings.take(PendingKind::kBatch, conn, request.to());
    if (conn.batch_slot == kNoSlot) return Step::kAgain;
    auto batch = std::make_unique<BatchProgress>();
    batch->expected = static_cast<std::uint32_t>(count_batch(request.body));
    batch->positions.resize(batch->expected);
    // All items go to one queue, also when the broker may pick it.
    batch->queue_no = send.queue_id >= 0 ? static_cast<std::uint32_t>(send.queue_id)
                                         : round_robin_++ % std::max(topic.write_queues, 1u);
    ctx_.pendings.at(conn.batch_slot).batch = std::move(batch);
  }
  const std::uint32_t slot = conn.batch_slot;
  const BatchProgress &batch = *ctx_.pendings.at(slot).batch;
  const std::uint32_t expected = batch.expected, queue_no = batch.queue_no;

  BatchReader in(request.body);
  BatchItem item;
  skip(in, done);
  while (done < expected) {
    const Scratch::Mark mark = scratch_.mark();
    BatchReader ahead = in;
    std::uint32_t n = 0;
    for (; n < kCollected && done + n < expected && scratch_.left() > kHeaderMaxBytes; ++n) {
      const bool whole = ahead.next(item);
      GANTRY_ASSERT(whole);
      gantry_produce &p = collected_[n];
      fill(p, request, send, topic, wait_stored);
      p.user_data = slot | static_cast<std::uint64_t>(done + n) << 32;
      p.queue_no = static_cast<std::int32_t>(queue_no);
      p.body = span(item.body);
      p.props = span(own_properties ? joined(item.properties, send.properties, scratch_) : item.properties);
      p.msg_flag = static_cast<std::uint32_t>(item.flag);
    }
    const std::uint32_t taken = submit(n);
    scratch_.rewind(mark);
    skip(in, taken);
    done += taken;
    if (taken < n) {
      conn.batch_taken = done;
      return Step::kAgain;
    }
  }
  conn.batch_slot = kNoSlot;
  conn.batch_taken = 0;
  return Step::kDone;
}

void Sender::abandon_batch(Connection &conn) {
  const std::uint32_t slot = conn.batch_slot;
  if (slot == kNoSlot) return;
  Pending &pending = ctx_.pendings.at(slot);
  BatchProgress &batch = *pending.batch;
  pending.to.oneway = true;
  batch.expected = conn.batch_taken;
  conn.batch_slot = kNoSlot;
  conn.batch_taken = 0;
  if (batch.completed == batch.expected) ctx_.pendings.give_back(slot);
}

void Sender::complete_item(std::uint32_t slot, Pending &pending, const gantry_cqe &cqe) {
  BatchProgress &batch = *pending.batch;
  const auto item = static_cast<std::uint32_t>(cqe.user_data >> 32);
  GANTRY_ASSERT(item < batch.positions.size());
  if (cqe.status == GANTRY_OK || cqe.status == GANTRY_E_TIMEOUT) {
    batch.positions[item] = static_cast<std::int64_t>(cqe.aux);
    if (item == 0) batch.first_offset = cqe.result;
  }
  if (cqe.status < 0 && (batch.failure == 0 || batch.failure == GANTRY_E_TIMEOUT)) {
    batch.failure = cqe.status;
    batch.subject = cqe.flags;
  }
  if (++batch.completed < batch.expected) return;
  answer_batch(pending);
  ctx_.pendings.give_back(slot);
}

void Sender::answer_batch(const Pending &pending) {
  const BatchProgress &batch = *pending.batch;
  if (pending.to.oneway) return;
  if (batch.failure != 0 && batch.failure != GANTRY_E_TIMEOUT) {
    const Refusal refusal = refusal_of_send(ctx_, batch.failure, batch.subject);
    return fail(pending.to, refusal.code, refusal.remark);
  }
  const SendReplyTemplate &replies = ctx_.settings.replies;
  std::string ids;
  ids.reserve(batch.positions.size() * (replies.id_prefix().size() + 17));
  for (const std::int64_t position : batch.positions) {
    char hex[16];
    (void)put_hex(hex, static_cast<std::uint64_t>(position), 8);
    if (!ids.empty()) ids += ',';
    ids.append(replies.id_prefix()).append(hex, sizeof hex);
  }
  const std::string queue = std::to_string(batch.queue_no), offset = std::to_string(batch.first_offset);
  const ExtField ext[] = {{"MSG_REGION", replies.region()}, {"TRACE_ON", replies.trace_on()}, {"msgId", ids}, {"queueId", queue},
                          {"queueOffset", offset}};
  ctx_.output.reply(pending.to, batch.failure == 0 ? kSuccess : kFlushDiskTimeout, {}, ext, 5);
}

}  // namespace gantry::remoting
