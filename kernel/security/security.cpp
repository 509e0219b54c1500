#include "kernel/security/security.hpp"

#include "kernel/observe/log.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::security {

Security::Security(std::string cluster, AuditLevel audit, std::uint32_t shards) : cluster_(std::move(cluster)) {
  for (std::uint32_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>(audit));
}

Result<void> Security::reload() {
  gantry_error err{};
  const std::int32_t status = auth_->reload(self_, &err);
  if (status == GANTRY_OK) return {};
  return Error{status, err.text, err.detail};
}

std::string Security::name_of(gantry_principal who) const {
  char text[256];
  return {text, std::min<std::uint32_t>(name(who, text, sizeof text), sizeof text)};
}

void Security::verify(std::uint32_t shard, const gantry_signed_request *reqs, std::uint32_t n, gantry_login *out) {
  auth_->verify(self_, shard, reqs, n, out);
  for (std::uint32_t i = 0; i < n; ++i)
    if (out[i].outcome != GANTRY_LOGIN_OK) [[unlikely]] shards_.at(shard)->audit.login_refused(view(reqs[i].access_key), *reqs[i].peer, view(reqs[i].request), out[i].outcome);
}

void Security::login(std::uint32_t shard, const gantry_credentials &req, gantry_login &out) {
  auth_->authenticate(self_, shard, &req, &out);
  if (out.outcome != GANTRY_LOGIN_OK) shards_.at(shard)->audit.login_refused(view(req.name), *req.peer, "login", out.outcome);
}

std::uint32_t Security::decide(Shard &state, std::uint32_t shard, const gantry_access &access, const gantry_authz &item) {
  // Read before the plugin is asked: a change in between makes its answer old.
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
  const DecisionCache::Question question{access.who, *access.peer, item};
  if (const std::uint32_t *known = state.cache.find(question, epoch)) [[likely]] return *known;
  std::uint32_t decision = GANTRY_DECISION_NO_RULE;
  auth_->authorize(self_, shard, access.who, access.peer, &item, 1, &decision);
  state.cache.put(question, epoch, decision);
  return decision;
}

std::int32_t Security::check(std::uint32_t shard, const gantry_access &access, std::uint32_t &refused, std::uint32_t &decision) {
  Shard &state = *shards_.at(shard);
  for (std::uint32_t i = 0; i < access.n_items; ++i) {
    gantry_authz item = access.items[i];
    if (item.resource_type == GANTRY_RESOURCE_CLUSTER && item.name.n == 0) item.name = str(cluster_);
    decision = decide(state, shard, access, item);
    if (decision == GANTRY_DECISION_ALLOW) [[likely]] continue;
    refused = i;
    state.audit.access_refused(name_of(access.who), access, item, decision);
    return GANTRY_E_DENIED;
  }
  if (state.audit.wants(access)) [[unlikely]] state.audit.allowed(name_of(access.who), access);
  return GANTRY_OK;
}

}  // namespace gantry::security
