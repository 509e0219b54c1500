#include "remoting/component.hpp"

#include "registration/on_shard.hpp"
#include "registration/registrar.hpp"
#include "remoting/shard.hpp"

#include <gantry++/str.hpp>

#include <optional>

namespace gantry::remoting {

namespace {

constexpr std::size_t kRegionMaxBytes = 200;  // with the other mark below GANTRY_LEAD_PROPS_BYTES

struct Instance {
  Services services;
  RegistrarOptions registration;
  std::string region;
  bool trace_on = true, mark_all = false;
  // From start to destroy:
  std::optional<Settings> settings;
  std::atomic<std::uint64_t> topics_generation{1};
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<ClientCalls *> calls;  // of the shards
  std::unique_ptr<Registrar> registrar;
};

Instance &instance(void *self) { return *static_cast<Instance *>(self); }
Connection &connection(void *state) { return *static_cast<Connection *>(state); }

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  Result<Services> services = Services::of(host);
  if (!services) return report(services.error(), err);
  auto made = std::make_unique<Instance>();
  made->services = *services;
  made->region = view(config->get_text(config, "region"));
  if (made->region.size() > kRegionMaxBytes || made->region.find_first_of("\x01\x02") != std::string::npos)
    return report(Error{GANTRY_E_CONFIG, "region is " + std::to_string(made->region.size()) + " bytes or has control characters; choose a name of up to " + std::to_string(kRegionMaxBytes) + " bytes"}, err);
  made->trace_on = config->get_int(config, "trace_on") != 0;
  made->mark_all = config->get_int(config, "mark_messages_of_4x") != 0;
  made->registration.advertise = view(config->get_text(config, "advertise"));
  if (made->registration.advertise.empty()) made->registration.advertise = advertised_for(view(config->get_text(config, "listen")));
  made->registration.period_ms = config->get_int(config, "register_period");
  for (std::uint32_t i = 0, n = config->list_size(config, "nameservers"); i < n; ++i)
    made->registration.nameservers.emplace_back(view(config->list_at(config, "nameservers", i)));
  *self = made.release();
  return GANTRY_OK;
}

Result<void> start_parts(Instance &in) {
  const Services &s = in.services;
  Result<StoreHost> store_host = resolve_advertised(in.registration.advertise);
  if (!store_host) return std::move(store_host.error());
  gantry_broker_info info{};
  info.size = sizeof info;
  s.broker->info(s.host, &info);
  s.broker->set_store_host(s.host, store_host->ip, store_host->ip_bytes, store_host->port);
  in.settings.emplace(*store_host, in.region, in.trace_on, in.mark_all, info);
  const std::uint32_t shards = s.exec->shard_count(s.host);
  for (std::uint32_t i = 0; i < shards; ++i) {
    in.shards.push_back(std::make_unique<Shard>(s, *in.settings, in.topics_generation, i));
    if (const std::int32_t status = in.shards.back()->start(); status != GANTRY_OK)
      return Error{status, "component remoting: no completion queue on shard " + std::to_string(i)};
  }
  for (const auto &shard : in.shards) in.calls.push_back(&shard->calls());
  for (ClientCalls *calls : in.calls) calls->meet(&in.calls);
  // Registrations carry an address for replicas; RocketMQ's habit is the next port.
  const std::string &advertise = in.registration.advertise;
  in.registration.ha_advertise = advertise.substr(0, advertise.rfind(':') + 1) + std::to_string(store_host->port % 65535 + 1);
  in.registrar = std::make_unique<Registrar>(s.host, in.registration);
  for (const auto &shard : in.shards) shard->use_routes(in.registrar->routes());
  return in.registrar->start();
}

void stop(void *self) noexcept {
  Instance &in = instance(self);
  if (in.registrar != nullptr) in.registrar->stop();
  for (std::uint32_t i = 0; i < in.shards.size(); ++i) {
    Shard &shard = *in.shards[i];
    // A queue is closed on its own shard; when the shards have stopped already, anywhere.
    if (!run_on_shard(in.services.host, in.services.exec, i, [&shard] { shard.stop(); })) shard.stop();
  }
  // What a shard posted to another one before it stopped has run when this one has.
  for (std::uint32_t i = 0; i < in.shards.size(); ++i) (void)run_on_shard(in.services.host, in.services.exec, i, [] {});
}

std::int32_t start(void *self, gantry_error *err) noexcept {
  const Result<void> started = start_parts(instance(self));
  if (started) return GANTRY_OK;
  stop(self);
  return report(started.error(), err);
}

void destroy(void *self) noexcept { delete &instance(self); }

std::int32_t ready(void *self) noexcept {
  return instance(self).registrar->registered_everywhere() ? GANTRY_OK : GANTRY_PENDING;
}

void describe(void *, gantry_protocol_description *out) noexcept {
  *out = gantry_protocol_description{};
  out->size = sizeof *out;
  out->default_port = 10911;
  out->max_input_bytes = kFrameMaxBytes;
  out->n_extra_ports = 1;
  out->extra_port_offsets[0] = -2;
}

std::int32_t conn_open(void *self, gantry_conn conn, const gantry_conn_info *info, void **state) noexcept {
  Instance &in = instance(self);
  NameServerLink *link = nullptr;
  if ((info->flags & GANTRY_CONN_OUTBOUND) != 0) {
    if (in.registrar->owns(info->user_data)) link = in.registrar->conn_open(conn, info);
    if (link == nullptr) return GANTRY_E_CLOSED;
  }
  Connection *made = in.shards[info->shard]->open(conn, *info);
  made->link = link;
  *state = made;
  return GANTRY_OK;
}

std::int32_t on_bytes(void *self, void *state, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed, std::uint32_t *need) noexcept {
  Connection &conn = connection(state);
  if (conn.link != nullptr) return conn.link->on_bytes(data, n, consumed, need);
  return instance(self).shards[conn.shard]->on_bytes(conn, data, n, consumed, need);
}

void conn_close(void *self, void *state, std::int32_t reason) noexcept {
  Connection &conn = connection(state);
  if (conn.link != nullptr) conn.link->on_close(reason);
  instance(self).shards[conn.shard]->close(conn);
}

// A client needs no goodbye; replies that are still due go out before the kernel closes the connection.
void conn_drain(void *, void *state) noexcept {
  if (connection(state).link != nullptr) connection(state).link->on_drain();
}

void connect_failed(void *self, std::uint32_t, std::uint64_t user_data, const gantry_error *err) noexcept {
  Instance &in = instance(self);
  if (in.registrar->owns(user_data)) in.registrar->connect_failed(user_data, err);
}

void on_events(void *self, std::uint32_t shard, const gantry_event *events, std::uint32_t n) noexcept {
  Instance &in = instance(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (events[i].kind == GANTRY_EVENT_CONSUMERS_CHANGED) {
      in.shards[shard]->notify_consumers_changed(events[i].conn, view(in.services.broker->group_name(in.services.host, events[i].subject)));
    } else if (events[i].kind == GANTRY_EVENT_CHECK_TRANSACTION) {
      in.shards[shard]->check_transaction(events[i]);
    } else if (events[i].kind == GANTRY_EVENT_TOPICS_CHANGED) {
      in.topics_generation.fetch_add(1, std::memory_order_acq_rel);
      in.registrar->topics_changed();
    }
  }
  in.shards[shard]->flush_output();
}

constexpr gantry_protocol_v1 kTable = {describe, conn_open, on_bytes, conn_close, conn_drain, connect_failed, on_events};

constexpr gantry_config_key kKeys[] = {
    {"advertise", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr,
     "address that clients are told to connect to, and that stands in message ids: \"host:port\"; without it the listen address, or this "
     "machine's first address"},
    {"listen", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr, "the kernel's key, read to derive advertise"},
    {"nameservers", GANTRY_KEY_LIST, 0, nullptr, 0, 0, nullptr, "name servers to register at, each \"host:port\"; empty: none"},
    {"register_period", GANTRY_KEY_DURATION, 0, "30s", 10'000, 60'000, nullptr, "time between registrations when no topic changed"},
    {"region", GANTRY_KEY_STRING, 0, "DefaultRegion", 0, 0, nullptr, "region told to producers and stored with messages of 5.x clients, for message traces; up to 200 bytes"},
    {"trace_on", GANTRY_KEY_BOOL, 0, "true", 0, 0, nullptr, "whether clients may trace messages of this broker"},
    {"mark_messages_of_4x", GANTRY_KEY_BOOL, 0, "false", 0, 0, nullptr,
     "give messages of clients before 5.0 the properties MSG_REGION and TRACE_ON too (some 40 bytes each): 5.x consumers trace no others"},
};

}  // namespace

const gantry_component kRemotingComponent = {
    .size = sizeof(gantry_component),
    .flags = 0,
    .interface_id = GANTRY_PROTOCOL_ID,
    .name = "remoting",
    .doc = "RocketMQ remoting protocol of a broker",
    .vtable = &kTable,
    .keys = kKeys,
    .n_keys = sizeof kKeys / sizeof kKeys[0],
    .pad = 0,
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .ready = ready,
};

}  // namespace gantry::remoting
