// Dispatch, and everything but brokers' own requests.
#include "nameserver/service.hpp"

#include "codec/codes.hpp"
#include "nameserver/refuse.hpp"

#include <algorithm>

namespace gantry::remoting::nameserver {

void Reply::clear() {
  code = kSuccess;
  remark.clear();
  ext.clear();
  own_body.clear();
  shared_body.reset();
  note.clear();
  kv_changed = false;
}

void Service::handle(const Header &request, std::string_view body, Caller &caller, json::Document &document, std::int64_t now_ms,
                     Reply &out) {
  Call call{request, body, caller, document, now_ms, out};
  switch (request.code) {
    case kPutKvConfig: return put_kv(call);
    case kGetKvConfig: return get_kv(call);
    case kDeleteKvConfig: return delete_kv(call);
    case kGetKvlistByNamespace: return list_kv(call);
    case kRegisterBroker: return register_broker(call);
    case kUnregisterBroker: return unregister_broker(call);
    case kQueryDataVersion: return query_data_version(call);
    case kBrokerHeartbeat: return broker_heartbeat(call);
    case kGetRouteinfoByTopic: return route(call);
    case kWipeWritePermOfBroker: return change_write_perm(call, false);
    case kAddWritePermOfBroker: return change_write_perm(call, true);
    case kDeleteTopicInNamesrv: return delete_topic(call);
    case kGetUnitTopicList:
    case kGetHasUnitSubTopicList:
    case kGetHasUnitSubUnunitTopicList: return topics_by_flag(call);
    case kGetBrokerMemberGroup: return member_group(call);
    case kUpdateNamesrvConfig: return update_config(call);
    case kGetNamesrvConfig: return get_config(call);
    default: break;
  }
  const std::lock_guard lock(mutex_);
  switch (request.code) {
    case kGetBrokerClusterInfo: out.own_body = routes_.cluster_info_json(); return;
    case kGetAllTopicListFromNameserver: out.shared_body = routes_.topic_list_json(); return;
    case kGetTopicsByCluster: out.own_body = routes_.cluster_topics_json(request.text("cluster")); return;
    case kGetSystemTopicListFromNs: out.own_body = routes_.system_topics_json(); return;
    default: return refuse(out, kRequestCodeNotSupported, " request type " + std::to_string(request.code) + " not supported");
  }
}

void Service::route(Call &call) {
  const std::string_view *topic = call.request.find("topic");
  if (topic != nullptr) {
    const std::lock_guard lock(mutex_);
    const std::string *order = options_.order_message_enable ? kv_.get(kOrderNamespace, *topic) : nullptr;
    call.out.shared_body = routes_.route_json(*topic, order != nullptr ? std::string_view(*order) : std::string_view());
  }
  if (call.out.shared_body == nullptr) {
    refuse(call.out, kTopicNotExist,
           "No topic route info in name server for the topic: " + std::string(topic != nullptr ? *topic : "null"));
  }
}

void Service::change_write_perm(Call &call, bool give) {
  const std::string_view name = call.request.text("brokerName");
  if (name.empty()) return refuse(call.out, kSystemError, "brokerName is missing");
  const std::lock_guard lock(mutex_);
  const std::uint32_t count = give ? routes_.add_write_perm(name) : routes_.wipe_write_perm(name);
  call.out.ext.emplace_back(give ? "addTopicCount" : "wipeTopicCount", std::to_string(count));
  call.out.note = std::string(give ? "gave" : "took") + " the write permission of " + std::to_string(count) + " topics on " +
                  quoted_for_log(name) + ", as " + std::string(call.caller.peer) + " asked";
}

void Service::delete_topic(Call &call) {
  const std::string_view topic = call.request.text("topic");
  if (topic.empty()) return refuse(call.out, kSystemError, "topic is missing");
  const std::lock_guard lock(mutex_);
  routes_.delete_topic(topic, call.request.text("clusterName"));
  call.out.note = "forgot topic " + quoted_for_log(topic) + ", as " + std::string(call.caller.peer) + " asked";
}

void Service::topics_by_flag(Call &call) {
  const std::int32_t code = call.request.code;
  const std::lock_guard lock(mutex_);
  call.out.own_body = routes_.topics_by_flag_json([code](std::uint32_t flag) {
    const bool unit = (flag & kSysFlagUnit) != 0, unit_sub = (flag & kSysFlagUnitSub) != 0;
    if (code == kGetUnitTopicList) return unit;
    return unit_sub && (code == kGetHasUnitSubTopicList || !unit);
  });
}

void Service::member_group(Call &call) {
  const std::string_view cluster = call.request.text("clusterName"), name = call.request.text("brokerName");
  if (cluster.empty() || name.empty()) return refuse(call.out, kSystemError, "clusterName or brokerName is missing");
  const std::lock_guard lock(mutex_);
  call.out.own_body = routes_.member_group_json(cluster, name);
}

void Service::put_kv(Call &call) {
  const auto *space = call.request.find("namespace"), *key = call.request.find("key"), *value = call.request.find("value");
  if (space == nullptr || key == nullptr) return refuse(call.out, kSystemError, "namespace or key is null");
  if (value == nullptr) return refuse(call.out, kSystemError, "value is null");
  const std::lock_guard lock(mutex_);
  if (auto put = kv_.put(*space, *key, *value); !put) return refuse(call.out, kSystemError, put.error().text);
  kv_has_changed(call);
  if (*space == kOrderNamespace) routes_.forget_rendered_routes();
}

void Service::kv_has_changed(Call &call) {
  ++kv_version_;
  call.out.kv_changed = true;
}

Service::KvText Service::kv_text() {
  const std::lock_guard lock(mutex_);
  return {kv_version_, kv_.whole_json()};
}

void Service::get_kv(Call &call) {
  const std::string_view space = call.request.text("namespace"), key = call.request.text("key");
  const std::lock_guard lock(mutex_);
  if (const std::string *value = kv_.get(space, key)) {
    call.out.ext.emplace_back("value", *value);
  } else {
    refuse(call.out, kQueryNotFound, "No config item, Namespace: " + std::string(space) + " Key: " + std::string(key));
  }
}

void Service::delete_kv(Call &call) {
  const auto *space = call.request.find("namespace"), *key = call.request.find("key");
  if (space == nullptr || key == nullptr) return refuse(call.out, kSystemError, "namespace or key is null");
  const std::lock_guard lock(mutex_);
  kv_.remove(*space, *key);
  kv_has_changed(call);
  if (*space == kOrderNamespace) routes_.forget_rendered_routes();
}

void Service::list_kv(Call &call) {
  const std::string_view space = call.request.text("namespace");
  const std::lock_guard lock(mutex_);
  call.out.own_body = kv_.table_json(space);
  if (call.out.own_body.empty()) refuse(call.out, kQueryNotFound, "No config item, Namespace: " + std::string(space));
}

// Nothing may be set by request: in RocketMQ this door led to writing files anywhere (CVE-2023-33246, CVE-2023-37582). When a setting is
// safe to change at run time, it goes onto a list of allowed keys here, never the other way round.
void Service::update_config(Call &call) {
  bool sets_something = false;
  for (std::string_view rest = call.body; !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    const std::size_t first = rest.substr(0, end).find_first_not_of(" \t\f");
    if (first != std::string_view::npos && rest[first] != '#' && rest[first] != '!') sets_something = true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (sets_something) {
    refuse(call.out, kNoPermission,
           "settings of this name server cannot be changed by request; change its configuration file and restart it");
  }
}

void Service::get_config(Call &call) {
  call.out.own_body = "listenPort=" + std::to_string(call.caller.local_port);
  call.out.own_body += "\norderMessageEnable=" + std::string(options_.order_message_enable ? "true" : "false");
  call.out.own_body += "\nscanNotActiveBrokerInterval=" + std::to_string(kScanPeriodMs) + "\n";
}

std::vector<std::string> Service::conn_closed(gantry_conn conn) {
  const std::lock_guard lock(mutex_);
  return routes_.conn_closed(conn);
}

std::vector<std::string> Service::expire(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  return routes_.expire(now_ms);
}

}  // namespace gantry::remoting::nameserver
