// Between protocols and the access-control plugin: decisions are kept per shard until the rules change, refusals are written down.
#pragma once

#include "kernel/base/host_context.hpp"
#include "kernel/security/audit.hpp"
#include "kernel/security/decision_cache.hpp"

#include <gantry++/result.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace gantry::security {

class Security {
 public:
  Security(std::string cluster, AuditLevel audit, std::uint32_t shards);
  Security(const Security &) = delete;
  Security &operator=(const Security &) = delete;

  // The plugin; before any listener is open and once. [thread: control]
  void use(const gantry_auth_v1 &table, void *self) {
    auth_ = &table;
    self_ = self;
  }
  [[nodiscard]] Result<void> reload();  // [thread: control]
  static void add_services(ServiceTables &tables);

  // As the functions of gantry_security_v1.
  void verify(std::uint32_t shard, const gantry_signed_request *reqs, std::uint32_t n, gantry_login *out);
  void login(std::uint32_t shard, const gantry_credentials &req, gantry_login &out);
  [[nodiscard]] std::int32_t check(std::uint32_t shard, const gantry_access &access, std::uint32_t &refused, std::uint32_t &decision);
  [[nodiscard]] std::uint32_t name(gantry_principal who, char *out, std::uint32_t bytes) const { return auth_->name(self_, who, out, bytes); }
  [[nodiscard]] std::int32_t sign(std::uint32_t shard, gantry_str content, gantry_str body, char *access_key, char *signature) const {
    return auth_->sign(self_, shard, content, body, access_key, signature);
  }
  void policies_changed() { epoch_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  struct Shard {
    explicit Shard(AuditLevel level) : audit(level) {}
    DecisionCache cache;
    Audit audit;
  };
  [[nodiscard]] std::string name_of(gantry_principal who) const;
  [[nodiscard]] std::uint32_t decide(Shard &state, std::uint32_t shard, const gantry_access &access, const gantry_authz &item);

  const std::string cluster_;
  const gantry_auth_v1 *auth_ = nullptr;
  void *self_ = nullptr;
  std::atomic<std::uint64_t> epoch_{1};
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace gantry::security
