#include "kernel/server.hpp"

#include "kernel/observe/log.hpp"
#include "kernel/observe/metrics.hpp"

#include <gantry/draft/filter.h>
#include <gantry/draft/protocol.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <thread>

namespace gantry {

namespace {

// How long a listener may take to be fully in service (a broker registers with its name servers) before the banner is printed anyway.
constexpr int kReadyTimeoutMs = 2'000;

io::TlsMode tls_mode(config::TlsMode mode) {
  switch (mode) {
    case config::TlsMode::kOff:
      return io::TlsMode::kOff;
    case config::TlsMode::kOptional:
      return io::TlsMode::kOptional;
    case config::TlsMode::kRequired:
      return io::TlsMode::kRequired;
  }
  return io::TlsMode::kOff;
}

std::string gib(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (1u << 30));
  return text;
}

broker::BrokerOptions broker_options(const config::Document &document) {
  const config::BrokerSettings &settings = document.broker();
  broker::BrokerOptions options;
  options.cluster = settings.cluster;
  options.name = settings.name;
  options.id = settings.id;
  options.auto_create_topics = settings.auto_create_topics;
  options.auto_create_groups = settings.auto_create_groups;
  options.default_topic_queues = settings.default_topic_queues;
  options.max_message_bytes = settings.max_message_bytes;
  options.default_durability = document.store().ack;
  options.delay_levels = settings.delay_levels;
  options.max_timer_delay_ms = settings.max_timer_delay_ms;
  options.transaction_timeout_ms = settings.transaction_timeout_ms;
  options.transaction_check_interval_ms = settings.transaction_check_interval_ms;
  options.transaction_check_max = settings.transaction_check_max;
  return options;
}

}  // namespace

Server::~Server() { stop(); }

Result<void> Server::start() {
  GANTRY_TRY(load_plugins());
  stopped_ = false;
  auto up = bring_up();
  if (!up) stop();
  return up;
}

Result<void> Server::bring_up() {
  if (document_.has_store()) {
    auto lock = DataDirLock::take(document_.broker().data_dir);
    if (!lock) return std::move(lock.error());
    lock_ = std::move(*lock);
  }

  io::IoOptions options;
  options.shard_count = document_.broker().shards;
  auto shards = io::ShardSet::create(options);
  if (!shards) return std::move(shards.error()).in("start shards");
  io_ = std::move(*shards);
  io_->add_services(tables_);
  tables_.add(GANTRY_LOG_ID, &log_table());
  tables_.add(GANTRY_METRICS_ID, &metrics_table());

  if (document_.has_auth()) GANTRY_TRY(make_auth());
  if (document_.has_store()) GANTRY_TRY(make_store_and_broker());
  GANTRY_TRY(make_protocols());
  GANTRY_TRY(listen());
  GANTRY_TRY(io_->start());
  wait_until_ready();
  return {};
}

// Loads what the file names and checks all its keys, so that every problem is reported in one go.
Result<void> Server::load_plugins() {
  Error why;
  if (document_.has_store()) {
    store_component_ = component_of(document_.store().plugin, GANTRY_STORE_ID, {}, &why);
    if (store_component_ != nullptr)
      store_config_ = document_.bind_store(*store_component_);
    else
      document_.report_store("plugin", why.text);
  }
  if (const std::string &plugin = document_.broker().allocator; document_.has_store() && !plugin.empty()) {
    const gantry_component *first = component_of(plugin, GANTRY_ALLOCATOR_ID, {}, &why);
    if (first == nullptr)
      document_.report_broker("allocator", why.text);
    else
      for (const gantry_component *component : (*plugins_.load(plugin))->components())
        if (std::string_view(component->interface_id) == GANTRY_ALLOCATOR_ID) allocator_components_.push_back(component);
  }
  for (std::size_t i = 0; document_.has_store() && i < document_.filters().size(); ++i) {
    const gantry_component *component = component_of(document_.filters()[i].plugin, GANTRY_FILTER_ID, {}, &why);
    if (component == nullptr) document_.report_filter(i, why.text);
    filter_components_.push_back(component);
    filter_configs_.push_back(component != nullptr ? document_.bind_filter(i, *component) : nullptr);
  }
  for (std::size_t i = 0; i < document_.protocols().size(); ++i) {
    const config::ProtocolSettings &settings = document_.protocols()[i];
    const gantry_component *component = component_of(settings.plugin, GANTRY_PROTOCOL_ID, settings.component, &why);
    protocol_components_.push_back(component);
    protocol_configs_.push_back(component != nullptr ? document_.bind_protocol(i, *component) : nullptr);
    if (component == nullptr) document_.report_protocol(i, why.code == GANTRY_E_NOT_FOUND && !settings.component.empty() ? "component" : "plugin", why.text);
  }
  if (document_.has_auth()) {
    auth_component_ = component_of(document_.auth().plugin, GANTRY_AUTH_ID, {}, &why);
    if (auth_component_ != nullptr)
      auth_config_ = document_.bind_auth(*auth_component_);
    else
      document_.report_auth("plugin", why.text);
  }
  document_.check_exposure();
  if (document_.ok()) return {};
  return Error{GANTRY_E_INVALID, config::render(document_.problems())};
}

const gantry_component *Server::component_of(const std::string &plugin, const char *interface_id, const std::string &name, Error *why) {
  auto library = plugins_.load(plugin);
  if (!library) {
    *why = std::move(library.error());
    return nullptr;
  }
  auto component = (*library)->component(interface_id, name);
  if (!component) {
    *why = std::move(component.error());
    return nullptr;
  }
  const plugin::Manifest &manifest = (*library)->manifest();
  const Used used{manifest.id, manifest.version, (*library)->file().path};
  const auto same = [&](const Used &u) { return u.path == used.path; };
  if (std::none_of(used_.begin(), used_.end(), same)) used_.push_back(used);
  return *component;
}

// Before everything that asks it, so that it stops after it.
Result<void> Server::make_auth() {
  const std::string &audit = document_.auth().audit;
  const auto level = audit == "off" ? security::AuditLevel::kOff : audit == "changes" ? security::AuditLevel::kChanges : security::AuditLevel::kRefusals;
  security_ = std::make_unique<security::Security>(document_.broker().cluster, level, io_->shard_count());
  security::Security::add_services(tables_);
  plugin::Instance &instance = instances_.add(*auth_component_, plugin::InstanceSetup{document_.auth().plugin, auth_config_, &tables_, io_.get(), nullptr, security_.get()});
  GANTRY_TRY(instance.create());
  GANTRY_TRY(instance.start());
  security_->use(instance.table<gantry_auth_v1>(), instance.self());
  return {};
}

// Before the store: what stops last may be asked until the store has answered its last read.
Result<void> Server::make_filters() {
  for (std::size_t i = 0; i < filter_components_.size(); ++i) {
    const gantry_component &component = *filter_components_[i];
    plugin::Instance &instance = instances_.add(component, plugin::InstanceSetup{document_.filters()[i].plugin, filter_configs_[i], &tables_, io_.get(), nullptr});
    GANTRY_TRY(instance.create());
    GANTRY_TRY(instance.start());
    filters_.push_back(&instance);
  }
  return {};
}

Result<void> Server::make_store_and_broker() {
  GANTRY_TRY(make_filters());
  const std::string &name = document_.store().plugin;
  store_ = &instances_.add(*store_component_, plugin::InstanceSetup{name, store_config_, &tables_, io_.get(), nullptr});
  GANTRY_TRY(store_->create());

  broker_host_.label = "broker";
  broker_host_.tables = &tables_;
  broker_host_.io = io_.get();
  metered_store_ = std::make_unique<broker::MeteredStore>(broker::StorePort{&store_->table<gantry_store_v1>(), store_->self()}, name, meters_, io_->shard_count());
  broker::BrokerOptions options = broker_options(document_);
  for (std::uint32_t i = 0; i < store_component_->n_keys; ++i)
    if (std::string_view(store_component_->keys[i].name) == "retention" && store_component_->keys[i].type == GANTRY_KEY_DURATION) options.retention_ms = store_config_->get_int(store_config_.get(), "retention");
  broker_ = std::make_unique<broker::Broker>(std::move(options), &broker_host_.abi, metered_store_->port(), static_cast<broker::EventSink &>(*this));
  broker_->core().meters = &meters_;
  for (plugin::Instance *filter : filters_) {
    const std::string &label = filter->label();
    GANTRY_TRY(broker_->core().filters.add(broker::FilterPort{label, &filter->table<gantry_filter_v1>(), filter->self(), &meters_.add(label, "filter", "compile", 1), &meters_.add(label, "filter", "eval", io_->shard_count())}));
  }
  broker::Broker::add_services(tables_);
  broker::Broker::add_usage_service(tables_);
  GANTRY_TRY(broker_->open(document_.broker().data_dir));
  // Retention begins with the store: it waits until those below have said what they need.
  broker::RetentionHold &hold = broker_->retention_hold();
  const std::size_t starting = hold.add();
  GANTRY_TRY(store_->start());
  broker_->start(io_->shard_count());
  delayed_ = std::make_unique<semantics::DelayedDelivery>(broker_->core(), broker_->relay(), hold);
  delayed_->start();
  timers_ = std::make_unique<semantics::Timers>(broker_->core(), broker_->relay(), hold);
  GANTRY_TRY(timers_->start());
  transactions_ = std::make_unique<semantics::Transactions>(broker_->core(), broker_->relay(), hold);
  GANTRY_TRY(transactions_->start());
  GANTRY_TRY(make_pop());
  hold.set(starting, INT64_MAX);
  return {};
}

Result<void> Server::make_pop() {
  std::vector<semantics::Allocator> allocators;
  for (const gantry_component *component : allocator_components_) {
    plugin::Instance &instance = instances_.add(*component, plugin::InstanceSetup{document_.broker().allocator + "/" + component->name, document_.bind_defaults(*component), &tables_, io_.get(), broker_.get()});
    GANTRY_TRY(instance.create());
    GANTRY_TRY(instance.start());
    allocators.push_back({component->name, &instance.table<gantry_allocator_v1>(), instance.self(), &meters_.add(instance.label(), "allocator", "assign", 1)});
  }
  assignment_ = std::make_unique<semantics::Assignment>(*broker_, std::move(allocators));
  assignment_->start();
  pop_ = std::make_unique<semantics::Pop>(*broker_);
  pop_->start(io_->shard_count());
  semantics::add_pop_services(tables_);
  return {};
}

Result<void> Server::make_protocols() {
  for (std::size_t i = 0; i < protocol_components_.size(); ++i) {
    const config::ProtocolSettings &settings = document_.protocols()[i];
    plugin::Instance &instance =
        instances_.add(*protocol_components_[i], plugin::InstanceSetup{settings.plugin + "/" + protocol_components_[i]->name, protocol_configs_[i], &tables_, io_.get(), broker_.get(), security_.get(), security_ != nullptr && !settings.open});
    instance.host().input_meter = &meters_.add(instance.label(), "protocol", "on_bytes", io_->shard_count());
    GANTRY_TRY(instance.create());
    protocols_.push_back(Protocol{&instance, settings.plugin, {}});
  }
  for (const Protocol &protocol : protocols_) GANTRY_TRY(protocol.instance->start());
  return {};
}

Result<void> Server::listen() {
  for (std::size_t i = 0; i < protocols_.size(); ++i) {
    const config::ProtocolSettings &settings = document_.protocols()[i];
    io::ListenOptions options;
    options.instance = &protocols_[i].instance->host();
    options.address = settings.listen;
    options.tls = io::TlsOptions{tls_mode(settings.tls), settings.tls_cert, settings.tls_key};
    options.max_connections = settings.max_connections;
    options.idle_timeout_ms = settings.idle_timeout_ms;
    auto bound = io_->listen(options);
    if (!bound) return std::move(bound.error()).in("[[protocol]] " + settings.name);
    protocols_[i].listener = std::move(*bound);
  }
  return {};
}

void Server::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReadyTimeoutMs);
  for (const Protocol &protocol : protocols_) {
    const auto ready = protocol.instance->component().ready;
    while (ready != nullptr && ready(protocol.instance->self()) == GANTRY_PENDING && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Server::stop() {
  if (stopped_) return;
  stopped_ = true;
  if (io_ != nullptr) {
    if (broker_ != nullptr) {
      // Parked pulls are answered before their connections are asked to leave. The shards may never have run.
      auto answered = std::make_shared<std::promise<void>>();
      struct Job {
        broker::Broker *broker;
        semantics::DelayedDelivery *delayed;
        semantics::Timers *timers;
        semantics::Transactions *transactions;
        semantics::Pop *pop;
        std::shared_ptr<std::promise<void>> answered;
      };
      auto job = std::make_unique<Job>(Job{broker_.get(), delayed_.get(), timers_.get(), transactions_.get(), pop_.get(), answered});
      const auto run = [](void *arg) noexcept {
        const std::unique_ptr<Job> owned(static_cast<Job *>(arg));
        if (owned->delayed != nullptr) owned->delayed->drain();
        if (owned->timers != nullptr) owned->timers->drain();
        if (owned->pop != nullptr) owned->pop->drain();
        if (owned->transactions != nullptr) owned->transactions->drain();
        owned->broker->drain();
        owned->answered->set_value();
      };
      const auto *exec = static_cast<const gantry_exec_v1 *>(tables_.find(GANTRY_EXEC_ID));
      if (exec->post(&broker_host_.abi, 0, run, job.get()) == GANTRY_OK) {
        (void)job.release();
        (void)answered->get_future().wait_for(std::chrono::seconds(2));
      }
    }
    io_->begin_drain(document_.broker().drain_timeout_ms);
    if (!io_->wait_drained()) log_warn("server", "some connections were still busy after ", document_.broker().drain_timeout_ms, " ms and were closed");
  }
  // Plugins stop while the shards still turn: a store reaps its last writes there.
  instances_.stop_all();
  if (io_ != nullptr) io_->stop();
  if (delayed_ != nullptr) delayed_->stop();
  if (timers_ != nullptr) timers_->stop();
  if (pop_ != nullptr) pop_->stop();
  if (assignment_ != nullptr) assignment_->stop();
  if (transactions_ != nullptr) transactions_->stop();
  if (broker_ != nullptr) broker_->stop();
  instances_.destroy_all();
  delayed_.reset();
  timers_.reset();
  pop_.reset();
  assignment_.reset();
  transactions_.reset();
  broker_.reset();
  io_.reset();
}

std::string Server::banner(const std::string &command, std::int64_t start_ms) const {
  const auto row = [](const std::string &name, const std::string &value) { return "  " + name + std::string(name.size() < 13 ? 13 - name.size() : 1, ' ') + value + "\n"; };
  std::string text = "Gantry " GANTRY_VERSION "\n\n";
  std::string nameserver;
  for (const Protocol &protocol : protocols_) {
    std::string where;
    for (const io::BoundPort &port : protocol.listener.ports) where += (where.empty() ? "" : ", ") + port.address;
    text += row(protocol.instance->component().name, where);
    if (std::string_view(protocol.instance->component().name) == "nameserver") nameserver = protocol.listener.ports.front().address;
  }
  if (broker_ != nullptr) {
    gantry_store_stats stats{};
    stats.size = sizeof stats;
    store_->table<gantry_store_v1>().stats(store_->self(), &stats);
    const config::BrokerSettings &settings = document_.broker();
    text += row("broker", settings.name + " of " + settings.cluster + ", " + std::to_string(io_->shard_count()) + " shard(s)");
    text += row("data", std::filesystem::absolute(settings.data_dir).lexically_normal().string());
    const std::string &ack = document_.store().ack_text;
    const char *promise = ack == "durable" ? "acknowledged messages survive kill -9 and power loss" : ack == "written" ? "acknowledged messages survive kill -9, not power loss" : "acknowledged messages live in memory only";
    text += row("ack", ack + ": " + promise);
    text += row("engine", stats.engine);
    if (stats.disk_bytes != 0) text += row("disk", gib(stats.free_bytes) + " of " + gib(stats.disk_bytes) + " free" + (stats.space != GANTRY_SPACE_FINE ? ": SHORT OF SPACE, see the log" : ""));
    if (stats.recovered_bytes_cut != 0) text += row("recovered", "cut " + std::to_string(stats.recovered_bytes_cut) + " bytes of a torn tail that was never acknowledged");
  }
  for (std::size_t i = 0; i < protocols_.size(); ++i)
    if (document_.protocols()[i].open) text += row(i == 0 || !document_.protocols()[i - 1].open ? "OPEN" : "", std::string(protocols_[i].instance->component().name) + ": auth = \"none\", whoever reaches it may do everything");
  for (const Used &used : used_) text += row(&used == &used_.front() ? "plugins" : "", used.id + " " + used.version + "  " + used.path);
  if (broker_ != nullptr && !nameserver.empty()) {
    const std::string where = nameserver == "127.0.0.1:9876" ? "" : " -n " + nameserver;
    text += "\n  First message:\n    " + command + " send" + where + " -t TopicTest 'Hello Gantry'\n    " + command + " consume" + where + " -t TopicTest --from first\n";
  }
  text += "\n  ready after " + std::to_string(start_ms) + " ms; Ctrl-C stops\n";
  return text;
}

}  // namespace gantry
