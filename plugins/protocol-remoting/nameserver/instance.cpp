#include "nameserver/instance.hpp"

#include "codec/codes.hpp"
#include "codec/writer.hpp"
#include "nameserver/limits.hpp"
#include "nameserver/refuse.hpp"
#include "registration/on_shard.hpp"

namespace gantry::remoting::nameserver {

namespace {

constexpr std::uint32_t kScanShard = 0;
// A registration's JSON: 100 000 topics of about ten values each fit, and nobody makes the server take more than 77 MB for a moment.
constexpr json::Limits kBodyLimits{.max_depth = 32, .max_values = 1'200'000, .max_bytes = kFrameMaxBytes};
// What a frame can hold besides header and prefix.
constexpr std::size_t kMaxBodyBytes = kFrameMaxBytes - kHeaderMaxBytes - kFramePrefixBytes;
constexpr std::uint32_t kNotesPerSecond = 20;
constexpr std::size_t kMaxRemarkBytes = 1024;

}  // namespace

struct Instance::Shard {
  Shard(const gantry_host *host, std::uint32_t index) : gate(host, index) {}
  Gate gate;
  Scratch scratch{kHeaderMaxBytes + kScratchSlack};
  Header header;
  json::Document document{kBodyLimits};
  Reply reply;
  std::vector<std::uint8_t> head;  // of the reply being sent
  std::vector<ExtField> ext;
  std::int64_t note_second = 0;
  std::uint32_t notes = 0;
  std::uint64_t *requests = nullptr, *refusals = nullptr;
};

Instance::Instance(const gantry_host *host, const ServiceOptions &options)
    : host_(host),
      net_(static_cast<const gantry_net_v1 *>(host->query(host, GANTRY_NET_ID))),
      log_(static_cast<const gantry_log_v1 *>(host->query(host, GANTRY_LOG_ID))),
      clock_(static_cast<const gantry_clock_v1 *>(host->query(host, GANTRY_CLOCK_ID))),
      exec_(static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID))),
      metrics_(static_cast<const gantry_metrics_v1 *>(host->query(host, GANTRY_METRICS_ID))),
      service_(options) {}

Instance::~Instance() = default;

struct Instance::KvJob {
  Instance *owner;
  gantry_conn conn;
  std::uint32_t shard;
  SerializeType type;
  std::int32_t opaque;
  bool oneway;
  std::string problem;  // empty: it is on the disk
};

const char *Instance::missing_table() const {
  if (net_ == nullptr) return GANTRY_NET_ID;
  if (log_ == nullptr) return GANTRY_LOG_ID;
  if (clock_ == nullptr) return GANTRY_CLOCK_ID;
  if (exec_ == nullptr) return GANTRY_EXEC_ID;
  if (metrics_ == nullptr) return GANTRY_METRICS_ID;
  return "";
}

void Instance::keep_kv(const std::string &folder) {
  kv_folder_ = folder;
  const auto complain = [this](const Error &why) { log(GANTRY_LOG_ERROR, "keys and values of the name server: " + why.text); };
  if (auto opened = kv_file_.open(folder); !opened) {
    kv_problem_ = opened.error().text;
    return complain(opened.error());
  }
  auto loaded = kv_file_.load(service_.kv());
  if (loaded) return;
  complain(loaded.error());
  if (loaded.error().code == GANTRY_E_IO) {
    kv_problem_ = loaded.error().text;  // what could not be read must not be replaced
  } else if (auto written = kv_file_.write(service_.kv_text().text); !written) {
    complain(written.error());
  }
}

void Instance::start() {
  const std::uint32_t shards = exec_->shard_count(host_);
  for (std::uint32_t i = 0; i < shards; ++i) {
    auto shard = std::make_unique<Shard>(host_, i);
    shard->requests = metrics_->cell(host_, GANTRY_METRIC_COUNTER, "nameserver_requests_total", "requests answered", i);
    shard->refusals = metrics_->cell(host_, GANTRY_METRIC_COUNTER, "nameserver_refused_requests_total",
                                     "requests answered with a code other than 0", i);
    GANTRY_ASSERT(shard->requests != nullptr && shard->refusals != nullptr);
    shards_.push_back(std::move(shard));
  }
  stopping_ = false;
  const gantry_task_fn begin = [](void *self) noexcept { static_cast<Instance *>(self)->arm_scan(); };
  (void)exec_->post(host_, kScanShard, begin, this);  // refused only when the process is stopping already
}

void Instance::stop() {
  (void)run_on_shard(host_, exec_, kScanShard, [this] {
    stopping_ = true;
    if (scan_timer_ != 0) (void)exec_->timer_cancel(host_, scan_timer_);
    scan_timer_ = 0;
  });
}

void Instance::arm_scan() {
  if (stopping_) return;
  const gantry_task_fn run = [](void *self) noexcept { static_cast<Instance *>(self)->scan(); };
  scan_timer_ = exec_->timer_arm(host_, kScanShard, kScanPeriodMs, run, this);
}

void Instance::scan() {
  scan_timer_ = 0;
  for (const std::string &line : service_.expire(now_ms())) log(GANTRY_LOG_WARN, line);
  arm_scan();
}

Connection *Instance::conn_open(gantry_conn conn, const gantry_conn_info &info) {
  auto *connection = new Connection;
  connection->peer.assign(info.peer.p, info.peer.n);
  connection->from = peer_of(info, connection->peer);
  connection->shard = info.shard;
  connection->caller.conn = conn;
  connection->caller.local_port = info.local_port;
  connection->caller.peer = connection->peer;
  return connection;
}

void Instance::conn_close(Connection *connection) {
  if (connection->caller.registered) {
    for (const std::string &line : service_.conn_closed(connection->caller.conn)) log(GANTRY_LOG_WARN, line);
  }
  delete connection;
}

std::int32_t Instance::on_bytes(Connection &connection, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed,
                                std::uint32_t *need) {
  Shard &shard = *shards_.at(connection.shard);
  *consumed = *need = 0;
  while (*consumed < n) {
    Frame frame;
    const FrameStatus status = split_frame(data + *consumed, n - *consumed, frame);
    if (status == FrameStatus::kBad) return GANTRY_E_CORRUPT;
    if (status == FrameStatus::kPartial) {
      *need = frame.total_bytes;
      break;
    }
    if (const std::int32_t code = answer(connection, shard, frame); code != GANTRY_OK) return code;
    *consumed += frame.total_bytes;
  }
  return GANTRY_OK;
}

std::int32_t Instance::answer(Connection &connection, Shard &shard, const Frame &frame) {
  shard.scratch.reset();
  if (decode_header(frame, shard.scratch, shard.header) != nullptr) return GANTRY_E_CORRUPT;
  if (shard.header.is_response()) return GANTRY_OK;  // a name server asks nothing, so this answers nothing
  Reply &reply = shard.reply;
  reply.clear();
  if (shard.gate.passes(shard.header, frame.body, connection.from))
    service_.handle(shard.header, frame.body, connection.caller, shard.document, now_ms(), reply);
  else
    refuse(reply, shard.gate.code(), shard.gate.remark());
  if (reply.body().size() > kMaxBodyBytes) {
    reply.clear();
    refuse(reply, kSystemError, "the answer is larger than a frame of 16 MiB; ask for less, for example by cluster");
  }
  ++*shard.requests;
  if (reply.code != kSuccess) ++*shard.refusals;
  if (!reply.note.empty()) log_note(shard, reply.note);
  if (reply.kv_changed && !kv_folder_.empty()) {
    reply_when_kept(connection, shard);
    return GANTRY_OK;
  }
  return shard.header.is_oneway() ? GANTRY_OK : send_reply(connection, shard);
}

std::int32_t Instance::send_reply(Connection &connection, Shard &shard) {
  Reply &reply = shard.reply;
  if (reply.remark.size() > kMaxRemarkBytes) reply.remark.resize(kMaxRemarkBytes);
  shard.ext.clear();
  for (const auto &[key, value] : reply.ext) shard.ext.push_back({key, value});
  OutHeader header;
  header.type = shard.header.type;
  header.code = reply.code;
  header.opaque = shard.header.opaque;
  header.remark = reply.remark;
  header.ext = shard.ext.data();
  header.n_ext = static_cast<std::uint32_t>(shard.ext.size());
  shard.head.resize(frame_bound(header));
  const std::string_view body = reply.body();
  const auto body_bytes = static_cast<std::uint32_t>(body.size());
  const std::uint32_t head_bytes = write_frame(shard.head.data(), header, body_bytes);
  const gantry_span spans[2] = {{shard.head.data(), head_bytes, 0, nullptr},
                                {reinterpret_cast<const std::uint8_t *>(body.data()), body_bytes, 0, nullptr}};
  const std::int32_t sent = net_->send(host_, connection.caller.conn, spans, body.empty() ? 1 : 2);
  // A peer that asks and asks without reading its answers is cut off.
  return sent == GANTRY_E_AGAIN ? GANTRY_E_LIMIT : GANTRY_OK;
}

// Flushing a file takes as long as a disk takes, so it happens elsewhere.
void Instance::reply_when_kept(Connection &connection, const Shard &shard) {
  auto job = std::make_unique<KvJob>(KvJob{this, connection.caller.conn, connection.shard, shard.header.type, shard.header.opaque, shard.header.is_oneway(), {}});
  const gantry_task_fn run = [](void *arg) noexcept {
    std::unique_ptr<KvJob> mine(static_cast<KvJob *>(arg));
    Instance &self = *mine->owner;
    mine->problem = self.write_kv();
    const gantry_task_fn answer_it = [](void *done) noexcept {
      std::unique_ptr<KvJob> answered(static_cast<KvJob *>(done));
      Instance &owner = *answered->owner;
      owner.kv_kept(std::move(answered));
    };
    const std::uint32_t to = mine->shard;
    if (self.exec_->post(self.host_, to, answer_it, mine.get()) == GANTRY_OK) (void)mine.release();
  };
  if (exec_->offload(host_, run, job.get()) == GANTRY_OK) {
    (void)job.release();
    return;
  }
  job->problem = "too much waits for the disk, or this name server is stopping; try again";
  kv_kept(std::move(job));
}

// What was changed meanwhile is written along with it, so many changes at once cost few writes.
std::string Instance::write_kv() {
  const std::lock_guard lock(kv_mutex_);
  if (!kv_problem_.empty()) return kv_problem_;
  const Service::KvText now = service_.kv_text();
  if (now.version == kv_written_) return {};
  auto written = kv_file_.write(now.text);
  if (!written) {
    log(GANTRY_LOG_ERROR, "keys and values of the name server: " + written.error().text);
    return written.error().text;
  }
  kv_written_ = now.version;
  return {};
}

void Instance::kv_kept(std::unique_ptr<KvJob> job) {
  if (job->oneway) return;
  Shard &shard = *shards_.at(job->shard);
  const std::string remark = job->problem.empty() ? "" : "the change holds until this name server stops, but was not written: " + job->problem;
  OutHeader header;
  header.type = job->type;
  header.code = job->problem.empty() ? kSuccess : kSystemError;
  header.opaque = job->opaque;
  header.remark = std::string_view(remark).substr(0, kMaxRemarkBytes);
  shard.head.resize(frame_bound(header));
  const gantry_span span{shard.head.data(), write_frame(shard.head.data(), header, 0), 0, nullptr};
  if (!job->problem.empty()) ++*shard.refusals;
  (void)net_->send(host_, job->conn, &span, 1);  // the peer may have left
}

// Strangers cause these lines, so a flood of them is cut.
void Instance::log_note(Shard &shard, const std::string &text) {
  const std::int64_t second = now_ms() / 1000;
  if (second != shard.note_second) {
    if (shard.notes > kNotesPerSecond) {
      log(GANTRY_LOG_INFO, std::to_string(shard.notes - kNotesPerSecond) + " more such lines were left out");
    }
    shard.note_second = second;
    shard.notes = 0;
  }
  if (++shard.notes <= kNotesPerSecond) log(GANTRY_LOG_INFO, text);
}

void Instance::log(std::int32_t level, const std::string &text) const {
  log_->write(host_, level, text.data(), static_cast<std::uint32_t>(text.size()));
}

}  // namespace gantry::remoting::nameserver
