/* Interface of an access-control plugin. Shape only: no kernel of this version calls it. */
#ifndef GANTRY_DRAFT_AUTH_H
#define GANTRY_DRAFT_AUTH_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_AUTH_ID "gantry.auth.draft/1"

typedef uint64_t gantry_principal; /* 0 = anonymous */
#define GANTRY_CREDENTIALS_PASSWORD 1u /* name + secret */
#define GANTRY_CREDENTIALS_TLS 2u      /* name = verified certificate subject */
typedef struct gantry_credentials {
  uint32_t kind, pad;
  gantry_str name, secret, peer;
} gantry_credentials;
typedef struct gantry_signed_request { /* RocketMQ ACL: HMAC over the sorted header fields and the body */
  gantry_str access_key, signature, content, body;
} gantry_signed_request;
#define GANTRY_RESOURCE_TOPIC 1u
#define GANTRY_RESOURCE_GROUP 2u
#define GANTRY_RESOURCE_CLUSTER 3u
#define GANTRY_ACTION_PUB 1u
#define GANTRY_ACTION_SUB 2u
#define GANTRY_ACTION_ADMIN 3u
typedef struct gantry_authz {
  uint32_t resource_type, action;
  gantry_str name, group;
  uint64_t resource_id;
  uint64_t reserved;
} gantry_authz;

typedef struct gantry_auth_v1 {
  /* OK with *out, UNAUTHENTICATED, DECLINED (ask the next), or PENDING: the completion's result is the principal.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*authenticate)(void *self, uint32_t shard, const gantry_credentials *req, gantry_principal *out, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* principals[i] = signer of request i, 0 = refused. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*verify)(void *self, uint32_t shard, const gantry_signed_request *reqs, uint32_t n, gantry_principal *principals) GANTRY_NOEXCEPT;
  /* One bit per item in allow; the kernel caches each answer for *ttl_ms or until the policy epoch moves.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*authorize)(void *self, uint32_t shard, gantry_principal who, const gantry_authz *items, uint32_t n, uint64_t *allow, int64_t *ttl_ms) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: plugin] [phase: started] */
  void (*principal_release)(void *self, gantry_principal who) GANTRY_NOEXCEPT;
} gantry_auth_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_authz) == 56, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_AUTH_H */
