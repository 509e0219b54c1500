/* Interface of an access-control plugin: who somebody is, and what he may do. The kernel asks it through gantry.security, which keeps its decisions; a second
 * component says what the rules in a file mean, for `gantry acl`.
 */
#ifndef GANTRY_DRAFT_AUTH_H
#define GANTRY_DRAFT_AUTH_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_AUTH_ID "gantry.auth.draft/2"

/* A user. The same user has the same number for as long as the instance lives, whatever is reloaded. 0 is nobody. */
typedef uint64_t gantry_principal;

/* ---- who ------------------------------------------------------------------------------------------------------------------------ */
typedef struct gantry_peer { /* where a request comes from */
  uint8_t ip[16];            /* network order; IPv4 uses the first 4 bytes */
  uint32_t ip_bytes, pad;    /* 4 or 16 */
  gantry_str text;           /* "10.0.0.1:5000", for people */
} gantry_peer;

#define GANTRY_CREDENTIALS_PASSWORD 1u /* name + secret */
#define GANTRY_CREDENTIALS_TLS 2u      /* name = verified certificate subject; no secret */
typedef struct gantry_credentials {
  uint32_t kind, pad;
  gantry_str name, secret;
  const gantry_peer *peer;
} gantry_credentials;

typedef struct gantry_signed_request { /* RocketMQ's ACL: Base64(HMAC-SHA1(secret, content + body)) */
  gantry_str access_key, signature;    /* empty: the request has none */
  gantry_str content, body;
  gantry_str other_content; /* p not NULL: content as other versions of the client sign it; one of the two must fit */
  gantry_str request;       /* what is asked, for the audit log: "SEND_MESSAGE_V2" */
  const gantry_peer *peer;
} gantry_signed_request;

#define GANTRY_LOGIN_OK 0u
#define GANTRY_LOGIN_MISSING 1u  /* no access key */
#define GANTRY_LOGIN_UNKNOWN 2u  /* no such user */
#define GANTRY_LOGIN_WRONG 3u    /* signature or secret */
#define GANTRY_LOGIN_DISABLED 4u /* the user may not log in */
#define GANTRY_LOGIN_LOCKED 5u   /* too many failures from this address lately */
typedef struct gantry_login {
  gantry_principal principal; /* 0 unless OK */
  uint32_t outcome;           /* GANTRY_LOGIN_* */
  uint32_t pad;
} gantry_login;

/* ---- what --------------------------------------------------------------------------------------------------------------------------- */
#define GANTRY_RESOURCE_TOPIC 1u
#define GANTRY_RESOURCE_GROUP 2u
#define GANTRY_RESOURCE_CLUSTER 3u

#define GANTRY_ACTION_PUB 1u /* bits */
#define GANTRY_ACTION_SUB 2u
#define GANTRY_ACTION_CREATE 4u
#define GANTRY_ACTION_UPDATE 8u
#define GANTRY_ACTION_DELETE 16u
#define GANTRY_ACTION_GET 32u
#define GANTRY_ACTION_LIST 64u
#define GANTRY_ACTION_ALL 127u

typedef struct gantry_authz {
  uint32_t resource_type; /* GANTRY_RESOURCE_* */
  uint32_t actions;       /* GANTRY_ACTION_*: one of these must be allowed */
  gantry_str name;        /* "*": all of this type */
  uint64_t reserved;
} gantry_authz;

#define GANTRY_DECISION_ALLOW 0u
#define GANTRY_DECISION_NO_RULE 1u /* nothing allows it */
#define GANTRY_DECISION_DENY 2u    /* a rule forbids it */

typedef struct gantry_auth_v1 {
  /* Always answers; what failed counts against the peer's address. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*authenticate)(void *self, uint32_t shard, const gantry_credentials *req, gantry_login *out) GANTRY_NOEXCEPT;
  /* out[i] for request i; as authenticate. Signatures are compared in constant time. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*verify)(void *self, uint32_t shard, const gantry_signed_request *reqs, uint32_t n, gantry_login *out) GANTRY_NOEXCEPT;
  /* decisions[i] = GANTRY_DECISION_* for item i. The kernel keeps each answer until the plugin calls policies_changed of gantry.security; who does not exist
   * may do nothing. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*authorize)(void *self, uint32_t shard, gantry_principal who, const gantry_peer *peer, const gantry_authz *items, uint32_t n, uint32_t *decisions) GANTRY_NOEXCEPT;
  /* Name of a user, at most `bytes` of it; returns its length, 0 for nobody. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  uint32_t (*name)(void *self, gantry_principal who, char *out, uint32_t bytes) GANTRY_NOEXCEPT;
  /* Signs access key + content + body as the broker itself, for requests that this process makes of others: the field AccessKey sorts before all others that brokers
   * send. UNSUPPORTED: the broker has no user. access_key: up to 255 bytes, signature: 28, both terminated. [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*sign)(void *self, uint32_t shard, gantry_str content, gantry_str body, char access_key[256], char signature[32]) GANTRY_NOEXCEPT;
  /* Reads the rules again, all of them or, with an error, none. [thread: control] [blocking: may] [owns: caller] [phase: started] */
  int32_t (*reload)(void *self, gantry_error *err) GANTRY_NOEXCEPT;
} gantry_auth_v1;

/* ---- tools ----------------------------------------------------------------------------------------------------------------------------- */
#define GANTRY_AUTH_TOOL_ID "gantry.auth-tool.draft/1"

typedef struct gantry_auth_question {
  uint32_t size, actions; /* GANTRY_ACTION_*, one bit */
  gantry_str file;        /* of the rules */
  gantry_str user, resource; /* resource: "Topic:orders" */
  gantry_str from;        /* address; empty: from anywhere that no rule names */
} gantry_auth_question;

/* One piece of text, in order. [thread: control] [blocking: may] [owns: borrowed] [phase: started] */
typedef void (*gantry_text_fn)(void *arg, gantry_str text) GANTRY_NOEXCEPT;

typedef struct gantry_auth_tool_v1 {
  /* OK: allowed, DENIED: not; both say which rule decides and where it stands. NOT_FOUND (user), CONFIG (file), INVALID (question).
   * [thread: control] [blocking: may] [owns: caller] [phase: started] */
  int32_t (*explain)(void *self, const gantry_auth_question *question, gantry_text_fn out, void *arg, gantry_error *err) GANTRY_NOEXCEPT;
  /* A file of another make (RocketMQ's plain_acl.yml) as this plugin's. CONFIG, IO. [thread: control] [blocking: may] [owns: caller] [phase: started] */
  int32_t (*import)(void *self, gantry_str file, gantry_text_fn out, void *arg, gantry_error *err) GANTRY_NOEXCEPT;
} gantry_auth_tool_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_peer) == 40, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_signed_request) == 104, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_login) == 16, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_authz) == 32, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_auth_question) == 72, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_AUTH_H */
