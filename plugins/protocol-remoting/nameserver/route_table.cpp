#include "nameserver/route_table.hpp"

#include "nameserver/limits.hpp"

#include <algorithm>

namespace gantry::remoting::nameserver {

namespace {

Error over(const char *what, std::size_t limit) {
  return Error{GANTRY_E_LIMIT, std::string("name server is full: it holds at most ") + std::to_string(limit) + " " + what};
}

}  // namespace

Result<void> RouteTable::check_room(const Registration &registration) const {
  if (registration.topics.size() > kMaxTopicsPerBroker) return over("topics of one broker", kMaxTopicsPerBroker);
  if (registration.filter_servers.size() > kMaxFilterServers) return over("filter servers of one broker", kMaxFilterServers);
  if (live_.size() >= kMaxBrokers && !live_.contains(registration.address)) {
    return over("brokers", kMaxBrokers);
  }
  if (topics_.size() + registration.topics.size() > kMaxTopics) {
    const auto fresh = std::count_if(registration.topics.begin(), registration.topics.end(),
                                     [&](const auto &topic) { return !topics_.contains(topic.first); });
    if (topics_.size() + static_cast<std::size_t>(fresh) > kMaxTopics) return over("topics", kMaxTopics);
  }
  if (queue_datas_ + registration.topics.size() > kMaxQueueDatas) return over("topics times brokers", kMaxQueueDatas);
  return {};
}

// Lists the address under its name and id, and under no other. Returns the address that had this id before.
std::string RouteTable::place_broker(const Registration &registration, RegisterOutcome &outcome) {
  auto [at, new_name] = brokers_.try_emplace(registration.broker_name);
  Broker &broker = at->second;
  if (broker.cluster != registration.cluster) {
    if (!new_name) {
      outcome.left_cluster = broker.cluster;
      if (auto old = clusters_.find(broker.cluster); old != clusters_.end()) {
        old->second.erase(registration.broker_name);
        if (old->second.empty()) clusters_.erase(old);
      }
    }
    broker.cluster = registration.cluster;
    clusters_[registration.cluster].insert(registration.broker_name);
    ++brokers_changes_;
  }
  const bool acting = registration.acting_master.value_or(false);
  if (broker.zone_name != registration.zone_name || broker.acting_master != acting) {
    broker.zone_name = registration.zone_name;
    broker.acting_master = acting;
    ++brokers_changes_;
  }
  std::string before;
  std::string &address = broker.addresses[registration.broker_id];
  if (address != registration.address) {
    before = std::exchange(address, registration.address);
    ++brokers_changes_;
  }
  return before;
}

Result<RegisterOutcome> RouteTable::register_broker(const Registration &registration, std::int64_t now_ms) {
  GANTRY_TRY(check_room(registration));
  RegisterOutcome outcome;
  auto live = live_.find(registration.address);
  // The same address under another id or name is the same process after a change of its configuration.
  if (live != live_.end() &&
      (live->second.broker_name != registration.broker_name || live->second.broker_id != registration.broker_id)) {
    const bool only_id = live->second.broker_name == registration.broker_name;
    if (only_id) {
      // Not drop_live: the name would lose its topics when this was its only address.
      brokers_.find(registration.broker_name)->second.addresses.erase(live->second.broker_id);
      live_.erase(live);
      ++brokers_changes_;
    } else {
      drop_live(live);
    }
    live = live_.end();
  }
  outcome.new_address = live == live_.end();
  const bool changed = outcome.new_address || live->second.version != registration.version;
  outcome.displaced_address = place_broker(registration, outcome);
  if (!outcome.displaced_address.empty()) live_.erase(outcome.displaced_address);

  Live &entry = live_[registration.address];
  entry.broker_name = registration.broker_name;
  entry.broker_id = registration.broker_id;
  entry.ha_address = registration.ha_address;
  entry.last_seen_ms = now_ms;
  entry.timeout_ms = registration.timeout_ms;
  entry.conn = registration.conn;
  entry.version = registration.version;
  if (entry.filter_servers != registration.filter_servers) {
    entry.filter_servers = registration.filter_servers;
    ++brokers_changes_;
  }

  const Broker &broker = brokers_.find(registration.broker_name)->second;
  const bool master = registration.broker_id == kMasterId;
  const bool lowest_slave = !master && registration.acting_master && broker.addresses.begin()->first == registration.broker_id;
  if (changed && (master || lowest_slave)) take_topics(registration, !master && *registration.acting_master);
  if (const auto first = broker.addresses.find(kMasterId); !master && first != broker.addresses.end()) {
    outcome.master_address = first->second;
    outcome.master_ha = live_.at(first->second).ha_address;
  }
  return outcome;
}

void RouteTable::take_topics(const Registration &registration, bool without_write) {
  for (const auto &[name, sent] : registration.topics) {
    QueueData queues = sent;
    if (without_write) queues.perm &= ~kPermWrite;
    const auto [at, fresh] = topics_.try_emplace(name);
    if (fresh) topic_list_.reset();
    set_queues(at->second, registration.broker_name, queues);
  }
}

void RouteTable::set_queues(Topic &topic, const std::string &broker_name, const QueueData &queues) {
  const auto [at, fresh] = topic.queues.try_emplace(broker_name, queues);
  if (fresh) {
    ++queue_datas_;
  } else if (at->second == queues) {
    return;
  }
  at->second = queues;
  topic.rendered.reset();
}

bool RouteTable::unregister_broker(std::string_view name, std::string_view address) {
  const auto live = live_.find(address);
  if (live == live_.end() || live->second.broker_name != name) return false;
  drop_live(live);
  return true;
}

std::vector<std::string> RouteTable::conn_closed(gantry_conn conn) {
  std::vector<std::string> dropped;
  for (auto at = live_.begin(); at != live_.end();) {
    const auto here = at++;
    if (here->second.conn != conn) continue;
    dropped.push_back("broker " + here->second.broker_name + " (id " + std::to_string(here->second.broker_id) + ", " +
                      here->first + ") left the routes: its connection was closed");
    drop_live(here);
  }
  return dropped;
}

std::vector<std::string> RouteTable::expire(std::int64_t now_ms) {
  std::vector<std::string> dropped;
  for (auto at = live_.begin(); at != live_.end();) {
    const auto here = at++;
    const std::int64_t silent_ms = now_ms - here->second.last_seen_ms;
    if (silent_ms <= here->second.timeout_ms) continue;
    dropped.push_back("broker " + here->second.broker_name + " (id " + std::to_string(here->second.broker_id) + ", " +
                      here->first + ") left the routes: no registration for " + std::to_string(silent_ms) +
                      " ms; look whether it hangs or its network is cut");
    drop_live(here);
  }
  return dropped;
}

bool RouteTable::refresh(std::string_view address, std::int64_t now_ms) {
  const auto live = live_.find(address);
  if (live == live_.end()) return false;
  live->second.last_seen_ms = now_ms;
  return true;
}

const DataVersion *RouteTable::version_of(std::string_view address) const {
  const auto live = live_.find(address);
  return live != live_.end() ? &live->second.version : nullptr;
}

void RouteTable::drop_live(LiveTable::iterator at) {
  const auto broker = brokers_.find(at->second.broker_name);
  GANTRY_ASSERT(broker != brokers_.end());
  broker->second.addresses.erase(at->second.broker_id);
  ++brokers_changes_;
  if (broker->second.addresses.empty()) drop_broker_name(std::string(at->second.broker_name));
  live_.erase(at);
}

void RouteTable::drop_broker_name(const std::string &name) {
  const auto broker = brokers_.find(name);
  if (const auto cluster = clusters_.find(broker->second.cluster); cluster != clusters_.end()) {
    cluster->second.erase(name);
    if (cluster->second.empty()) clusters_.erase(cluster);
  }
  brokers_.erase(broker);
  for (auto topic = topics_.begin(); topic != topics_.end();) topic = drop_queues(topic, name);
}

// Returns the topic after it.
RouteTable::Topics::iterator RouteTable::drop_queues(Topics::iterator topic, std::string_view broker_name) {
  const auto queues = topic->second.queues.find(broker_name);
  if (queues == topic->second.queues.end()) return std::next(topic);
  topic->second.queues.erase(queues);
  topic->second.rendered.reset();
  --queue_datas_;
  if (!topic->second.queues.empty()) return std::next(topic);
  topic_list_.reset();
  return topics_.erase(topic);
}

std::uint32_t RouteTable::change_perms(std::string_view broker_name, const std::function<std::uint32_t(std::uint32_t)> &change) {
  std::uint32_t count = 0;
  for (auto &[name, topic] : topics_) {
    const auto queues = topic.queues.find(broker_name);
    if (queues == topic.queues.end()) continue;
    queues->second.perm = change(queues->second.perm);
    topic.rendered.reset();
    ++count;
  }
  return count;
}

std::uint32_t RouteTable::wipe_write_perm(std::string_view broker_name) {
  return change_perms(broker_name, [](std::uint32_t perm) { return perm & ~kPermWrite; });
}

std::uint32_t RouteTable::add_write_perm(std::string_view broker_name) {
  return change_perms(broker_name, [](std::uint32_t) { return kPermRead | kPermWrite; });
}

void RouteTable::delete_topic(std::string_view topic, std::string_view cluster) {
  const auto at = topics_.find(topic);
  if (at == topics_.end()) return;
  std::vector<std::string> names;
  for (const auto &[name, queues] : at->second.queues) {
    if (cluster.empty() || brokers_.find(name)->second.cluster == cluster) names.push_back(name);
  }
  for (const std::string &name : names) drop_queues(at, name);
}

}  // namespace gantry::remoting::nameserver
