#include "nameserver/component.hpp"

#include "nameserver/instance.hpp"
#include "nameserver/limits.hpp"

#include <gantry++/result.hpp>

#include <new>

namespace gantry::remoting {

namespace {

using nameserver::Connection;
using nameserver::Instance;

constexpr std::uint32_t kDefaultPort = 9876;

Instance &instance_of(void *self) { return *static_cast<Instance *>(self); }

const gantry_config_key kKeys[] = {
    {"order_message_enable", GANTRY_KEY_BOOL, 0, "false", 0, 0, nullptr,
     "show the ordered-topic settings (namespace ORDER_TOPIC_CONFIG) in routes; RocketMQ's orderMessageEnable"},
    {"broker_timeout", GANTRY_KEY_DURATION, 0, "120s", nameserver::kMinTimeoutMs, nameserver::kMaxTimeoutMs, nullptr,
     "a broker that does not register for this long leaves the routes; 5.x brokers may ask for another time"},
    {"data_dir", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr,
     "folder below which nameserver/kvConfig.json keeps keys and values; that of [broker] when the process has a store or the file names one, else they are forgotten by a restart"},
};

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  nameserver::ServiceOptions options;
  options.order_message_enable = config->get_int(config, "order_message_enable") != 0;
  options.timeout_ms = config->get_int(config, "broker_timeout");
  auto instance = std::make_unique<Instance>(host, options);
  if (const char *missing = instance->missing_table(); *missing != '\0') {
    return report(Error{GANTRY_E_UNSUPPORTED, std::string("nameserver: this kernel lacks the table ") + missing + "; use a newer kernel"}, err);
  }
  const gantry_str folder = config->get_text(config, "data_dir");
  if (folder.n != 0) instance->keep_kv(std::string(folder.p, folder.n) + "/nameserver");
  *self = instance.release();
  return GANTRY_OK;
}

std::int32_t start(void *self, gantry_error *) noexcept {
  instance_of(self).start();
  return GANTRY_OK;
}

void stop(void *self) noexcept { instance_of(self).stop(); }

void destroy(void *self) noexcept { delete static_cast<Instance *>(self); }

void describe(void *, gantry_protocol_description *out) noexcept {
  *out = gantry_protocol_description{};
  out->size = sizeof *out;
  out->default_port = kDefaultPort;
  out->max_input_bytes = kFrameMaxBytes;
}

std::int32_t conn_open(void *self, gantry_conn conn, const gantry_conn_info *info, void **state) noexcept {
  *state = instance_of(self).conn_open(conn, *info);
  return GANTRY_OK;
}

std::int32_t on_bytes(void *self, void *state, const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed,
                      std::uint32_t *need) noexcept {
  return instance_of(self).on_bytes(*static_cast<Connection *>(state), data, n, consumed, need);
}

void conn_close(void *self, void *state, std::int32_t) noexcept { instance_of(self).conn_close(static_cast<Connection *>(state)); }

// Every request is answered within its callback, so there is nothing to finish.
void conn_drain(void *, void *) noexcept {}

void connect_failed(void *, std::uint32_t, std::uint64_t, const gantry_error *) noexcept {}

void on_events(void *, std::uint32_t, const gantry_event *, std::uint32_t) noexcept {}

const gantry_protocol_v1 kProtocol{describe, conn_open, on_bytes, conn_close, conn_drain, connect_failed, on_events};

}  // namespace

const gantry_component kNameserverComponent = {
    sizeof(gantry_component), 0, GANTRY_PROTOCOL_ID, "nameserver", "RocketMQ's name server: tells clients which brokers serve a topic",
    &kProtocol, kKeys, std::size(kKeys), 0, create, start, stop, destroy, nullptr};

}  // namespace gantry::remoting
