// What brokers ask: registration, data version, signs of life, good-bye.
#include "codec/codes.hpp"
#include "codec/text.hpp"
#include "nameserver/names.hpp"
#include "nameserver/refuse.hpp"
#include "nameserver/registration_body.hpp"
#include "nameserver/service.hpp"
#include "nameserver/zlib_stream.hpp"

#include <algorithm>

namespace gantry::remoting::nameserver {

namespace {

constexpr std::int32_t kFirstVersionWithBrokerBody = 37;  // 3.0.11

// Header fields that all requests of a broker share. "" when they are usable, otherwise what is wrong.
std::string read_identity(const Header &request, Registration &out) {
  out.cluster = request.text("clusterName");
  out.broker_name = request.text("brokerName");
  out.address = request.text("brokerAddr");
  if (!is_name(out.cluster)) return "clusterName is missing or not usable: " + quoted_for_log(out.cluster);
  if (!is_name(out.broker_name)) return "brokerName is missing or not usable: " + quoted_for_log(out.broker_name);
  if (!is_address(out.address)) return "brokerAddr is missing or no host:port: " + quoted_for_log(out.address);
  const std::string_view id = request.text("brokerId");
  if (!parse_number(id, out.broker_id) || out.broker_id < 0) return "brokerId is missing or no number from 0: " + quoted_for_log(id);
  return {};
}

void read_extras(const Header &request, std::int64_t default_timeout_ms, Registration &out) {
  out.ha_address = request.text("haServerAddr");
  if (!is_address(out.ha_address)) out.ha_address.clear();
  if (const std::string_view zone = request.text("zoneName"); is_name(zone)) out.zone_name = zone;
  if (const std::string_view *acting = request.find("enableActingMaster")) out.acting_master = parse_bool(*acting);
  out.timeout_ms = default_timeout_ms;
  std::int64_t wanted_ms = 0;
  if (parse_number(request.text("heartbeatTimeoutMillis"), wanted_ms)) {
    out.timeout_ms = std::clamp(wanted_ms, kMinTimeoutMs, kMaxTimeoutMs);
  }
}

std::string describe(const Registration &registration, const RegisterOutcome &outcome, std::string_view peer, std::uint32_t skipped) {
  const std::string name = "broker " + quoted_for_log(registration.broker_name) + " (id " + std::to_string(registration.broker_id) + ")";
  std::string note;
  if (outcome.new_address) {
    note = name + " of cluster " + quoted_for_log(registration.cluster) + " registered " + registration.address + " with " +
           std::to_string(registration.topics.size()) + " topics from " + std::string(peer);
    if (!outcome.displaced_address.empty()) note += "; it was at " + outcome.displaced_address + " before";
  }
  if (!outcome.left_cluster.empty()) note += (note.empty() ? name : "") + "; it was in cluster " + quoted_for_log(outcome.left_cluster) + " before";
  if (skipped != 0) {
    note += (note.empty() ? name : "") + "; left out " + std::to_string(skipped) + " topics whose names or numbers are not usable";
  }
  return note;
}

}  // namespace

void Service::register_broker(Call &call) {
  Registration registration;
  if (std::string wrong = read_identity(call.request, registration); !wrong.empty()) {
    return refuse(call.out, kSystemError, std::move(wrong));
  }
  read_extras(call.request, options_.timeout_ms, registration);
  registration.conn = call.caller.conn;
  std::int32_t crc = 0;
  if (parse_number(call.request.text("bodyCrc32"), crc) && crc != 0 && crc != body_crc32(call.body)) {
    return refuse(call.out, kSystemError, "crc32 not match");
  }
  const bool old = call.request.version < kFirstVersionWithBrokerBody;
  const bool compressed = !old && parse_bool(call.request.text("compressed"));
  const BodyForm form = old ? BodyForm::kTopicsOnly : compressed ? BodyForm::kCompressed : BodyForm::kJson;
  std::uint32_t skipped = 0;
  if (auto read = read_registration_body(call.body, form, call.document, registration, &skipped); !read) {
    return refuse(call.out, kSystemError, read.error().text);
  }

  const std::lock_guard lock(mutex_);
  auto outcome = routes_.register_broker(registration, call.now_ms);
  if (!outcome) {
    call.out.note = "refused broker " + quoted_for_log(registration.broker_name) + " at " + registration.address + ", asked from " +
                    std::string(call.caller.peer) + ": " + outcome.error().text;
    return refuse(call.out, kSystemError, outcome.error().text);
  }
  call.caller.registered = true;
  call.out.note = describe(registration, *outcome, call.caller.peer, skipped);
  if (!outcome->master_address.empty()) {
    call.out.ext.emplace_back("masterAddr", outcome->master_address);
    if (!outcome->master_ha.empty()) call.out.ext.emplace_back("haServerAddr", outcome->master_ha);
  }
  call.out.own_body = kv_.table_json(kOrderNamespace);
}

void Service::unregister_broker(Call &call) {
  Registration leaving;
  if (std::string wrong = read_identity(call.request, leaving); !wrong.empty()) return refuse(call.out, kSystemError, std::move(wrong));
  const std::lock_guard lock(mutex_);
  if (routes_.unregister_broker(leaving.broker_name, leaving.address)) {
    call.out.note = "broker " + quoted_for_log(leaving.broker_name) + " (" + leaving.address + ") left the routes: it said good-bye";
  }
}

void Service::query_data_version(Call &call) {
  Registration asking;
  if (std::string wrong = read_identity(call.request, asking); !wrong.empty()) return refuse(call.out, kSystemError, std::move(wrong));
  auto version = read_data_version(call.body, call.document);
  if (!version) return refuse(call.out, kSystemError, version.error().text);
  const std::lock_guard lock(mutex_);
  const DataVersion *known = routes_.version_of(asking.address);
  const bool changed = known == nullptr || *known != *version;
  if (!changed) (void)routes_.refresh(asking.address, call.now_ms);
  call.out.ext.emplace_back("changed", changed ? "true" : "false");
  if (known != nullptr) call.out.own_body = data_version_json(*known);
}

void Service::broker_heartbeat(Call &call) {
  const std::string_view address = call.request.text("brokerAddr");
  if (!is_address(address)) return refuse(call.out, kSystemError, "brokerAddr is missing or no host:port: " + quoted_for_log(address));
  const std::lock_guard lock(mutex_);
  // A stranger's heartbeat is no error: the broker learns that it is unknown from QUERY_DATA_VERSION and registers.
  (void)routes_.refresh(address, call.now_ms);
}

}  // namespace gantry::remoting::nameserver
