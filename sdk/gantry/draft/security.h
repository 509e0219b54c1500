/* What the kernel offers of access control: protocols ask it about each request, the access-control plugin tells it that rules changed. query returns NULL where
 * no access control is configured.
 */
#ifndef GANTRY_DRAFT_SECURITY_H
#define GANTRY_DRAFT_SECURITY_H

#include "auth.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_SECURITY_ID "gantry.security.draft/1"

typedef struct gantry_access { /* what one request would do */
  gantry_principal who;
  const gantry_peer *peer;
  gantry_str request;        /* for the audit log */
  const gantry_authz *items; /* all must be allowed; an empty name of a cluster is this broker's */
  uint32_t n_items, pad;
} gantry_access;

typedef struct gantry_security_v1 {
  /* Whether requests of this instance's listener must be checked; the answer never changes. [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  int32_t (*required)(const gantry_host *host) GANTRY_NOEXCEPT;
  /* As gantry_auth_v1.verify, of this shard; refusals go into the audit log. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*verify)(const gantry_host *host, uint32_t shard, const gantry_signed_request *reqs, uint32_t n, gantry_login *out) GANTRY_NOEXCEPT;
  /* As gantry_auth_v1.authenticate, of this shard. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*login)(const gantry_host *host, uint32_t shard, const gantry_credentials *req, gantry_login *out) GANTRY_NOEXCEPT;
  /* OK; DENIED: *refused is the first item that is not allowed, *decision why. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*check)(const gantry_host *host, uint32_t shard, const gantry_access *access, uint32_t *refused, uint32_t *decision) GANTRY_NOEXCEPT;
  /* As gantry_auth_v1.name. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  uint32_t (*name)(const gantry_host *host, gantry_principal who, char *out, uint32_t bytes) GANTRY_NOEXCEPT;
  /* As gantry_auth_v1.sign. [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*sign)(const gantry_host *host, uint32_t shard, gantry_str content, gantry_str body, char access_key[256], char signature[32]) GANTRY_NOEXCEPT;
  /* For the access-control plugin: no decision made before this call holds any longer. [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  void (*policies_changed)(const gantry_host *host) GANTRY_NOEXCEPT;
} gantry_security_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_access) == 48, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_SECURITY_H */
