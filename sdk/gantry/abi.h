/* Gantry plugin ABI: base types, status codes, manifest, plugin entry and component life cycle.
 *
 * Read this file first. It compiles alone as C11 and as C++20 and includes nothing but <stdint.h> and <stddef.h>.
 *
 * Ground rules
 *  - Only fixed-width integers, pointers and structs of those cross the boundary. Padding is explicit, sizes are asserted.
 *  - Strings on data paths are pointer + length and not terminated; strings in descriptors are terminated UTF-8.
 *  - Times are int64: `_ms` is wall clock since 1970, `_ns` is the monotonic clock.
 *  - Nobody frees the other side's memory. A span is borrowed for the call unless its owner is retained.
 *  - No exception leaves a function of this ABI: every function pointer type is noexcept in C++.
 *
 * Every function carries four tags:
 *   [thread: shard|control|plugin|any]  where it may be called. `shard` = on the shard thread it was given; `control` = the
 *                                       thread that loads, configures and stops plugins; `plugin` = a thread the plugin made.
 *   [blocking: never|may]               whether it may wait for disk, network or another thread.
 *   [owns: ...]                         who owns what is passed or returned, and until when.
 *   [phase: any|created|started]        the earliest life-cycle state in which it may be called.
 */
#ifndef GANTRY_ABI_H
#define GANTRY_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GANTRY_NOEXCEPT noexcept
#define GANTRY_STATIC_ASSERT(cond, text) static_assert(cond, text)
#define GANTRY_EXTERN_C_BEGIN extern "C" {
#define GANTRY_EXTERN_C_END }
#else
#define GANTRY_NOEXCEPT
#define GANTRY_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#define GANTRY_EXTERN_C_BEGIN
#define GANTRY_EXTERN_C_END
#endif

#define GANTRY_EXPORT __attribute__((visibility("default")))

GANTRY_EXTERN_C_BEGIN

/* Version of the entry contract. A kernel loads a plugin whose major is equal and whose minor is not newer than its own. */
#define GANTRY_ABI_MAJOR 1u
#define GANTRY_ABI_MINOR 0u
/* Version of these headers, written into the manifest for diagnostics. */
#define GANTRY_SDK_VERSION "0.1.0"
/* The one symbol a plugin exports: `const gantry_plugin gantry_plugin_v1`. */
#define GANTRY_PLUGIN_SYMBOL "gantry_plugin_v1"

/* ---- status codes ------------------------------------------------------------------------------------------------------ */

/* 0 is success, positive is normal but notable, negative is failure. Codes of -1000 and below are private to a plugin and
 * always come with text. */
#define GANTRY_OK 0
#define GANTRY_PENDING 1  /* a completion will follow */
#define GANTRY_PARTIAL 2  /* some of it; ask again for the rest */
#define GANTRY_DECLINED 3 /* not mine; ask the next in the chain */
#define GANTRY_DONE_EOF 4

#define GANTRY_E_INVALID (-1)          /* an argument or a reserved field is wrong: a bug of the caller */
#define GANTRY_E_UNSUPPORTED (-2)      /* not offered; do not retry */
#define GANTRY_E_NOMEM (-3)            /* */
#define GANTRY_E_AGAIN (-4)            /* no credit or over a watermark; retry after the next completion or writable event */
#define GANTRY_E_CANCELLED (-5)        /* */
#define GANTRY_E_TIMEOUT (-6)          /* on produce: stored, but the wanted durability was not confirmed in time */
#define GANTRY_E_CLOSED (-7)           /* the object or the broker is closing */
#define GANTRY_E_NOT_FOUND (-8)        /* topic, group, queue or key */
#define GANTRY_E_EXISTS (-9)           /* */
#define GANTRY_E_DENIED (-10)          /* the identity lacks the right */
#define GANTRY_E_UNAUTHENTICATED (-11) /* */
#define GANTRY_E_LIMIT (-12)           /* quota, size or count */
#define GANTRY_E_IO (-13)              /* errno in `detail` */
#define GANTRY_E_CORRUPT (-14)         /* checksum or format */
#define GANTRY_E_NO_SPACE (-15)        /* */
#define GANTRY_E_NOT_WRITABLE (-16)    /* replica, read-only, store fenced after a failed flush */
#define GANTRY_E_RANGE (-17)           /* offset out of range; the result carries min and max */
#define GANTRY_E_STALE (-18)           /* an epoch or a version lost a race */
#define GANTRY_E_CONFIG (-19)          /* with key and position */
#define GANTRY_E_SYNTAX (-20)          /* expression does not compile; line and column given */
#define GANTRY_E_BUDGET (-21)          /* time, instruction or memory budget exceeded */
#define GANTRY_E_INTERNAL (-22)        /* a bug of plugin or kernel */

/* ---- plain data -------------------------------------------------------------------------------------------------------- */

typedef struct gantry_str { /* borrowed text or bytes, not terminated */
  const char *p;
  uint32_t n;
  uint32_t pad;
} gantry_str;

/* Reference count of a piece of memory, embedded in front of whatever its maker keeps there.
 * Both functions: [thread: any] [blocking: never] [owns: the count] [phase: any]. They never call into a plugin. */
typedef struct gantry_owner gantry_owner;
struct gantry_owner {
  void (*retain)(gantry_owner *self) GANTRY_NOEXCEPT;
  void (*release)(gantry_owner *self) GANTRY_NOEXCEPT;
  uint64_t bytes; /* pinned while the count is above zero; for accounting */
};

#define GANTRY_SPAN_WRITABLE 1u
typedef struct gantry_span { /* bytes; owner NULL = valid only during the call that carries it */
  const uint8_t *p;
  uint32_t n;
  uint32_t flags;
  gantry_owner *owner;
} gantry_span;

/* Completion of an asynchronous request. Exactly one per accepted request, also on cancel and shutdown. */
typedef struct gantry_cqe {
  uint64_t user_data; /* copied from the request */
  int64_t result;
  uint64_t aux;
  int32_t status; /* GANTRY_OK or GANTRY_E_* */
  uint32_t flags;
} gantry_cqe;

#define GANTRY_ERROR_TEXT_BYTES 236
typedef struct gantry_error { /* owned by the caller of the failing function; may be NULL there */
  int32_t code;
  int32_t detail; /* errno or a plugin-private number */
  uint32_t retry_after_ms;
  uint32_t line, column; /* 1-based; 0 = unknown */
  char text[GANTRY_ERROR_TEXT_BYTES]; /* terminated UTF-8: what, where, remedy */
} gantry_error;

GANTRY_STATIC_ASSERT(sizeof(void *) == 8, "Gantry plugins are 64-bit");
GANTRY_STATIC_ASSERT(sizeof(gantry_str) == 16, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_owner) == 24, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_span) == 24, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_cqe) == 32, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_error) == 256, "layout");

/* ---- manifest: read from the file without running any of its code -------------------------------------------------------- */

#define GANTRY_NOTE_SECTION ".note.gantry"
#define GANTRY_NOTE_NAME "Gantry"
#define GANTRY_NOTE_TYPE 1u

typedef struct gantry_manifest { /* descriptor of the ELF note; texts are terminated UTF-8 */
  uint32_t abi_major, abi_minor;
  uint32_t size; /* sizeof(gantry_manifest) */
  uint32_t flags;
  char id[64];          /* reverse domain for third parties, "gantry.store-commitlog" for ours */
  char version[24];     /* semver */
  char sdk_version[24]; /* GANTRY_SDK_VERSION at build time */
  char interfaces[160]; /* interface ids offered, blank separated */
} gantry_manifest;

typedef struct gantry_manifest_note {
  uint32_t name_bytes, desc_bytes, type;
  char name[8];
  gantry_manifest desc;
} gantry_manifest_note;

GANTRY_STATIC_ASSERT(sizeof(gantry_manifest) == 288, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_manifest_note) == 308, "layout");

/* Put once into one source file of the plugin. Arguments are string literals. */
#define GANTRY_MANIFEST(plugin_id, plugin_version, interface_ids)                                                             \
  __attribute__((section(GANTRY_NOTE_SECTION), used, aligned(4))) static const gantry_manifest_note gantry_manifest_note_v1 = { \
      8u, (uint32_t)sizeof(gantry_manifest), GANTRY_NOTE_TYPE, GANTRY_NOTE_NAME,                                              \
      {GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, (uint32_t)sizeof(gantry_manifest), 0u, plugin_id, plugin_version,                   \
       GANTRY_SDK_VERSION, interface_ids}};

/* ---- host, configuration ------------------------------------------------------------------------------------------------ */

/* What the kernel gives an instance. One per instance: log prefix, metric labels and accounting come with it. */
typedef struct gantry_host gantry_host;
struct gantry_host {
  uint32_t size, abi_minor;
  void *ctx; /* the kernel's; never touch */
  /* A service table by id (see the draft headers), or NULL when this kernel lacks it. A table exists whole or not at all.
   * [thread: any] [blocking: never] [owns: kernel, until the instance is destroyed] [phase: created] */
  const void *(*query)(const gantry_host *host, const char *table_id) GANTRY_NOEXCEPT;
};

#define GANTRY_KEY_BOOL 1u
#define GANTRY_KEY_INT 2u
#define GANTRY_KEY_SIZE 3u     /* "64 MiB", or a count of bytes */
#define GANTRY_KEY_DURATION 4u /* "500ms", "72h"; milliseconds when read */
#define GANTRY_KEY_STRING 5u
#define GANTRY_KEY_ENUM 6u
#define GANTRY_KEY_PATH 7u
#define GANTRY_KEY_LIST 8u /* of strings */

#define GANTRY_KEY_REQUIRED 1u
#define GANTRY_KEY_RELOADABLE 2u
#define GANTRY_KEY_SECRET 4u /* never printed */

typedef struct gantry_config_key { /* one key of a component, declared so that the file is checked before anything starts */
  const char *name;
  uint32_t type;  /* GANTRY_KEY_* */
  uint32_t flags; /* GANTRY_KEY_REQUIRED ... */
  const char *default_text; /* as written in the file; NULL = none (zero, empty) */
  int64_t min, max;         /* for int, size and duration; both 0 = no range */
  const char *enum_values;  /* blank separated, for GANTRY_KEY_ENUM */
  const char *doc;          /* one line */
} gantry_config_key;

/* Validated values of one instance. A key that the component did not declare is a bug and aborts with its name.
 * All: [thread: any] [blocking: never] [owns: kernel, until the instance is destroyed] [phase: created] */
typedef struct gantry_config gantry_config;
struct gantry_config {
  uint32_t size, pad;
  void *ctx;
  int64_t (*get_int)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT; /* bool, int, size (bytes), duration (ms) */
  gantry_str (*get_text)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT; /* string, enum, path */
  uint32_t (*list_size)(const gantry_config *c, const char *key) GANTRY_NOEXCEPT;
  gantry_str (*list_at)(const gantry_config *c, const char *key, uint32_t i) GANTRY_NOEXCEPT;
};

/* ---- plugin and components ---------------------------------------------------------------------------------------------- */

#define GANTRY_COMPONENT_ESSENTIAL 1u /* the broker does not start without it */

typedef struct gantry_component { /* one thing the .so can do; constant, lives as long as the mapping */
  uint32_t size, flags;
  const char *interface_id; /* "gantry.store.draft/1" */
  const char *name;         /* what broker.toml says in `component`; unique within the plugin */
  const char *doc;          /* one line */
  const void *vtable;       /* the table of interface_id */
  const gantry_config_key *keys;
  uint32_t n_keys, pad;

  /* Life cycle. Every create that returned OK is matched by exactly one destroy; every start that returned OK by one stop.
   * create starts no thread and does no I/O. After stop returned, no thread of the instance runs.
   * [thread: control] [blocking: may, except create] [owns: plugin owns *self] [phase: as named] */
  int32_t (*create)(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) GANTRY_NOEXCEPT;
  int32_t (*start)(void *self, gantry_error *err) GANTRY_NOEXCEPT;
  void (*stop)(void *self) GANTRY_NOEXCEPT;
  void (*destroy)(void *self) GANTRY_NOEXCEPT;
  /* May be NULL. OK once a started instance is fully in service (a broker is registered with its name servers), PENDING until then; asked
   * a few times before the start banner is printed. [thread: control] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*ready)(void *self) GANTRY_NOEXCEPT;
} gantry_component;

typedef struct gantry_plugin { /* exported as `const gantry_plugin gantry_plugin_v1` */
  uint32_t size, abi_minor;
  const char *id, *version, *license, *homepage; /* id and version equal the manifest's */
  const gantry_component *const *components;
  uint32_t n_components, flags;
} gantry_plugin;

GANTRY_STATIC_ASSERT(sizeof(gantry_config_key) == 56, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_component) == 96, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_plugin) == 56, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_ABI_H */
