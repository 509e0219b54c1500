/* An access-control plugin without users: only the broker itself logs in, with a signature that is no secret. It is here for its faults, one at a time. */
#include <gantry/draft/security.h>

#include <stdio.h>
#include <string.h>

/* 28 characters that depend on key, content and body. */
static void digest(gantry_str a, gantry_str b, gantry_str c, char out[32]) {
  uint64_t hash = 1469598103934665603u;
  const gantry_str parts[3] = {a, b, c};
  for (int p = 0; p < 3; ++p)
    for (uint32_t i = 0; i < parts[p].n; ++i) hash = (hash ^ (uint8_t)parts[p].p[i]) * 1099511628211u;
  for (int i = 0; i < 28; ++i) out[i] = (char)('A' + (hash >> (i * 2)) % 26);
  out[28] = '\0';
}

static int is_broker(gantry_str name) { return name.n == 7 && memcmp(name.p, "$broker", 7) == 0; }

static void authenticate(void *self, uint32_t shard, const gantry_credentials *req, gantry_login *out) {
  (void)self, (void)shard;
  out->principal = 0;
  out->outcome = req->name.n == 0 ? GANTRY_LOGIN_MISSING : GANTRY_LOGIN_UNKNOWN;
#ifdef BAD_TAKES_ANY_PASSWORD
  if (req->name.n > 100) out->principal = 5, out->outcome = GANTRY_LOGIN_OK;
#endif
}

static void verify(void *self, uint32_t shard, const gantry_signed_request *reqs, uint32_t n, gantry_login *out) {
  (void)self, (void)shard;
  for (uint32_t i = 0; i < n; ++i) {
    char wanted[32];
    const gantry_str none = {"", 0, 0};
    digest(none, reqs[i].content, reqs[i].body, wanted);
    out[i].principal = 0;
    out[i].outcome = reqs[i].access_key.n == 0 ? GANTRY_LOGIN_MISSING : !is_broker(reqs[i].access_key) ? GANTRY_LOGIN_UNKNOWN : GANTRY_LOGIN_WRONG;
#ifdef BAD_LETS_ANYBODY_IN
    if (reqs[i].access_key.n == 0) out[i].principal = 9, out[i].outcome = GANTRY_LOGIN_OK;
#endif
#ifdef BAD_IGNORES_SIGNATURE
    if (is_broker(reqs[i].access_key)) out[i].principal = 2, out[i].outcome = GANTRY_LOGIN_OK;
#endif
    if (is_broker(reqs[i].access_key) && reqs[i].signature.n == 28 && memcmp(reqs[i].signature.p, wanted, 28) == 0) out[i].principal = 2, out[i].outcome = GANTRY_LOGIN_OK;
  }
#ifdef BAD_WRITES_BEHIND
  out[n].outcome = 0;
#endif
}

static void authorize(void *self, uint32_t shard, gantry_principal who, const gantry_peer *peer, const gantry_authz *items, uint32_t n, uint32_t *decisions) {
  (void)self, (void)shard, (void)peer, (void)items;
  for (uint32_t i = 0; i < n; ++i) {
    decisions[i] = who == 2 ? GANTRY_DECISION_ALLOW : GANTRY_DECISION_NO_RULE;
#ifdef BAD_ALLOWS_NOBODY
    if (who == 0 && items[i].name.n == 1) decisions[i] = GANTRY_DECISION_ALLOW;
#endif
#ifdef BAD_LAST_OF_MANY
    if (n > 1 && i + 1 == n) decisions[i] = GANTRY_DECISION_DENY;
#endif
  }
}

static uint32_t name(void *self, gantry_principal who, char *out, uint32_t bytes) {
  (void)self;
  if (who != 2) return 0;
  memcpy(out, "$broker", bytes < 7 ? bytes : 7);
  return 7;
}

static int32_t sign(void *self, uint32_t shard, gantry_str content, gantry_str body, char access_key[256], char signature[32]) {
  (void)self, (void)shard;
  strcpy(access_key, "$broker");
  const gantry_str me = {"$broker", 7, 0};
  digest(me, content, body, signature);
  return GANTRY_OK;
}

static int32_t reload(void *self, gantry_error *err) {
  (void)err;
#ifndef BAD_KEEPS_DECISIONS
  const gantry_host *host = (const gantry_host *)self;
  const gantry_security_v1 *security = (const gantry_security_v1 *)host->query(host, GANTRY_SECURITY_ID);
  if (security == NULL) return GANTRY_E_UNSUPPORTED;
  security->policies_changed(host);
#else
  (void)self;
#endif
  return GANTRY_OK;
}

static int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) {
  (void)config, (void)err;
  *self = (void *)host;
  return GANTRY_OK;
}
static int32_t start(void *self, gantry_error *err) {
  (void)self, (void)err;
  return GANTRY_OK;
}
static void nothing(void *self) { (void)self; }

GANTRY_MANIFEST("org.example.bad-auth", "1.0.0", GANTRY_AUTH_ID)

static const gantry_auth_v1 table = {authenticate, verify, authorize, name, sign, reload};
static const gantry_component component = {sizeof(gantry_component), 0, GANTRY_AUTH_ID, "bad", "for the kit's test", &table, NULL, 0, 0, create, start, nothing, nothing, NULL};
static const gantry_component *const components[] = {&component};
GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {sizeof(gantry_plugin), GANTRY_ABI_MINOR, "org.example.bad-auth", "1.0.0", "Apache-2.0", "", components, 1, 0};
