// The connection to one name server. One timer at a time: waiting to connect again, for an answer, or for the next period.
#include "codec/codes.hpp"
#include "codec/frame.hpp"
#include "codec/writer.hpp"
#include "nameserver/zlib_stream.hpp"
#include "registration/tools.hpp"

#include <algorithm>
#include <utility>

namespace gantry::remoting {

namespace {

constexpr std::int64_t kBackoffMinMs = 1'000, kBackoffMaxMs = 30'000;
// A broker is out of the routes while its connection is broken, so the first attempt follows at once.
constexpr std::int64_t kFirstRetryMs = 100;
constexpr std::int64_t kAnswerTimeoutMs = 10'000;
constexpr std::int64_t kComplaintPeriodMs = 60'000;
// From this size on, about 6000 topics, a sign of life does not carry all topics again.
constexpr std::size_t kLargeBodyBytes = 1u << 20;

std::string text_of(const gantry_str &s) { return {s.p, s.n}; }

}  // namespace

NameServerLink::NameServerLink(Registrar &owner, std::string address, std::uint64_t user_data)
    : owner_(owner), address_(std::move(address)), user_data_(user_data) {}

void NameServerLink::connect() {
  state_ = State::kConnecting;
  const auto &tools = *owner_.tools_;
  const gantry_str address{address_.data(), static_cast<std::uint32_t>(address_.size()), 0};
  const std::int32_t code = tools.net->connect(tools.host, Registrar::kShard, address, owner_.options_.tls ? 1 : 0, user_data_);
  if (code == GANTRY_E_CLOSED) {
    state_ = State::kIdle;  // the process is stopping
  } else if (code < 0) {
    connect_failed("this broker may not open another connection now");
  }
}

void NameServerLink::connect_failed(const char *why) {
  if (state_ != State::kConnecting) return;
  state_ = State::kIdle;
  if (!owner_.running_) return;
  complain("name server " + address_ + " is not reachable: " + why +
           "; clients that ask it do not find this broker. Check that it runs and that `nameservers` names its address. Trying again every " +
           std::to_string(kBackoffMinMs / 1000) + " to " + std::to_string(kBackoffMaxMs / 1000) + " s");
  arm(next_backoff_ms());
}

void NameServerLink::opened(gantry_conn conn) {
  state_ = State::kOpen;
  conn_ = conn;
  in_flight_ = 0;
  send_registration();
}

void NameServerLink::topics_changed() { dirty_ = true; }

void NameServerLink::flush_changes() {
  if (dirty_ && state_ == State::kOpen && in_flight_ == 0) send_registration();
}

void NameServerLink::send_registration() {
  dirty_ = false;
  if (!send(kRegisterBroker, owner_.body())) return;
  in_flight_ = kRegisterBroker;
  arm(kAnswerTimeoutMs);
}

// What is registered is up to date and must only stay so.
void NameServerLink::send_sign_of_life() {
  if (owner_.body().size() < kLargeBodyBytes) return send_registration();
  const gantry_topics_version &version = owner_.body_version_;
  const std::string body = "{\"counter\":" + std::to_string(version.counter) + ",\"timestamp\":" + std::to_string(version.timestamp_ms) + "}";
  if (!send(kQueryDataVersion, body)) return;
  in_flight_ = kQueryDataVersion;
  arm(kAnswerTimeoutMs);
}

// False: nothing was sent and the connection is being closed, or, for a body over the frame limit, kept.
bool NameServerLink::send(std::int32_t code, std::string_view body) {
  auto &tools = *owner_.tools_;
  gantry_broker_info info{};
  info.size = sizeof info;
  tools.broker->info(tools.host, &info);
  const std::string cluster = text_of(info.cluster), name = text_of(info.name), id = std::to_string(info.id);
  const std::string crc = std::to_string(body_crc32(body));
  ExtField ext[9] = {{"brokerName", name},         {"brokerAddr", owner_.options_.advertise},
                          {"clusterName", cluster},     {"brokerId", id},
                          {"haServerAddr", owner_.options_.ha_advertise}, {"compressed", "false"},
                          {"bodyCrc32", crc}};
  constexpr std::uint32_t kIdentityFields = 4, kAllFields = 7;
  OutHeader header;
  header.code = code;
  header.opaque = awaited_ = ++opaque_;
  header.flag = 0;
  header.ext = ext;
  header.n_ext = tools.signature.sign(Registrar::kShard, ext, code == kRegisterBroker ? kAllFields : kIdentityFields, body);
  tools.head.resize(frame_bound(header));
  if (tools.head.size() + body.size() > kFrameMaxBytes) {
    complain("cannot register at name server " + address_ + ": the list of " + std::to_string(owner_.body_topics_) +
             " topics is larger than a frame of 16 MiB; delete topics or spread them over several brokers");
    arm(owner_.options_.period_ms);
    return false;
  }
  const std::uint32_t head_bytes = write_frame(tools.head.data(), header, static_cast<std::uint32_t>(body.size()));
  const gantry_span spans[2] = {{tools.head.data(), head_bytes, 0, nullptr},
                                {reinterpret_cast<const std::uint8_t *>(body.data()), static_cast<std::uint32_t>(body.size()), 0, nullptr}};
  if (tools.net->send(tools.host, conn_, spans, body.empty() ? 1 : 2) == GANTRY_OK) return true;
  tools.net->close(tools.host, conn_, GANTRY_CLOSE_NOW, "the name server does not take registrations");
  return false;
}

std::int32_t NameServerLink::on_bytes(const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed, std::uint32_t *need) {
  auto &tools = *owner_.tools_;
  *consumed = *need = 0;
  while (*consumed < n) {
    Frame frame;
    const FrameStatus status = split_frame(data + *consumed, n - *consumed, frame);
    if (status == FrameStatus::kBad) return GANTRY_E_CORRUPT;
    if (status == FrameStatus::kPartial) {
      *need = frame.total_bytes;
      break;
    }
    tools.scratch.reset();
    if (decode_header(frame, tools.scratch, tools.header) != nullptr) return GANTRY_E_CORRUPT;
    *consumed += frame.total_bytes;
    // Requests of a name server (5.x may tell the lowest broker id) are oneway and concern replicas only.
    const Header &header = tools.header;
    if (!header.is_response() || route_answered(header, frame.body)) continue;
    if (in_flight_ != 0 && header.opaque == awaited_) answered(header);
  }
  return GANTRY_OK;
}

void NameServerLink::answered(const Header &header) {
  const std::int32_t request = std::exchange(in_flight_, 0);
  if (state_ != State::kOpen) return;
  if (request == kRegisterBroker) return registration_answered(header.code, header.remark);
  if (header.code != kSuccess || header.text("changed") != "false") return send_registration();
  arm(owner_.options_.period_ms);
  flush_changes();
}

void NameServerLink::registration_answered(std::int32_t code, std::string_view remark) {
  if (code != kSuccess) {
    set_registered(false);
    complain("name server " + address_ + " refused this broker's registration with code " + std::to_string(code) + " (" +
             std::string(remark.substr(0, 200)) + "); clients that ask it may not find this broker");
    arm(next_backoff_ms());
    return;
  }
  if (!registered_) {
    owner_.tools_->log(GANTRY_LOG_INFO, std::string("registered ") + (ever_registered_ ? "again " : "") + "at name server " + address_ +
                                            " as " + owner_.options_.advertise + " with " + std::to_string(owner_.body_topics_) + " topics");
  }
  set_registered(true);
  ever_registered_ = true;
  backoff_ms_ = 0;
  next_complaint_ms_ = 0;
  arm(owner_.options_.period_ms);
  flush_changes();
}

void NameServerLink::on_close(std::int32_t reason) {
  const bool lost = state_ == State::kOpen;
  const bool had_registered = registered_;
  conn_ = 0;
  in_flight_ = 0;
  set_registered(false);
  give_up_routes();
  if (!lost) return;
  disarm();
  state_ = State::kIdle;
  if (!owner_.running_) return;
  complain("lost the connection to name server " + address_ + (reason != GANTRY_OK ? " (code " + std::to_string(reason) + ")" : "") +
           "; clients that ask it do not find this broker until it is back. Connecting again");
  arm(had_registered ? kFirstRetryMs : next_backoff_ms());
}

// Shutdown has begun for the whole process, so from now on no link connects or registers again.
void NameServerLink::on_drain() {
  owner_.running_ = false;
  if (state_ != State::kOpen) return;
  disarm();
  const auto &tools = *owner_.tools_;
  if (send(kUnregisterBroker, {})) tools.net->close(tools.host, conn_, GANTRY_CLOSE_AFTER_FLUSH, "the broker is stopping");
  state_ = State::kDrained;
  set_registered(false);
}

void NameServerLink::stop() {
  disarm();
  give_up_routes();
  if (state_ != State::kOpen) state_ = State::kDrained;
}

void NameServerLink::set_registered(bool registered) {
  if (registered_ == registered) return;
  registered_ = registered;
  owner_.registered_.fetch_add(registered ? 1 : -1, std::memory_order_acq_rel);
}

std::int64_t NameServerLink::next_backoff_ms() {
  backoff_ms_ = std::clamp(backoff_ms_ * 2, kBackoffMinMs, kBackoffMaxMs);
  return backoff_ms_;
}

void NameServerLink::arm(std::int64_t delay_ms) {
  disarm();
  if (!owner_.running_) return;
  const auto &tools = *owner_.tools_;
  const gantry_task_fn run = [](void *self) noexcept { static_cast<NameServerLink *>(self)->on_timer(); };
  timer_ = tools.exec->timer_arm(tools.host, Registrar::kShard, delay_ms, run, this);
}

void NameServerLink::disarm() {
  if (timer_ == 0) return;
  const auto &tools = *owner_.tools_;
  (void)tools.exec->timer_cancel(tools.host, timer_);
  timer_ = 0;
}

void NameServerLink::on_timer() {
  timer_ = 0;
  if (state_ == State::kIdle) return connect();
  if (state_ != State::kOpen) return;
  if (in_flight_ == 0) return registered_ && !dirty_ ? send_sign_of_life() : send_registration();
  const auto &tools = *owner_.tools_;
  tools.net->close(tools.host, conn_, GANTRY_CLOSE_NOW, "the name server did not answer within 10 s");
}

// ---- routes of topics

bool NameServerLink::ask_route(const std::string &topic) {
  if (state_ != State::kOpen) return false;
  auto &tools = *owner_.tools_;
  // Standard JSON, where the name server knows the wish (4.9.4); what others write is read too.
  constexpr std::uint32_t kFields = 2;
  ExtField ext[kFields + 2] = {{"topic", topic}, {"acceptStandardJsonOnly", "true"}};
  OutHeader header;
  header.code = kGetRouteinfoByTopic;
  header.opaque = ++opaque_;
  header.flag = 0;
  header.ext = ext;
  header.n_ext = tools.signature.sign(Registrar::kShard, ext, kFields, {});
  tools.head.resize(frame_bound(header));
  const std::uint32_t head_bytes = write_frame(tools.head.data(), header, 0);
  const gantry_span span{tools.head.data(), head_bytes, 0, nullptr};
  if (tools.net->send(tools.host, conn_, &span, 1) != GANTRY_OK) return false;
  route_questions_.push_back(std::make_unique<RouteQuestion>(RouteQuestion{this, topic, opaque_, 0}));
  const gantry_task_fn late = [](void *arg) noexcept {
    auto *question = static_cast<RouteQuestion *>(arg);
    NameServerLink &self = *question->link;
    const auto it = std::find_if(self.route_questions_.begin(), self.route_questions_.end(), [question](const auto &q) { return q.get() == question; });
    const std::unique_ptr<RouteQuestion> mine = std::move(*it);
    self.route_questions_.erase(it);
    self.owner_.routes_.failed(mine->topic);
  };
  route_questions_.back()->timer = tools.exec->timer_arm(tools.host, Registrar::kShard, TopicRoutes::kAnswerTimeoutMs, late, route_questions_.back().get());
  return true;
}

// False: it answers something else.
bool NameServerLink::route_answered(const Header &header, std::string_view body) {
  const auto it = std::find_if(route_questions_.begin(), route_questions_.end(), [&header](const auto &q) { return q->opaque == header.opaque; });
  if (it == route_questions_.end()) return false;
  const std::unique_ptr<RouteQuestion> mine = std::move(*it);
  route_questions_.erase(it);
  if (mine->timer != 0) (void)owner_.tools_->exec->timer_cancel(owner_.tools_->host, mine->timer);
  owner_.routes_.answered(mine->topic, header.code, body);
  return true;
}

void NameServerLink::give_up_routes() {
  for (const auto &question : std::exchange(route_questions_, {})) {
    if (question->timer != 0) (void)owner_.tools_->exec->timer_cancel(owner_.tools_->host, question->timer);
    owner_.routes_.failed(question->topic);
  }
}

void NameServerLink::complain(const std::string &text) {
  const std::int64_t now_ms = owner_.tools_->now_ms();
  if (now_ms < next_complaint_ms_) return;
  next_complaint_ms_ = now_ms + kComplaintPeriodMs;
  owner_.tools_->log(GANTRY_LOG_WARN, text);
}

}  // namespace gantry::remoting
