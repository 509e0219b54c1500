// The net table: checks who calls for which connection, then works on the shard.
#include <gantry++/str.hpp>
#include <string>

#include "kernel/io/connect.hpp"
#include "kernel/io/service_tables.hpp"
#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/shard_set.hpp"
#include "kernel/io/tls.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {

struct Found {
  Shard *shard = nullptr;
  Connection *conn = nullptr;
  std::int32_t code = GANTRY_OK;
};

// The connection, when this is its shard's thread and it belongs to the calling instance.
Found find(const gantry_host *host, gantry_conn id) {
  Shard *shard = Shard::current();
  auto *set = static_cast<ShardSet *>(HostContext::of(host)->io);
  if (shard == nullptr || &shard->set != &set->inner() || shard->index != shard_of(id)) return {nullptr, nullptr, GANTRY_E_INVALID};
  Connection *conn = shard->find(id);
  if (conn == nullptr) return {shard, nullptr, GANTRY_E_CLOSED};
  if (conn->origin->instance->host != HostContext::of(host)) return {shard, nullptr, GANTRY_E_INVALID};
  return {shard, conn, GANTRY_OK};
}

std::int32_t send(const gantry_host *host, gantry_conn id, const gantry_span *spans, std::uint32_t n) noexcept {
  const Found found = find(host, id);
  return found.conn == nullptr ? found.code : found.shard->send(*found.conn, spans, n);
}

std::uint8_t *reserve(const gantry_host *host, gantry_conn id, std::uint32_t n) noexcept {
  const Found found = find(host, id);
  return found.conn == nullptr ? nullptr : found.shard->reserve(*found.conn, n);
}

void commit(const gantry_host *host, gantry_conn id, std::uint32_t n) noexcept {
  const Found found = find(host, id);
  if (found.conn != nullptr) found.shard->commit(*found.conn, n);
}

void close(const gantry_host *host, gantry_conn id, std::uint32_t how, const char *reason) noexcept {
  const Found found = find(host, id);
  if (found.conn == nullptr) return;
  const std::string_view text = reason == nullptr ? "by the protocol" : reason;
  if (how == GANTRY_CLOSE_AFTER_FLUSH)
    found.shard->close_after_flush(*found.conn, text);
  else
    found.shard->close(*found.conn, CloseCause::kProtocol, GANTRY_E_CLOSED, text);
}

void start_dial(void *arg) noexcept {
  std::unique_ptr<Dial> dial(static_cast<Dial *>(arg));
  dial->shard->dial(std::move(dial));
}

void hand_to_shard(std::unique_ptr<Dial> dial) {
  // Refused only after the shards stopped, when nobody waits for connect_failed any more.
  if (dial->shard->post({&start_dial, dial.get()})) (void)dial.release();
}

void look_up(void *arg) noexcept {
  std::unique_ptr<Dial> dial(static_cast<Dial *>(arg));
  auto found = resolve(dial->host, dial->port);
  if (found)
    dial->addresses = std::move(*found);
  else
    dial->failure = found.error().text;
  hand_to_shard(std::move(dial));
}

// With a CA file it was made with the set; without, no process that only listens should pay for it.
Result<void> need_client_tls(ShardSetInner &set) {
  const std::lock_guard lock(set.instances_mutex);
  if (set.outbound_tls != nullptr) return {};
  auto made = TlsContext::client({});
  if (!made) return std::move(made.error());
  set.outbound_tls = std::move(*made);
  return {};
}

std::int32_t connect(const gantry_host *host, std::uint32_t index, gantry_str address, std::uint32_t tls, std::uint64_t user_data) noexcept {
  HostContext &context = *HostContext::of(host);
  ShardSetInner &set = static_cast<ShardSet *>(context.io)->inner();
  auto where = parse_host_port(view(address), -1);
  Shard *shard = set.shard(index);
  Origin *origin = set.outbound_origin_of(context);
  if (!where || where->host.empty() || where->port == 0 || shard == nullptr || origin == nullptr) {
    log_error("io", context.label, ": connect to \"", view(address), "\": ", where ? "address, shard or component is wrong" : where.error().text);
    return GANTRY_E_INVALID;
  }
  if (set.closing.load()) return GANTRY_E_CLOSED;
  if (tls != 0) {
    if (auto ready = need_client_tls(set); !ready) {
      log_error("io", context.label, ": ", ready.error().text);
      return GANTRY_E_CONFIG;
    }
  }
  auto dial = std::make_unique<Dial>();
  dial->shard = shard;
  dial->origin = origin;
  dial->host = where->host;
  dial->port = where->port;
  dial->tls = tls != 0;
  dial->user_data = user_data;
  if (const SocketAddress numeric = numeric_address(where->host, where->port); numeric.bytes != 0) {
    dial->addresses.push_back(numeric);
    if (!shard->post({&start_dial, dial.get()})) return GANTRY_E_CLOSED;
    (void)dial.release();
    return GANTRY_OK;
  }
  const std::int32_t code = set.pool.run(&look_up, dial.get());
  if (code == GANTRY_OK) (void)dial.release();
  return code;
}

}  // namespace

const gantry_net_v1 &net_table() {
  static constexpr gantry_net_v1 table{send, reserve, commit, close, connect};
  return table;
}

}  // namespace gantry::io
