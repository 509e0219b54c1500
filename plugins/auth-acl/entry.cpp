// Plugin auth-acl: what it offers, no logic.
#include "instance.hpp"
#include "tool.hpp"

#include <gantry++/str.hpp>

#define GANTRY_ACL_VERSION "0.1.0"

GANTRY_MANIFEST("gantry.auth-acl", GANTRY_ACL_VERSION, GANTRY_AUTH_ID " " GANTRY_AUTH_TOOL_ID)

namespace {

using gantry::acl::Instance;

Instance &instance_of(void *self) { return *static_cast<Instance *>(self); }

const gantry_config_key kKeys[] = {
    {"file", GANTRY_KEY_PATH, GANTRY_KEY_REQUIRED, nullptr, 0, 0, nullptr, "users and policies: acl.toml, made with an administrator when it is not there, or RocketMQ's plain_acl.yml"},
    {"reload_period", GANTRY_KEY_DURATION, 0, "2s", 0, 3'600'000, nullptr, "how often is looked whether the file changed; \"0s\": only on SIGHUP"},
    {"login_failures", GANTRY_KEY_INT, 0, "20", 0, 1'000'000, nullptr, "failed logins of a user from one address within login_lock, after which that user waits as long from there; 0 is no limit"},
    {"login_lock", GANTRY_KEY_DURATION, 0, "60s", 1'000, 86'400'000, nullptr, "see login_failures"},
    {"own_user", GANTRY_KEY_STRING, 0, nullptr, 0, 0, nullptr, "user of the file as whom this broker registers at name servers with access control; without it one that only this process knows"},
};

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  gantry::acl::Options options;
  options.file = gantry::view(config->get_text(config, "file"));
  options.own_user = gantry::view(config->get_text(config, "own_user"));
  options.login_failures = static_cast<std::uint32_t>(config->get_int(config, "login_failures"));
  options.login_lock_ms = config->get_int(config, "login_lock");
  options.reload_period_ms = config->get_int(config, "reload_period");
  if (options.file.empty()) return gantry::report(gantry::Error{GANTRY_E_CONFIG, "auth-acl: the key file is empty; name the file of users and policies: file = \"acl.toml\""}, err);
  auto instance = std::make_unique<Instance>(host, std::move(options));
  if (const char *missing = instance->missing_table(); missing != nullptr)
    return gantry::report(gantry::Error{GANTRY_E_UNSUPPORTED, std::string("auth-acl: this kernel lacks the table ") + missing + "; use a newer kernel"}, err);
  *self = instance.release();
  return GANTRY_OK;
}

std::int32_t start(void *self, gantry_error *err) noexcept {
  const gantry::Result<void> started = instance_of(self).start();
  return started ? GANTRY_OK : gantry::report(started.error(), err);
}

void stop(void *self) noexcept { instance_of(self).stop(); }
void destroy(void *self) noexcept { delete &instance_of(self); }

const gantry_auth_v1 kAuth = {
    .authenticate = [](void *self, std::uint32_t shard, const gantry_credentials *req, gantry_login *out) noexcept { instance_of(self).authenticate(shard, *req, *out); },
    .verify = [](void *self, std::uint32_t shard, const gantry_signed_request *reqs, std::uint32_t n, gantry_login *out) noexcept {
      for (std::uint32_t i = 0; i < n; ++i) instance_of(self).verify(shard, reqs[i], out[i]);
    },
    .authorize = [](void *self, std::uint32_t shard, gantry_principal who, const gantry_peer *peer, const gantry_authz *items, std::uint32_t n, std::uint32_t *decisions) noexcept {
      for (std::uint32_t i = 0; i < n; ++i) decisions[i] = instance_of(self).authorize(shard, who, *peer, items[i]);
    },
    .name = [](void *self, gantry_principal who, char *out, std::uint32_t bytes) noexcept { return instance_of(self).name(who, out, bytes); },
    .sign = [](void *self, std::uint32_t shard, gantry_str content, gantry_str body, char *access_key, char *signature) noexcept {
      return instance_of(self).sign(shard, content, body, access_key, signature);
    },
    .reload = [](void *self, gantry_error *err) noexcept -> std::int32_t {
      const gantry::Result<void> done = instance_of(self).reload();
      return done ? GANTRY_OK : gantry::report(done.error(), err);
    },
};

// ---- tools: no state

std::int32_t tool_create(const gantry_host *host, const gantry_config *, void **self, gantry_error *) noexcept {
  *self = const_cast<gantry_host *>(host);
  return GANTRY_OK;
}
std::int32_t tool_start(void *, gantry_error *) noexcept { return GANTRY_OK; }
void tool_nothing(void *) noexcept {}

const gantry_component kAcl = {sizeof(gantry_component), 0, GANTRY_AUTH_ID, "acl", "users with secrets, and policies that say what they may do", &kAuth, kKeys, std::size(kKeys), 0, create, start, stop, destroy, nullptr};
const gantry_component kTool = {sizeof(gantry_component), 0, GANTRY_AUTH_TOOL_ID, "acl-tool", "explains rules, and imports those of RocketMQ", &gantry::acl::kToolTable, nullptr, 0, 0, tool_create, tool_start,
                                tool_nothing, tool_nothing, nullptr};
const gantry_component *const kComponents[] = {&kAcl, &kTool};

}  // namespace

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    .size = sizeof(gantry_plugin),
    .abi_minor = GANTRY_ABI_MINOR,
    .id = "gantry.auth-acl",
    .version = GANTRY_ACL_VERSION,
    .license = "Apache-2.0",
    .homepage = "",
    .components = kComponents,
    .n_components = std::size(kComponents),
    .flags = 0,
};
