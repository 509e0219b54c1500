#include "access/gate.hpp"

#include "access/signed_content.hpp"
#include "codec/codes.hpp"

#include <gantry++/str.hpp>

#include <cstring>

namespace gantry::remoting {
namespace {

constexpr std::string_view kUniqueKeyQuery = "_UNIQUE_KEY_QUERY", kSecurityToken = "SecurityToken";
constexpr std::string_view kException = "org.apache.rocketmq.acl.common.AclException: ";
constexpr std::size_t kShownBytes = 128;

std::string shown_name(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShownBytes)) out += c >= 0x20 && c < 0x7F ? c : '?';
  return out;
}

const char *action_name(std::uint32_t actions) {
  constexpr const char *kNames[] = {"Pub", "Sub", "Create", "Update", "Delete", "Get", "List"};
  return kNames[__builtin_ctz(actions)];
}

gantry_str name_of_request(std::int32_t code, std::string &storage) {
  if (const char *name = request_name(code); name != nullptr) return gantry_str{name, static_cast<std::uint32_t>(std::strlen(name)), 0};
  storage = "request " + std::to_string(code);
  return str(storage);
}

}  // namespace

gantry_peer peer_of(const gantry_conn_info &info, std::string_view text) {
  gantry_peer out{};
  std::memcpy(out.ip, info.peer_ip, info.peer_ip_bytes);
  out.ip_bytes = info.peer_ip_bytes;
  out.text = str(text);
  return out;
}

Gate::Gate(const gantry_host *host, std::uint32_t shard) : host_(host), security_(static_cast<const gantry_security_v1 *>(host->query(host, GANTRY_SECURITY_ID))), shard_(shard) {
  if (security_ != nullptr && security_->required(host) == 0) security_ = nullptr;
}

std::int32_t Gate::code() const { return kSystemError; }

bool Gate::admit(const Header &header, std::string_view body, const gantry_peer &peer) {
  std::string number;
  gantry_signed_request request{};
  request.access_key = str(header.text("AccessKey"));
  request.signature = str(header.text("Signature"));
  request.body = str(body);
  request.request = name_of_request(header.code, number);
  request.peer = &peer;
  content_.clear();
  append_signed_content(header, {}, content_);
  request.content = str(content_);
  // Clients before 4.9.4 do not sign the first, the Go client not the second.
  const std::string_view unsure = header.code == kQueryMessage && header.find(kUniqueKeyQuery) != nullptr ? kUniqueKeyQuery : header.find(kSecurityToken) != nullptr ? kSecurityToken : "";
  if (!unsure.empty()) [[unlikely]] {
    other_content_.clear();
    append_signed_content(header, unsure, other_content_);
    request.other_content = str(other_content_);
  }
  gantry_login login{};
  security_->verify(host_, shard_, &request, 1, &login);
  if (login.outcome != GANTRY_LOGIN_OK) [[unlikely]] {
    refuse_login(view(request.access_key), login.outcome);
    return false;
  }
  const std::vector<gantry_authz> &items = needed_.of(header, body);
  gantry_access access{};
  access.who = login.principal;
  access.peer = &peer;
  access.request = request.request;
  access.items = items.data();
  access.n_items = static_cast<std::uint32_t>(items.size());
  std::uint32_t refused = 0, decision = 0;
  if (security_->check(host_, shard_, &access, &refused, &decision) == GANTRY_OK) [[likely]] return true;
  refuse_access(header, view(request.access_key), items[refused]);
  return false;
}

void Gate::refuse_login(std::string_view access_key, std::uint32_t outcome) {
  remark_ = kException;
  switch (outcome) {
    case GANTRY_LOGIN_MISSING: remark_ += "No accessKey is configured"; break;
    case GANTRY_LOGIN_UNKNOWN: remark_ += "No acl config for " + shown_name(access_key); break;
    case GANTRY_LOGIN_DISABLED: remark_ += "The accessKey=" + shown_name(access_key) + " is disabled"; break;
    case GANTRY_LOGIN_LOCKED: remark_ += "Too many failed logins of accessKey=" + shown_name(access_key) + " from this address, try again later"; break;
    default: remark_ += "Check signature failed for accessKey=" + shown_name(access_key); break;
  }
}

void Gate::refuse_access(const Header &header, std::string_view access_key, const gantry_authz &item) {
  constexpr std::uint32_t kChanges = GANTRY_ACTION_CREATE | GANTRY_ACTION_UPDATE | GANTRY_ACTION_DELETE;
  constexpr const char *kTypes[] = {"", "Topic", "Group", "Cluster"};
  const std::string user = shown_name(access_key), name = shown_name(view(item.name));
  remark_ = kException;
  if (item.resource_type == GANTRY_RESOURCE_CLUSTER || (item.actions & ~kChanges) == 0)
    remark_ += "Need admin permission for request code=" + std::to_string(header.code) + ", but accessKey=" + user + " is not";
  else
    remark_ += std::string("No default permission for ") + (item.resource_type == GANTRY_RESOURCE_GROUP ? "group:" : "topic:") + name;
  remark_ += std::string(", it needs a policy that allows ") + action_name(item.actions) + " on " + kTypes[item.resource_type] + ":" + (name.empty() ? "*" : name);
}

std::uint32_t OwnSignature::sign(std::uint32_t shard, ExtField *fields, std::uint32_t n, std::string_view body) {
  if (security_ == nullptr) return n;
  content_.clear();
  append_signed_content(fields, n, content_);
  if (security_->sign(host_, shard, str(content_), str(body), access_key_, signature_) != GANTRY_OK) return n;
  fields[n] = {"AccessKey", access_key_};
  fields[n + 1] = {"Signature", signature_};
  return n + 2;
}

}  // namespace gantry::remoting
