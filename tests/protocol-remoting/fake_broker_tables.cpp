// The C side of FakeBroker.
#include "fake_broker.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting::test {

struct FakeBrokerTables {
  static FakeBroker &fake() { return *FakeBroker::current_; }
  static std::string text(gantry_str s) { return std::string(view(s)); }
  static std::string key(const std::string &group, const std::string &topic, std::uint32_t queue_no) {
    return group + "@" + topic + "@" + std::to_string(queue_no);
  }

  static void info(const gantry_host *, gantry_broker_info *out) noexcept {
    *out = gantry_broker_info{};
    out->size = sizeof *out;
    out->cluster = str("DefaultCluster");
    out->name = str("broker-a");
    out->max_message_bytes = fake().max_message_bytes;
    out->perm = fake().perm;
    out->default_durability = fake().default_durability;
  }
  static void set_store_host(const gantry_host *, const std::uint8_t *ip, std::uint32_t ip_bytes, std::uint32_t port) noexcept {
    std::string out;
    for (std::uint32_t i = 0; i < ip_bytes; ++i) out += std::to_string(ip[i]) + ".";
    fake().store_host = out + ":" + std::to_string(port);
  }
  static std::int32_t topic_find(const gantry_host *, gantry_str name, gantry_topic_info *out) noexcept {
    ++fake().topic_finds;
    return fake().describe(text(name), out) ? GANTRY_OK : GANTRY_E_NOT_FOUND;
  }
  static std::int32_t topic_ensure(const gantry_host *, gantry_str name, gantry_str default_topic, std::int32_t queues, std::uint32_t,
                                   gantry_topic_info *out, gantry_error *err) noexcept {
    const std::string topic = text(name);
    if (topic.find(' ') != std::string::npos) return report(Error{GANTRY_E_INVALID, "illegal topic name"}, err);
    if (!fake().auto_create_topics) return report(Error{GANTRY_E_NOT_FOUND, "topic[" + topic + "] not exist, default " + text(default_topic)}, err);
    fake().topics[topic] = {0, 6, static_cast<std::uint32_t>(queues), static_cast<std::uint32_t>(queues), {}};
    return fake().describe(topic, out) ? GANTRY_OK : GANTRY_E_INTERNAL;
  }
  static std::int32_t topic_upsert(const gantry_host *, const gantry_topic_info *made, gantry_error *err) noexcept {
    if (fake().upsert_status < 0) return report(Error{fake().upsert_status, "not this topic"}, err);
    fake().upserts.push_back(*made);
    fake().attribute_changes.push_back(text(made->attributes));
    fake().topics[text(made->name)] = {made->flags, made->perm, made->read_queues, made->write_queues, {}};
    return GANTRY_OK;
  }
  static void topic_list(const gantry_host *, gantry_topic_fn fn, void *arg) noexcept {
    for (const auto &[name, topic] : fake().topics) {
      gantry_topic_info out;
      if (fake().describe(name, &out)) fn(arg, &out);
    }
  }
  static void topics_version(const gantry_host *, gantry_topics_version *out) noexcept { *out = {1, 1}; }
  static gantry_group group_find(const gantry_host *, gantry_str name, std::uint32_t create) noexcept {
    const auto at = std::find(fake().group_names_.begin(), fake().group_names_.end(), text(name));
    if (at == fake().group_names_.end() && (create == 0 || !fake().auto_create_groups)) return 0;
    return fake().group_handle(text(name));
  }
  static gantry_str group_name(const gantry_host *, gantry_group group) noexcept { return str(fake().group_names_.at(group - 1)); }

  static std::int32_t produce(const gantry_host *, const gantry_produce *reqs, std::uint32_t n, gantry_cq cq) noexcept {
    ++fake().produce_calls;
    if (fake().produce_refusal != 0) return fake().produce_refusal;
    const std::uint32_t taken = std::min(n, fake().produce_credit);
    for (std::uint32_t i = 0; i < taken; ++i)
      fake().produced.push_back({reqs[i], fake().name_of(reqs[i].topic), std::string(view(reqs[i].body)), std::string(view(reqs[i].props)), std::string(view(reqs[i].lead_props)), cq});
    fake().produce_credit -= fake().produce_credit == UINT32_MAX ? 0 : taken;
    return taken == 0 ? GANTRY_E_AGAIN : static_cast<std::int32_t>(taken);
  }
  static std::int32_t fetch(const gantry_host *, const gantry_fetch *reqs, std::uint32_t n, gantry_cq cq) noexcept {
    ++fake().fetch_calls;
    if (fake().fetch_refusal != 0) return fake().fetch_refusal;
    const std::uint32_t taken = std::min(n, fake().fetch_credit);
    for (std::uint32_t i = 0; i < taken; ++i)
      fake().fetched.push_back({reqs[i], fake().group_names_.at(reqs[i].group - 1), fake().name_of(reqs[i].topic), text(reqs[i].expr),
                                text(reqs[i].expr_type), cq});
    fake().fetch_credit -= fake().fetch_credit == UINT32_MAX ? 0 : taken;
    return taken == 0 ? GANTRY_E_AGAIN : static_cast<std::int32_t>(taken);
  }
  static std::int32_t offset_commit(const gantry_host *, gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::int64_t offset,
                                    std::uint64_t user_data, gantry_cq cq) noexcept {
    if (offset < 0) return GANTRY_E_INVALID;
    if (cq != 0) fake().commits_waited_for.push_back({user_data, cq, offset});
    fake().commits.push_back({fake().group_names_.at(group - 1), fake().name_of(topic), queue_no, offset});
    return GANTRY_OK;
  }
  static std::int32_t offset_query(const gantry_host *, gantry_group group, gantry_topic topic, std::uint32_t queue_no, std::uint32_t flags,
                                   std::int64_t *out) noexcept {
    const auto it = fake().offsets.find(key(fake().group_names_.at(group - 1), fake().name_of(topic), queue_no));
    if (it == fake().offsets.end() || ((flags & GANTRY_OFFSET_EXACT) != 0 && it->second == 0)) return GANTRY_E_NOT_FOUND;
    *out = it->second;
    return GANTRY_OK;
  }
  static std::int32_t queue_stat(const gantry_host *, gantry_topic topic, std::uint32_t queue_no, gantry_queue_stat *out) noexcept {
    *out = gantry_queue_stat{};
    const auto &queues = fake().stats[fake().name_of(topic)];
    const auto it = queues.find(queue_no);
    if (it == queues.end()) return GANTRY_E_NOT_FOUND;
    *out = it->second;
    return GANTRY_OK;
  }
  static std::int32_t seek_time(const gantry_host *, gantry_topic topic, std::uint32_t queue_no, std::int64_t ms, std::uint64_t user_data,
                                gantry_cq cq) noexcept {
    if (!fake().stats[fake().name_of(topic)].contains(queue_no)) return GANTRY_E_NOT_FOUND;
    fake().seeks.push_back({user_data, cq, ms});
    return GANTRY_OK;
  }
  static std::int32_t message_at(const gantry_host *, std::int64_t position, std::uint64_t user_data, gantry_cq cq) noexcept {
    if (position < 0) return GANTRY_E_NOT_FOUND;
    fake().views.push_back({user_data, cq, position});
    return GANTRY_OK;
  }
  static std::int32_t send_back(const gantry_host *, const gantry_send_back *req, gantry_cq cq) noexcept {
    fake().given_back.push_back({*req, cq});
    return GANTRY_OK;
  }
  static std::int32_t recall(const gantry_host *, const gantry_recall *req, gantry_cq cq) noexcept {
    fake().recalled.push_back({*req, std::string(text(req->topic)), std::string(text(req->uniq_key)), cq});
    return GANTRY_OK;
  }
  static std::int32_t end_transaction(const gantry_host *, const gantry_end_transaction *req, gantry_cq cq) noexcept {
    fake().ended.push_back({*req, std::string(text(req->group)), cq});
    return GANTRY_OK;
  }
  static std::int32_t queue_lock(const gantry_host *, gantry_str group, gantry_str client_id, gantry_lock_item *items, std::uint32_t n) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto [it, made] = fake().locks.try_emplace(key(text(group), text(items[i].topic), items[i].queue_no), text(client_id));
      items[i].held = it->second == text(client_id) ? 1 : 0;
    }
    return GANTRY_OK;
  }
  static std::int32_t queue_unlock(const gantry_host *, gantry_str group, gantry_str client_id, const gantry_lock_item *items,
                                   std::uint32_t n) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto it = fake().locks.find(key(text(group), text(items[i].topic), items[i].queue_no));
      if (it != fake().locks.end() && it->second == text(client_id)) fake().locks.erase(it);
    }
    return GANTRY_OK;
  }

  static std::int32_t heartbeat(const gantry_host *, const gantry_heartbeat *hb, gantry_error *err) noexcept {
    if (fake().heartbeat_status < 0) return report(Error{fake().heartbeat_status, "not this client"}, err);
    FakeBroker::Heartbeat out{hb->conn, text(hb->client_id), text(hb->peer), hb->language, hb->version, {}, {}};
    for (std::uint32_t i = 0; i < hb->n_producer_groups; ++i) out.producers.push_back(text(hb->producer_groups[i]));
    for (std::uint32_t i = 0; i < hb->n_consumers; ++i) {
      const gantry_consumer &c = hb->consumers[i];
      FakeBroker::Consumer consumer{text(c.group), c.consume_type, c.model, c.consume_from, {}};
      for (std::uint32_t k = 0; k < c.n_subscriptions; ++k)
        consumer.subscriptions.push_back({text(c.subscriptions[k].topic), text(c.subscriptions[k].expr_type), text(c.subscriptions[k].expr),
                                          c.subscriptions[k].version});
      out.consumers.push_back(consumer);
    }
    fake().heartbeats.push_back(out);
    return GANTRY_OK;
  }
  static void unregister(const gantry_host *, gantry_conn, gantry_str client_id, gantry_str producer, gantry_str consumer) noexcept {
    fake().unregistered.push_back(text(client_id) + "/" + text(producer) + "/" + text(consumer));
  }
  static void conn_closed(const gantry_host *, gantry_conn conn) noexcept { fake().closed.push_back(conn); }
  static std::int32_t consumers(const gantry_host *, gantry_str group, gantry_client_fn fn, void *arg) noexcept {
    const auto it = fake().members.find(text(group));
    if (it == fake().members.end()) return GANTRY_E_NOT_FOUND;
    for (const std::string &id : it->second) fn(arg, str(id));
    return GANTRY_OK;
  }
  static std::int32_t tell_members(const std::map<std::string, std::vector<FakeBroker::Member>> &groups, const std::string &group, gantry_consumer_fn about,
                                   gantry_member_fn each, void *arg) {
    bool any = false;
    for (const auto &[name, members] : groups) {
      if (members.empty() || (!group.empty() && group != name)) continue;
      any = true;
      std::vector<gantry_subscription> subscriptions;
      for (const auto &s : fake().subscriptions[name]) subscriptions.push_back({str(s.topic), str(s.type), str(s.expr), s.version});
      const gantry_consumer consumer{str(name), subscriptions.data(), static_cast<std::uint32_t>(subscriptions.size()), GANTRY_CONSUME_PASSIVELY,
                                     GANTRY_MODEL_CLUSTERING, 4};
      if (about != nullptr) about(arg, &consumer);
      for (const auto &m : members) {
        const gantry_member member{m.conn, str(name), str(m.client_id), str("192.0.0.7:50000"), 1'700'000'000'000, m.shard, m.language, 409, 0};
        if (each != nullptr) each(arg, &member);
      }
    }
    return any ? GANTRY_OK : GANTRY_E_NOT_FOUND;
  }
  static std::int32_t consumer_group(const gantry_host *, gantry_str group, gantry_consumer_fn about, gantry_member_fn each, void *arg) noexcept {
    return tell_members(fake().consumer_groups, text(group), about, each, arg);
  }
  static std::int32_t producer_group(const gantry_host *, gantry_str group, gantry_member_fn fn, void *arg) noexcept {
    return tell_members(fake().producer_groups, text(group), nullptr, fn, arg);
  }
  static std::int32_t check_filter(const gantry_host *, gantry_str expr_type, gantry_str expr, gantry_error *err) noexcept {
    fake().checked_filters.push_back(text(expr_type) + ": " + text(expr));
    return fake().filter_status < 0 ? report(Error{fake().filter_status, "not this expression"}, err) : GANTRY_OK;
  }
  static std::int32_t message_query(const gantry_host *, const gantry_message_query *q, gantry_cq cq) noexcept {
    if (fake().query_refusal < 0) return fake().query_refusal;
    fake().queries.push_back({text(q->topic), text(q->key), *q, cq});
    return GANTRY_OK;
  }
  static void offset_list(const gantry_host *, gantry_group group, gantry_topic topic, gantry_committed_fn fn, void *arg) noexcept {
    for (const auto &c : fake().committed) {
      gantry_topic_info info{};
      if (!fake().describe(c.topic, &info)) continue;
      const gantry_committed row{fake().group_handle(c.group), info.topic, str(c.group), str(c.topic), c.offset, c.queue_no, 0};
      if ((group == 0 || group == row.group) && (topic == 0 || topic == row.topic)) fn(arg, &row);
    }
  }
};

const gantry_broker_v1 *FakeBroker::broker_table() {
  using T = FakeBrokerTables;
  static constexpr gantry_broker_v1 kTable = {
      T::info,  T::set_store_host, T::topic_find,   T::topic_ensure, T::topic_upsert, T::topic_list, T::topics_version, T::group_find, T::group_name,
      T::produce, T::fetch,        T::offset_commit, T::offset_query, T::queue_stat,  T::seek_time,  T::message_at,     T::queue_lock, T::queue_unlock,
      T::offset_list, T::message_query, T::send_back, T::recall, T::end_transaction};
  return &kTable;
}

const gantry_session_v1 *FakeBroker::session_table() {
  using T = FakeBrokerTables;
  static constexpr gantry_session_v1 kTable = {T::heartbeat, T::unregister, T::conn_closed, T::consumers, T::consumer_group, T::producer_group, T::check_filter};
  return &kTable;
}

}  // namespace gantry::remoting::test
