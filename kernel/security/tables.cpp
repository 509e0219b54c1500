// gantry.security, over the instance's host.
#include "kernel/security/security.hpp"

namespace gantry::security {
namespace {

Security &of(const gantry_host *host) {
  auto *security = static_cast<Security *>(HostContext::of(host)->security);
  GANTRY_ASSERT(security != nullptr);
  return *security;
}

constexpr gantry_security_v1 kTable = {
    .required = [](const gantry_host *host) noexcept -> std::int32_t { return HostContext::of(host)->guarded ? 1 : 0; },
    .verify = [](const gantry_host *host, std::uint32_t shard, const gantry_signed_request *reqs, std::uint32_t n, gantry_login *out) noexcept { of(host).verify(shard, reqs, n, out); },
    .login = [](const gantry_host *host, std::uint32_t shard, const gantry_credentials *req, gantry_login *out) noexcept { of(host).login(shard, *req, *out); },
    .check = [](const gantry_host *host, std::uint32_t shard, const gantry_access *access, std::uint32_t *refused, std::uint32_t *decision) noexcept { return of(host).check(shard, *access, *refused, *decision); },
    .name = [](const gantry_host *host, gantry_principal who, char *out, std::uint32_t bytes) noexcept { return of(host).name(who, out, bytes); },
    .sign = [](const gantry_host *host, std::uint32_t shard, gantry_str content, gantry_str body, char *access_key, char *signature) noexcept { return of(host).sign(shard, content, body, access_key, signature); },
    .policies_changed = [](const gantry_host *host) noexcept { of(host).policies_changed(); },
};

}  // namespace

void Security::add_services(ServiceTables &tables) { tables.add(GANTRY_SECURITY_ID, &kTable); }

}  // namespace gantry::security
