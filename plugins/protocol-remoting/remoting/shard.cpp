#include "remoting/shard.hpp"

#include "codec/codes.hpp"
#include "remoting/admin_requests.hpp"
#include "remoting/assignment_requests.hpp"
#include "remoting/offset_requests.hpp"
#include "remoting/query_requests.hpp"
#include "remoting/retry_requests.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

// Decoded text of the frames whose sends wait for the flush; one header and the properties of 64 batch items always fit above it.
constexpr std::uint32_t kScratchBytes = 512u << 10;
constexpr std::uint32_t kScratchFree = 4 * kHeaderMaxBytes;

// mqadmin's commands for accounts (4.x) and for users and policies (5.x).
bool is_rules_request(std::int32_t code) {
  return (code >= kUpdateAndCreateAclConfig && code <= kGetBrokerClusterAclConfig) || (code >= kAuthCreateUser && code <= kAuthListAcl);
}

std::uint64_t *cell(const Services &s, const char *name, const char *help, std::uint32_t shard) {
  static std::uint64_t nowhere;  // a refused name costs the number, not the broker
  std::uint64_t *const p = s.metrics->cell(s.host, GANTRY_METRIC_COUNTER, name, help, shard);
  return p != nullptr ? p : &nowhere;
}

}  // namespace

Shard::Shard(const Services &services, const Settings &settings, const std::atomic<std::uint64_t> &topics_generation, std::uint32_t index)
    : ctx_(services, settings, topics_generation), index_(index), gate_(services.host, index), scratch_(kScratchBytes), recalls_(ctx_), sender_(ctx_, scratch_, recalls_), puller_(ctx_), clients_(ctx_), calls_(ctx_, index), relays_(ctx_, calls_), resets_(ctx_, calls_), transactions_(ctx_, calls_), pops_(ctx_), tools_(ctx_) {}

std::int32_t Shard::start() {
  const Services &s = ctx_.services;
  cells_.requests = cell(s, "remoting_requests_total", "requests read", index_);
  cells_.unsupported = cell(s, "remoting_unsupported_requests_total", "requests with a code that is not served", index_);
  cells_.bad_frames = cell(s, "remoting_bad_frames_total", "connections closed because of damaged frames or headers", index_);
  cells_.slow_readers = cell(s, "remoting_slow_readers_total", "connections closed because the peer did not read its replies", index_);
  cells_.refused = cell(s, "remoting_refused_requests_total", "requests that access control refused", index_);
  ctx_.cq = s.cq->create(s.host, index_, &Shard::on_completions, this);
  return ctx_.cq != 0 ? GANTRY_OK : GANTRY_E_NOMEM;
}

void Shard::stop() {
  if (ctx_.cq != 0) ctx_.services.cq->close(ctx_.services.host, ctx_.cq);
  ctx_.cq = 0;
  calls_.stop();
}

Connection *Shard::open(gantry_conn conn, const gantry_conn_info &info) {
  if (free_connections_.empty()) {
    connections_.push_back(std::make_unique<Connection>());
    free_connections_.push_back(connections_.back().get());
  }
  Connection *c = free_connections_.back();
  free_connections_.pop_back();
  c->id = conn;
  c->shard = info.shard;
  std::memcpy(c->peer_ip, info.peer_ip, sizeof c->peer_ip);
  c->peer_ip_bytes = info.peer_ip_bytes;
  c->peer_port = info.peer_port;
  c->peer.assign(view(info.peer));
  c->from = peer_of(info, c->peer);
  return c;
}

void Shard::close(Connection &conn) {
  sender_.abandon_batch(conn);
  calls_.conn_closed(conn);
  pops_.conn_closed(conn);
  if (conn.link == nullptr) ctx_.services.session->conn_closed(ctx_.services.host, conn.id);
  conn.id = 0;
  conn.link = nullptr;
  conn.outstanding = 0;
  conn.topic.topic = 0;
  free_connections_.push_back(&conn);
}

std::int32_t Shard::broken(const Connection &conn, const char *what) {
  ++*cells_.bad_frames;
  ctx_.services.write_log(GANTRY_LOG_WARN, "remoting: " + conn.peer + " does not speak the protocol (" + what + "); connection closed");
  return GANTRY_E_CORRUPT;
}

std::int32_t Shard::on_bytes(Connection &conn, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed, std::uint32_t *need) {
  scratch_.reset();
  std::uint32_t pos = 0;
  const char *wrong = nullptr;
  Step step = Step::kDone;
  *need = 0;
  while (step == Step::kDone) {
    Frame frame;
    const FrameStatus status = split_frame(data + pos, n - pos, frame);
    if (status != FrameStatus::kWhole) {
      *need = frame.total_bytes;
      if (status == FrameStatus::kBad) wrong = frame.error;
      break;
    }
    if (scratch_.left() < kScratchFree) {
      step = flush(pos);
      if (step != Step::kDone) break;
      scratch_.reset();
    }
    wrong = decode_header(frame, scratch_, header_);
    if (wrong != nullptr) break;
    std::uint32_t again_at = pos;
    step = handle(Request{conn, header_, frame.body, pos}, again_at);
    pos = step == Step::kDone ? pos + frame.total_bytes : again_at;
  }
  // What stands before a damaged frame is still served.
  if (step == Step::kDone) step = flush(pos);
  ctx_.output.flush();
  *consumed = pos;
  if (step == Step::kAgain) {
    *need = 0;
    return GANTRY_E_AGAIN;
  }
  return wrong == nullptr ? GANTRY_OK : broken(conn, wrong);
}

Step Shard::flush(std::uint32_t &again_at) {
  if (const Step step = sender_.flush(again_at); step != Step::kDone) return step;
  return puller_.flush(again_at);
}

Step Shard::handle(const Request &request, std::uint32_t &again_at) {
  if (request.header.is_response()) {
    calls_.answered(request.conn, request.header, request.body);
    return Step::kDone;
  }
  ++*cells_.requests;
  if (!gate_.passes(request.header, request.body, request.conn.from)) [[unlikely]] {
    ++*cells_.refused;
    sender_.abandon_batch(request.conn);  // of which a part was taken before the rules changed
    ctx_.output.reply(request.to(), gate_.code(), gate_.remark());
    return Step::kDone;
  }
  switch (request.header.code) {
    case kSendMessageV2:
    case kSendMessage:
    case kSendBatchMessage:
      // Each kind sees what the other kind did before it.
      if (const Step step = puller_.flush(again_at); step != Step::kDone) return step;
      return sender_.take(request, again_at);
    case kPullMessage:
    case kLitePullMessage:
      if (const Step step = sender_.flush(again_at); step != Step::kDone) return step;
      return puller_.take(request, again_at);
    default:
      return handle_others(request, again_at);
  }
}

Step Shard::handle_others(const Request &request, std::uint32_t &again_at) {
  if (const Step step = flush(again_at); step != Step::kDone) return step;
  switch (request.header.code) {
    case kHeartBeat: clients_.heartbeat(request); break;
    case kUnregisterClient: clients_.unregister_client(request); break;
    case kGetConsumerListByGroup: clients_.consumer_list(request); break;
    case kCheckClientConfig: clients_.check_client_config(request); break;
    case kLockBatchMq: clients_.lock_batch(request); break;
    case kUnlockBatchMq: clients_.unlock_batch(request); break;
    case kQueryConsumerOffset: query_consumer_offset(ctx_, request); break;
    case kUpdateConsumerOffset: update_consumer_offset(ctx_, request); break;
    case kSearchOffsetByTimestamp: search_offset(ctx_, request); break;
    case kGetMaxOffset: get_max_offset(ctx_, request); break;
    case kGetMinOffset: get_min_offset(ctx_, request); break;
    case kGetEarliestMsgStoretime: get_earliest_store_time(ctx_, request); break;
    case kConsumerSendMsgBack: send_message_back(ctx_, request); break;
    case kEndTransaction: transactions_.end(request); break;
    case kViewMessageById: puller_.view_message(request); break;
    case kUpdateAndCreateTopic: update_and_create_topic(ctx_, request); break;
    default:
      if (pops_.handle(request) || handle_assignment(ctx_, request) || handle_tools(request)) break;
      ++*cells_.unsupported;
      if (is_rules_request(request.header.code)) {
        ctx_.output.reply(request.to(), kRequestCodeNotSupported,
                          "users and policies of this broker are not changed or shown by request: they stand in the file that [auth] of its configuration names, which is read again when it changes");
        break;
      }
      ctx_.output.reply(request.to(), kRequestCodeNotSupported, " request type " + std::to_string(request.header.code) + " not supported");
  }
  return Step::kDone;
}

bool Shard::handle_tools(const Request &request) {
  switch (request.header.code) {
    case kSendReplyMessage:
    case kSendReplyMessageV2: relays_.send_reply(request); return true;
    case kGetConsumerRunningInfo: relays_.running_info(request); return true;
    case kConsumeMessageDirectly: relays_.consume_directly(request); return true;
    case kInvokeBrokerToGetConsumerStatus: relays_.consumer_status(request); return true;
    case kQueryMessage: query_message(ctx_, request); return true;
    case kRecallMessage: recalls_.recall(request); return true;
    case kInvokeBrokerToResetOffset: resets_.reset_offset(request); return true;
    default: return tell_group_info(ctx_, request) || tell_topic_info(ctx_, request) || tools_.handle(request) || handle_admin(ctx_, request);
  }
}

void Shard::on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &shard = *static_cast<Shard *>(self);
  for (std::uint32_t i = 0; i < n; ++i) shard.complete(cqes[i]);
  shard.ctx_.output.flush();
  *shard.cells_.slow_readers = shard.ctx_.output.slow_readers();
}

void Shard::complete(const gantry_cqe &cqe) {
  switch (ctx_.pendings.at(static_cast<std::uint32_t>(cqe.user_data)).kind) {
    case PendingKind::kSend:
    case PendingKind::kTimedSend:
    case PendingKind::kBatch: return sender_.complete(cqe);
    case PendingKind::kPull: return puller_.complete_pull(cqe);
    case PendingKind::kView: return puller_.complete_view(cqe);
    case PendingKind::kSeek: return complete_search(ctx_, cqe);
    case PendingKind::kCommit: return complete_commit(ctx_, cqe);
    case PendingKind::kSendBack: return complete_send_back(ctx_, cqe);
    case PendingKind::kDirect: return relays_.complete_direct(cqe);
    case PendingKind::kRecall: return recalls_.complete(cqe);
    case PendingKind::kEnd: return transactions_.complete_end(cqe);
    case PendingKind::kCheck: return transactions_.complete_check(cqe);
    case PendingKind::kQuery: return complete_query(ctx_, cqe);
    case PendingKind::kResetSeek: return resets_.complete_seek(cqe);
    case PendingKind::kResetCommit: return resets_.complete_commit(cqe);
    case PendingKind::kPop: return pops_.complete_pop(cqe);
    case PendingKind::kNotify: return pops_.complete_notification(cqe);
    case PendingKind::kAck: return pops_.complete_ack(cqe);
    case PendingKind::kChangeInvisible: return pops_.complete_change(cqe);
    case PendingKind::kAdmin: return complete_admin(ctx_, cqe);
    case PendingKind::kToolJob: return tools_.complete(cqe);
    case PendingKind::kFree: break;
  }
}

void Shard::notify_consumers_changed(gantry_conn conn, std::string_view group) {
  const ExtField ext[] = {{"consumerGroup", group}};
  OutHeader header;
  header.code = kNotifyConsumerIdsChanged;
  header.opaque = calls_.next_opaque();
  header.flag = kFlagOneway;
  header.ext = ext;
  header.n_ext = 1;
  std::uint8_t *const p = ctx_.output.room(conn, frame_bound(header));
  if (p != nullptr) ctx_.output.used(write_frame(p, header, 0));
}

}  // namespace gantry::remoting
