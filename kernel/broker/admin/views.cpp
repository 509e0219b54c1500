// What tools see of groups: members, subscriptions, committed offsets. Copied under the mutex, told without it.
#include "kernel/broker/broker.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {

void tell_members(std::string_view group, const std::map<gantry_conn, Member> &members, gantry_member_fn fn, void *arg) {
  for (const auto &[conn, m] : members) {
    const gantry_member out{conn, str(group), str(m.client_id), str(m.peer), m.seen_ms, m.shard, m.language, m.version, 0};
    fn(arg, &out);
  }
}

void tell_group(std::string_view name, const ConsumerGroup &group, gantry_consumer_fn fn, void *arg) {
  std::vector<gantry_subscription> subscriptions;
  subscriptions.reserve(group.subscriptions.size());
  for (const auto &[topic, s] : group.subscriptions) subscriptions.push_back({str(topic), str(s.type), str(s.expression), s.version});
  const gantry_consumer out{str(name), subscriptions.data(), static_cast<std::uint32_t>(subscriptions.size()), group.consume_type, group.model, group.consume_from};
  fn(arg, &out);
}

// One entry, or all of them for an empty name.
template <typename Map>
Map chosen(const Map &all, std::string_view name) {
  if (name.empty()) return all;
  Map one;
  if (const auto it = all.find(name); it != all.end()) one.insert(*it);
  return one;
}

}  // namespace

std::int32_t Broker::consumer_group(std::string_view name, gantry_consumer_fn about, gantry_member_fn each, void *arg) {
  const auto groups = [&] {
    const std::lock_guard lock(core_.mutex);
    return chosen(core_.sessions.groups(), name);
  }();
  for (const auto &[group_name, group] : groups) {
    if (about != nullptr) tell_group(group_name, group, about, arg);
    if (each != nullptr) tell_members(group_name, group.members, each, arg);
  }
  return groups.empty() ? GANTRY_E_NOT_FOUND : GANTRY_OK;
}

std::int32_t Broker::producer_group(std::string_view name, gantry_member_fn fn, void *arg) {
  const auto groups = [&] {
    const std::lock_guard lock(core_.mutex);
    return chosen(core_.sessions.producers(), name);
  }();
  for (const auto &[group_name, members] : groups) tell_members(group_name, members, fn, arg);
  return groups.empty() ? GANTRY_E_NOT_FOUND : GANTRY_OK;
}

void Broker::offset_list(gantry_group group, gantry_topic topic, gantry_committed_fn fn, void *arg) {
  std::vector<gantry_committed> rows;
  {
    const std::lock_guard lock(core_.mutex);
    core_.offsets.each([&](const OffsetKey &key, std::int64_t offset) {
      if ((group != 0 && key.group != group) || (topic != 0 && key.topic != topic)) return;
      const Group *const of = core_.groups.by_handle(key.group);
      if (of == nullptr) return;  // deleted; its offsets are kept for when it comes back
      // Names of groups and topics live as long as the process.
      rows.push_back({key.group, key.topic, str(of->name), str(core_.topics.at(key.topic)->name), offset, key.queue_no, 0});
    });
  }
  for (const gantry_committed &row : rows) fn(arg, &row);
}

}  // namespace gantry::broker
