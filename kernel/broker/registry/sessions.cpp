#include "kernel/broker/registry/sessions.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::broker {

void Sessions::tell_all(const ConsumerGroup &group, std::string_view name, std::vector<Notice> &notices) {
  for (const auto &[conn, member] : group.members) notices.push_back({conn, std::string(name)});
}

// True when the set of topics changed. A newer version replaces an expression; topics no longer named are removed.
bool Sessions::merge_subscriptions(ConsumerGroup &group, const gantry_consumer &c, const CompiledFilter *filters) {
  bool topics_changed = false;
  for (std::uint32_t i = 0; i < c.n_subscriptions; ++i) {
    const gantry_subscription &in = c.subscriptions[i];
    auto it = group.subscriptions.find(view(in.topic));
    if (it == group.subscriptions.end()) {
      it = group.subscriptions.emplace(std::string(view(in.topic)), Subscription{}).first;
      topics_changed = true;
    } else if (in.version <= it->second.version) {
      continue;
    }
    auto tags = std::make_shared<TagSet>();
    (void)parse_tags(view(in.expr), *tags);
    it->second = Subscription{std::string(view(in.expr)), std::string(view(in.expr_type)), in.version, std::move(tags), filters[i]};
  }
  for (auto it = group.subscriptions.begin(); it != group.subscriptions.end();) {
    const auto named = [&](const gantry_subscription &in) { return view(in.topic) == it->first; };
    if (std::any_of(c.subscriptions, c.subscriptions + c.n_subscriptions, named)) {
      ++it;
    } else {
      it = group.subscriptions.erase(it);
      topics_changed = true;
    }
  }
  return topics_changed;
}

void Sessions::consumer(gantry_conn conn, const gantry_consumer &c, const CompiledFilter *filters, const Member &client, std::vector<Notice> &notices) {
  const std::string_view name = view(c.group);
  auto it = groups_.find(name);
  if (it == groups_.end()) it = groups_.emplace(std::string(name), ConsumerGroup{}).first;
  ConsumerGroup &group = it->second;
  group.model = c.model;
  group.consume_type = c.consume_type;
  group.consume_from = c.consume_from;
  const bool joined = group.members.insert_or_assign(conn, client).second;
  if (joined) groups_of_conn_[conn].consumers.emplace_back(name);
  const bool topics_changed = merge_subscriptions(group, c, filters);
  if (joined || topics_changed) tell_all(group, name, notices);
}

void Sessions::heartbeat(const gantry_heartbeat &hb, const std::vector<CompiledFilter> &filters, std::uint32_t shard, std::int64_t now_ms, std::vector<Notice> &notices) {
  const Member client{std::string(view(hb.client_id)), now_ms, std::string(view(hb.peer)), shard, hb.language, hb.version};
  for (std::uint32_t i = 0; i < hb.n_producer_groups; ++i) {
    auto it = producers_.find(view(hb.producer_groups[i]));
    if (it == producers_.end()) it = producers_.emplace(std::string(view(hb.producer_groups[i])), std::map<gantry_conn, Member>{}).first;
    const bool joined = it->second.insert_or_assign(hb.conn, client).second;
    if (joined) groups_of_conn_[hb.conn].producers.push_back(it->first);
  }
  const CompiledFilter *of_consumer = filters.data();
  for (std::uint32_t i = 0; i < hb.n_consumers; ++i) {
    consumer(hb.conn, hb.consumers[i], of_consumer, client, notices);
    of_consumer += hb.consumers[i].n_subscriptions;
  }
}

void Sessions::leave(std::string_view group_name, gantry_conn conn, std::vector<Notice> &notices) {
  const auto it = groups_.find(group_name);
  if (it == groups_.end() || it->second.members.erase(conn) == 0) return;
  if (it->second.members.empty())
    groups_.erase(it);
  else
    tell_all(it->second, it->first, notices);
}

void Sessions::leave_producers(std::string_view group_name, gantry_conn conn) {
  const auto it = producers_.find(group_name);
  if (it == producers_.end()) return;
  it->second.erase(conn);
  if (it->second.empty()) producers_.erase(it);
}

void Sessions::unregister(gantry_conn conn, std::string_view producer_group, std::string_view consumer_group, std::vector<Notice> &notices) {
  if (!producer_group.empty()) leave_producers(producer_group, conn);
  if (!consumer_group.empty()) leave(consumer_group, conn, notices);
  const auto it = groups_of_conn_.find(conn);
  if (it == groups_of_conn_.end()) return;
  std::erase(it->second.producers, producer_group);
  std::erase(it->second.consumers, consumer_group);
  if (it->second.producers.empty() && it->second.consumers.empty()) groups_of_conn_.erase(it);
}

void Sessions::conn_closed(gantry_conn conn, std::vector<Notice> &notices) {
  const auto it = groups_of_conn_.find(conn);
  if (it == groups_of_conn_.end()) return;
  for (const std::string &group : it->second.consumers) leave(group, conn, notices);
  for (const std::string &group : it->second.producers) leave_producers(group, conn);
  groups_of_conn_.erase(it);
}

void Sessions::expire(std::int64_t now_ms, std::vector<Notice> &notices) {
  std::vector<gantry_conn> silent;
  for (const auto &[name, group] : groups_)
    for (const auto &[conn, member] : group.members)
      if (member.seen_ms < now_ms - kClientTimeoutMs) silent.push_back(conn);
  for (const auto &[name, members] : producers_)
    for (const auto &[conn, member] : members)
      if (member.seen_ms < now_ms - kClientTimeoutMs) silent.push_back(conn);
  for (const gantry_conn conn : silent) conn_closed(conn, notices);
}

}  // namespace gantry::broker
