#include "registration/registrar.hpp"

#include "json/writer.hpp"
#include "nameserver/names.hpp"
#include "registration/on_shard.hpp"
#include "registration/tools.hpp"

#include <algorithm>

namespace gantry::remoting {

namespace {

std::string_view text_of(const gantry_str &s) { return {s.p, s.n}; }

// A broker that may not be read or written takes that right from all its topics; the inherit bit is not a right.
std::uint32_t masked_perm(std::uint32_t topic, std::uint32_t broker) { return topic & (broker | GANTRY_PERM_INHERIT); }

struct TopicWriter {
  json::Writer w;
  std::uint32_t broker_perm;
  std::size_t count = 0;

  static void add(void *arg, const gantry_topic_info *info) noexcept {
    auto *self = static_cast<TopicWriter *>(arg);
    const std::string_view name = text_of(info->name);
    self->w.key(name).begin_object().member("order", (info->flags & GANTRY_TOPIC_ORDER) != 0);
    self->w.member("perm", masked_perm(info->perm, self->broker_perm)).member("readQueueNums", info->read_queues);
    self->w.member("topicFilterType", "SINGLE_TAG").member("topicName", name).member("topicSysFlag", info->sys_flag);
    self->w.member("writeQueueNums", info->write_queues).end_object();
    ++self->count;
  }
};

}  // namespace

Registrar::Registrar(const gantry_host *host, RegistrarOptions options)
    : options_(std::move(options)), tools_(std::make_unique<Tools>(host)), routes_(host, kShard, [this](const std::string &topic) { return ask_route(topic); }) {
  for (std::size_t i = 0; i < options_.nameservers.size(); ++i) {
    links_.push_back(std::make_unique<NameServerLink>(*this, options_.nameservers[i], options_.user_data_base + i));
  }
}

Registrar::~Registrar() = default;

Result<void> Registrar::start() {
  for (const std::string &address : options_.nameservers) {
    if (!nameserver::is_address(address)) {
      return Error{GANTRY_E_CONFIG, "nameservers: \"" + address + "\" is not host:port; write for example \"10.0.0.1:9876\""};
    }
  }
  const auto check = [](const char *key, const std::string &address) -> Result<void> {
    if (nameserver::is_address(address)) return {};
    return Error{GANTRY_E_CONFIG, std::string(key) + ": \"" + address + "\" is not ip:port, and name servers tell clients to connect there"};
  };
  if (links_.empty()) return {};
  GANTRY_TRY(check("advertise", options_.advertise));
  GANTRY_TRY(check("ha_advertise", options_.ha_advertise));
  const gantry_task_fn run = [](void *self) noexcept { static_cast<Registrar *>(self)->begin(); };
  (void)tools_->exec->post(tools_->host, kShard, run, this);  // refused only when the process is stopping already
  return {};
}

void Registrar::stop() {
  (void)run_on_shard(tools_->host, tools_->exec, kShard, [this] { end(); });
}

void Registrar::begin() {
  running_ = true;
  for (const auto &link : links_) link->connect();
}

void Registrar::end() {
  running_ = false;
  routes_.stop();
  for (const auto &link : links_) link->stop();
}

bool Registrar::ask_route(const std::string &topic) {
  if (!running_) return false;
  return std::any_of(links_.begin(), links_.end(), [&topic](const auto &link) { return link->ask_route(topic); });
}

bool Registrar::owns(std::uint64_t user_data) const {
  return user_data >= options_.user_data_base && user_data - options_.user_data_base < links_.size();
}

NameServerLink *Registrar::conn_open(gantry_conn conn, const gantry_conn_info *info) {
  GANTRY_ASSERT(owns(info->user_data));
  NameServerLink *link = links_[info->user_data - options_.user_data_base].get();
  if (!running_ || link->state_ != NameServerLink::State::kConnecting) return nullptr;
  link->opened(conn);
  return link;
}

void Registrar::connect_failed(std::uint64_t user_data, const gantry_error *err) {
  GANTRY_ASSERT(owns(user_data));
  links_[user_data - options_.user_data_base]->connect_failed(err != nullptr ? err->text : "unknown reason");
}

void Registrar::topics_changed() {
  if (!running_ || flush_queued_) return;
  for (const auto &link : links_) link->topics_changed();
  const gantry_task_fn flush = [](void *self) noexcept { static_cast<Registrar *>(self)->flush_changes(); };
  flush_queued_ = tools_->exec->at_turn_end(tools_->host, flush, this) == GANTRY_OK;
  if (!flush_queued_) flush_changes();
}

void Registrar::flush_changes() {
  flush_queued_ = false;
  if (!running_) return;
  for (const auto &link : links_) link->flush_changes();
}

std::uint32_t Registrar::nameserver_count() const { return static_cast<std::uint32_t>(links_.size()); }

// The version is read before the topics: a change in between makes the body newer than its version, and the next registration, whose
// version differs, is taken again.
const std::string &Registrar::body() {
  gantry_topics_version version{};
  tools_->broker->topics_version(tools_->host, &version);
  gantry_broker_info info{};
  info.size = sizeof info;
  tools_->broker->info(tools_->host, &info);
  const bool same_version = version.counter == body_version_.counter && version.timestamp_ms == body_version_.timestamp_ms;
  if (same_version && info.perm == body_perm_) return body_;
  body_.clear();
  TopicWriter topics{json::Writer(body_), info.perm};
  topics.w.begin_object().key("filterServerList").begin_array().end_array().key("topicConfigSerializeWrapper").begin_object();
  topics.w.key("dataVersion").begin_object().member("counter", version.counter).member("timestamp", version.timestamp_ms).end_object();
  topics.w.key("topicConfigTable").begin_object();
  tools_->broker->topic_list(tools_->host, TopicWriter::add, &topics);
  topics.w.end_object().end_object().end_object();
  body_topics_ = topics.count;
  body_version_ = version;
  body_perm_ = info.perm;
  return body_;
}

}  // namespace gantry::remoting
