// The C tables of the broker: find the Broker behind the caller's host, pass on, nothing else.
#include "kernel/broker/broker.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {

Broker &of(const gantry_host *host) { return *static_cast<Broker *>(HostContext::of(host)->broker); }

const gantry_broker_v1 kBrokerTable = {
    .info =
        [](const gantry_host *host, gantry_broker_info *out) noexcept {
          const BrokerOptions &options = of(host).core().options;
          *out = gantry_broker_info{sizeof *out,
                                    0,
                                    str(options.cluster),
                                    str(options.name),
                                    options.id,
                                    options.max_message_bytes,
                                    GANTRY_PERM_READ | GANTRY_PERM_WRITE,
                                    options.default_durability,
                                    0};
        },
    .set_store_host =
        [](const gantry_host *host, const std::uint8_t *ip, std::uint32_t ip_bytes, std::uint32_t port) noexcept {
          HostAddress address;
          address.ip_bytes = ip_bytes == 16 ? 16 : 4;
          std::memcpy(address.ip, ip, address.ip_bytes);
          address.port = port;
          of(host).core().store_host = address;
        },
    .topic_find = [](const gantry_host *host, gantry_str name, gantry_topic_info *out) noexcept { return of(host).topic_find(view(name), out); },
    .topic_ensure =
        [](const gantry_host *host, gantry_str name, gantry_str default_topic, std::int32_t queues, std::uint32_t sys_flag, gantry_topic_info *out, gantry_error *err) noexcept {
          return of(host).topic_ensure(view(name), view(default_topic), queues, sys_flag, out, err);
        },
    .topic_upsert = [](const gantry_host *host, const gantry_topic_info *info, gantry_error *err) noexcept { return of(host).topic_upsert(*info, err); },
    .topic_list = [](const gantry_host *host, gantry_topic_fn fn, void *arg) noexcept { of(host).topic_list(fn, arg); },
    .topics_version = [](const gantry_host *host, gantry_topics_version *out) noexcept { *out = of(host).topics_version(); },
    .group_find = [](const gantry_host *host, gantry_str name, std::uint32_t create) noexcept { return of(host).group_find(view(name), create != 0); },
    .group_name = [](const gantry_host *host, gantry_group group) noexcept { return str(of(host).group_name(group)); },
    .produce = [](const gantry_host *host, const gantry_produce *reqs, std::uint32_t n, gantry_cq cq) noexcept { return of(host).producer().produce(reqs, n, cq); },
    .fetch = [](const gantry_host *host, const gantry_fetch *reqs, std::uint32_t n, gantry_cq cq) noexcept { return of(host).fetcher().fetch(reqs, n, cq); },
    .offset_commit =
        [](const gantry_host *host, gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::int64_t offset, std::uint64_t user_data, gantry_cq cq) noexcept {
          return of(host).offset_commit(group, topic, queue_no, offset, user_data, cq);
        },
    .offset_query = [](const gantry_host *host, gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::uint32_t flags,
                       std::int64_t *out) noexcept { return of(host).offset_query(group, topic, queue_no, flags, out); },
    .queue_stat = [](const gantry_host *host, gantry_topic topic, std::uint32_t queue_no, gantry_queue_stat *out) noexcept { return of(host).queue_stat(topic, queue_no, out); },
    .seek_time = [](const gantry_host *host, gantry_topic topic, std::uint32_t queue_no, std::int64_t ms, std::uint64_t user_data,
                    gantry_cq cq) noexcept { return of(host).seek_time(topic, queue_no, ms, user_data, cq); },
    .message_at = [](const gantry_host *host, std::int64_t phys_pos, std::uint64_t user_data, gantry_cq cq) noexcept { return of(host).fetcher().message_at(phys_pos, user_data, cq); },
    .queue_lock =
        [](const gantry_host *host, gantry_str group, gantry_str client_id, gantry_lock_item *items, std::uint32_t n) noexcept {
          of(host).queue_lock(view(group), view(client_id), items, n);
          return GANTRY_OK;
        },
    .queue_unlock =
        [](const gantry_host *host, gantry_str group, gantry_str client_id, const gantry_lock_item *items, std::uint32_t n) noexcept {
          of(host).queue_unlock(view(group), view(client_id), items, n);
          return GANTRY_OK;
        },
    .offset_list = [](const gantry_host *host, gantry_group group, gantry_topic topic, gantry_committed_fn fn, void *arg) noexcept { of(host).offset_list(group, topic, fn, arg); },
    .message_query = [](const gantry_host *host, const gantry_message_query *query, gantry_cq cq) noexcept { return of(host).key_lookup().query(*query, cq); },
    .send_back = [](const gantry_host *host, const gantry_send_back *req, gantry_cq cq) noexcept { return of(host).redelivery().send_back(*req, cq); },
    .recall =
        [](const gantry_host *host, const gantry_recall *req, gantry_cq cq) noexcept {
          broker::Recaller *const recaller = of(host).core().recaller;
          return recaller != nullptr ? recaller->recall(*req, cq) : GANTRY_E_UNSUPPORTED;
        },
    .end_transaction =
        [](const gantry_host *host, const gantry_end_transaction *req, gantry_cq cq) noexcept {
          broker::TransactionEnder *const ender = of(host).core().transaction_ender;
          return ender != nullptr ? ender->end_transaction(*req, cq) : GANTRY_E_UNSUPPORTED;
        },
};

const gantry_session_v1 kSessionTable = {
    .heartbeat = [](const gantry_host *host, const gantry_heartbeat *hb, gantry_error *err) noexcept { return of(host).heartbeat(*hb, err); },
    .unregister = [](const gantry_host *host, gantry_conn conn, gantry_str, gantry_str producer_group,
                     gantry_str consumer_group) noexcept { of(host).unregister(conn, view(producer_group), view(consumer_group)); },
    .conn_closed = [](const gantry_host *host, gantry_conn conn) noexcept { of(host).conn_closed(conn); },
    .consumers = [](const gantry_host *host, gantry_str group, gantry_client_fn fn, void *arg) noexcept { return of(host).consumers(view(group), fn, arg); },
    .consumer_group = [](const gantry_host *host, gantry_str group, gantry_consumer_fn about, gantry_member_fn each,
                         void *arg) noexcept { return of(host).consumer_group(view(group), about, each, arg); },
    .producer_group = [](const gantry_host *host, gantry_str group, gantry_member_fn fn, void *arg) noexcept { return of(host).producer_group(view(group), fn, arg); },
    .check_filter = [](const gantry_host *host, gantry_str expr_type, gantry_str expr, gantry_error *err) noexcept { return of(host).check_filter(view(expr_type), view(expr), err); },
};

const gantry_admin_v1 kAdminTable = {
    .settle = [](const gantry_host *host, std::uint64_t user_data, gantry_cq cq) noexcept { return of(host).admin().settle(user_data, cq); },
    .topic_delete = [](const gantry_host *host, gantry_str name, std::uint64_t user_data, gantry_cq cq,
                       gantry_error *err) noexcept { return of(host).admin().topic_delete(view(name), user_data, cq, err); },
    .group_settings = [](const gantry_host *host, gantry_str name, gantry_group_settings *out) noexcept { return of(host).admin().group_settings(view(name), out); },
    .group_upsert = [](const gantry_host *host, const gantry_group_settings *settings, std::uint64_t user_data, gantry_cq cq,
                       gantry_error *err) noexcept { return of(host).admin().group_upsert(*settings, user_data, cq, err); },
    .group_delete = [](const gantry_host *host, gantry_str name, std::uint32_t drop_offsets, std::uint64_t user_data, gantry_cq cq,
                       gantry_error *err) noexcept { return of(host).admin().group_delete(view(name), drop_offsets != 0, user_data, cq, err); },
    .group_list = [](const gantry_host *host, gantry_group_fn fn, void *arg) noexcept { of(host).admin().group_list(fn, arg); },
    .groups_version = [](const gantry_host *host, gantry_topics_version *out) noexcept { *out = of(host).admin().groups_version(); },
    .queue_read = [](const gantry_host *host, const gantry_queue_read *req, gantry_cq cq) noexcept { return of(host).admin().queue_read(*req, cq); },
    .stat = [](const gantry_host *host, std::uint32_t kind, gantry_str topic, gantry_str group, gantry_stat *out) noexcept { return of(host).admin().stat(kind, view(topic), view(group), out); },
    .runtime = [](const gantry_host *host, gantry_broker_runtime *out) noexcept { of(host).admin().runtime(out); },
    .settings = [](const gantry_host *host, gantry_broker_settings *out) noexcept { of(host).admin().settings(out); },
    .refusal = [](const gantry_host *host, char *out, std::uint32_t bytes) noexcept { return of(host).admin().refusal(out, bytes); },
};

}  // namespace

void Broker::add_services(ServiceTables &tables) {
  tables.add(GANTRY_BROKER_ID, &kBrokerTable);
  tables.add(GANTRY_SESSION_ID, &kSessionTable);
  tables.add(GANTRY_ADMIN_ID, &kAdminTable);
}

}  // namespace gantry::broker
