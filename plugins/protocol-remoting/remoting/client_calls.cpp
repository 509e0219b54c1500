#include "remoting/client_calls.hpp"

#include "codec/codes.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

// At any time one shard works with it: the asking one hands it over by a post and gets it back by a post.
struct ClientCalls::Call {
  ClientCalls *origin, *target;
  ClientAddress to;
  ClientCall what;
  std::int64_t timeout_ms = 0;
  bool oneway = false;
  Done done;
  CallResult result;
  std::int32_t opaque = 0;
  std::uint64_t timer = 0;
};

ClientCalls::ClientCalls(ShardContext &ctx, std::uint32_t shard) : ctx_(ctx), shard_(shard) {}

ClientCalls::~ClientCalls() = default;

std::int32_t ClientCalls::next_opaque() {
  const std::int32_t opaque = opaque_;
  opaque_ = opaque_ == INT32_MAX ? 0 : opaque_ + 1;
  return opaque;
}

void ClientCalls::stop() {
  stopped_ = true;
  for (const auto &[opaque, call] : waiting_) (void)ctx_.services.exec->timer_cancel(ctx_.services.host, call->timer);
  waiting_.clear();
}

void ClientCalls::call(const ClientAddress &to, ClientCall what, std::int64_t timeout_ms, Done done) {
  GANTRY_ASSERT(all_ != nullptr && to.shard < all_->size());
  auto made = std::make_unique<Call>();
  Call &call = *made;
  call.origin = this;
  call.target = (*all_)[to.shard];
  call.to = to;
  call.what = std::move(what);
  call.timeout_ms = timeout_ms;
  call.oneway = done == nullptr;
  call.done = std::move(done);
  mine_.emplace(&call, std::move(made));
  const gantry_task_fn run = [](void *arg) noexcept {
    auto &c = *static_cast<Call *>(arg);
    c.target->send(c);
  };
  if (ctx_.services.exec->post(ctx_.services.host, to.shard, run, &call) != GANTRY_OK) mine_.erase(&call);
}

void ClientCalls::tell(const ClientAddress &to, ClientCall what) { call(to, std::move(what), 0, nullptr); }

// E_CLOSED and the like: the client is gone.
std::int32_t ClientCalls::write(gantry_conn conn, const ClientCall &what, bool oneway) {
  std::vector<ExtField> ext;
  ext.reserve(what.ext.size());
  for (const auto &[key, value] : what.ext) ext.push_back({key, value});
  OutHeader header;
  header.code = what.code;
  header.opaque = next_opaque();
  header.flag = oneway ? kFlagOneway : 0;
  header.ext = ext.data();
  header.n_ext = static_cast<std::uint32_t>(ext.size());
  std::vector<std::uint8_t> head(frame_bound(header));
  const std::uint32_t n = write_frame(head.data(), header, static_cast<std::uint32_t>(what.body.size()));
  const gantry_span spans[] = {span(head.data(), n), span(what.body)};
  ctx_.output.flush();
  const std::int32_t status = ctx_.services.net->send(ctx_.services.host, conn, spans, what.body.empty() ? 1 : 2);
  return status < 0 ? status : header.opaque;
}

void ClientCalls::send(Call &call) {
  if (stopped_) return;
  const std::int32_t opaque = write(call.to.conn, call.what, call.oneway);
  if (call.oneway || opaque < 0) return finish(call, opaque < 0 ? CallEnd::kGone : CallEnd::kAnswered);
  call.opaque = opaque;
  const gantry_task_fn late = [](void *arg) noexcept {
    auto &c = *static_cast<Call *>(arg);
    c.timer = 0;
    c.target->finish(c, CallEnd::kTimeout);
  };
  call.timer = ctx_.services.exec->timer_arm(ctx_.services.host, shard_, call.timeout_ms, late, &call);
  waiting_.emplace(opaque, &call);
}

void ClientCalls::finish(Call &call, CallEnd end) {
  call.result.end = end;
  if (call.timer != 0) (void)ctx_.services.exec->timer_cancel(ctx_.services.host, call.timer);
  call.timer = 0;
  const auto it = waiting_.find(call.opaque);
  if (it != waiting_.end() && it->second == &call) waiting_.erase(it);
  const gantry_task_fn back = [](void *arg) noexcept {
    auto &c = *static_cast<Call *>(arg);
    c.origin->come_home(c);
  };
  // Refused once the shards stop: the call is then freed with its owner.
  (void)ctx_.services.exec->post(ctx_.services.host, call.origin->shard_, back, &call);
}

void ClientCalls::come_home(Call &call) {
  const auto it = mine_.find(&call);
  GANTRY_ASSERT(it != mine_.end());
  const std::unique_ptr<Call> owned = std::move(it->second);
  mine_.erase(it);
  if (stopped_ || owned->done == nullptr) return;
  owned->done(owned->result);
  ctx_.output.flush();
}

void ClientCalls::answered(const Connection &conn, const Header &header, std::string_view body) {
  const auto it = waiting_.find(header.opaque);
  if (it == waiting_.end() || it->second->to.conn != conn.id) return;
  Call &call = *it->second;
  call.result.code = header.code;
  call.result.remark = header.remark;
  call.result.body = body;
  for (std::uint32_t i = 0; i < header.n_ext; ++i) call.result.ext.emplace_back(header.ext[i].key, header.ext[i].value);
  finish(call, CallEnd::kAnswered);
}

void ClientCalls::conn_closed(const Connection &conn) {
  std::vector<Call *> lost;
  for (const auto &[opaque, call] : waiting_)
    if (call->to.conn == conn.id) lost.push_back(call);
  for (Call *call : lost) finish(*call, CallEnd::kGone);
}

}  // namespace gantry::remoting
