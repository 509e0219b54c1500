// The JSON bodies that show the table. Members are in the order of RocketMQ's own output, maps in the order of their keys.
#include "json/writer.hpp"
#include "nameserver/route_table.hpp"

namespace gantry::remoting::nameserver {

namespace {

using AddressMap = std::map<std::int64_t, std::string>;

void write_addresses(json::Writer &w, const AddressMap &addresses) {
  w.key("brokerAddrs").begin_object();
  for (const auto &[id, address] : addresses) w.key(id).string(address);
  w.end_object();
}

// TopicList of any range of names.
template <typename Names>
std::string topic_list(const Names &names, std::string_view broker_address) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  if (!broker_address.empty()) w.member("brokerAddr", broker_address);
  w.key("topicList").begin_array();
  for (const auto &name : names) w.string(name);
  w.end_array().end_object();
  return out;
}

}  // namespace

SharedText RouteTable::route_json(std::string_view topic, std::string_view order_conf) {
  const auto at = topics_.find(topic);
  if (at == topics_.end()) return nullptr;
  Topic &entry = at->second;
  if (entry.rendered == nullptr || entry.rendered_at != brokers_changes_) {
    entry.rendered = render_route(entry, order_conf);
    entry.rendered_at = brokers_changes_;
  }
  return entry.rendered;
}

SharedText RouteTable::render_route(const Topic &topic, std::string_view order_conf) const {
  auto out = std::make_shared<std::string>();
  json::Writer w(*out);
  w.begin_object().key("brokerDatas").begin_array();
  for (const auto &[name, queues] : topic.queues) {
    const Broker &broker = brokers_.find(name)->second;
    w.begin_object();
    write_addresses(w, broker.addresses);
    w.member("brokerName", name).member("cluster", broker.cluster);
    if (broker.acting_master) w.member("enableActingMaster", true);
    if (!broker.zone_name.empty()) w.member("zoneName", broker.zone_name);
    w.end_object();
  }
  w.end_array().key("filterServerTable").begin_object();
  for (const auto &[name, queues] : topic.queues) {
    const Broker &broker = brokers_.find(name)->second;
    for (const auto &[id, address] : broker.addresses) {
      const Live &live = live_.at(address);
      if (live.filter_servers.empty()) continue;
      w.key(address).begin_array();
      for (const std::string &server : live.filter_servers) w.string(server);
      w.end_array();
    }
  }
  w.end_object();
  if (!order_conf.empty()) w.member("orderTopicConf", order_conf);
  w.key("queueDatas").begin_array();
  for (const auto &[name, queues] : topic.queues) {
    w.begin_object().member("brokerName", name).member("perm", queues.perm).member("readQueueNums", queues.read_queues);
    w.member("topicSysFlag", queues.sys_flag).member("writeQueueNums", queues.write_queues).end_object();
  }
  w.end_array().end_object();
  return out;
}

SharedText RouteTable::topic_list_json() {
  if (topic_list_ == nullptr) {
    std::vector<std::string_view> names;
    names.reserve(topics_.size());
    for (const auto &[name, topic] : topics_) names.push_back(name);
    topic_list_ = std::make_shared<const std::string>(topic_list(names, ""));
  }
  return topic_list_;
}

std::string RouteTable::cluster_info_json() const {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("brokerAddrTable").begin_object();
  for (const auto &[name, broker] : brokers_) {
    w.key(name).begin_object();
    write_addresses(w, broker.addresses);
    w.member("brokerName", name).member("cluster", broker.cluster);
    if (broker.acting_master) w.member("enableActingMaster", true);
    if (!broker.zone_name.empty()) w.member("zoneName", broker.zone_name);
    w.end_object();
  }
  w.end_object().key("clusterAddrTable").begin_object();
  for (const auto &[cluster, names] : clusters_) {
    w.key(cluster).begin_array();
    for (const std::string &name : names) w.string(name);
    w.end_array();
  }
  w.end_object().end_object();
  return out;
}

std::string RouteTable::cluster_topics_json(std::string_view cluster) const {
  std::vector<std::string_view> names;
  if (const auto at = clusters_.find(cluster); at != clusters_.end()) {
    for (const auto &[name, topic] : topics_) {
      for (const auto &[broker_name, queues] : topic.queues) {
        if (!at->second.contains(broker_name)) continue;
        names.push_back(name);
        break;
      }
    }
  }
  return topic_list(names, "");
}

std::string RouteTable::system_topics_json() const {
  std::set<std::string_view> names;
  std::string_view address;
  for (const auto &[cluster, broker_names] : clusters_) {
    names.insert(cluster);
    names.insert(broker_names.begin(), broker_names.end());
  }
  for (const auto &[name, broker] : brokers_) {
    if (address.empty() || broker.addresses.begin()->first == kMasterId) address = broker.addresses.begin()->second;
    if (broker.addresses.begin()->first == kMasterId) break;
  }
  return topic_list(names, address);
}

std::string RouteTable::topics_by_flag_json(const std::function<bool(std::uint32_t)> &wanted) const {
  std::vector<std::string_view> names;
  for (const auto &[name, topic] : topics_) {
    if (wanted(topic.queues.begin()->second.sys_flag)) names.push_back(name);
  }
  return topic_list(names, "");
}

std::string RouteTable::member_group_json(std::string_view cluster, std::string_view name) const {
  static const AddressMap kNone;
  const auto at = brokers_.find(name);
  std::string out;
  json::Writer w(out);
  w.begin_object().key("brokerMemberGroup").begin_object();
  write_addresses(w, at != brokers_.end() && at->second.cluster == cluster ? at->second.addresses : kNone);
  w.member("brokerName", name).member("cluster", cluster).end_object().end_object();
  return out;
}

}  // namespace gantry::remoting::nameserver
